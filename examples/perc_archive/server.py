"""The server process: listeners, connections, and the life line to whoever started it.

Started as ``python -m perc_archive.server`` with a JSON object of settings on its first line of standard
input; it answers with one line of JSON that says where it listens, and ends when its standard input is closed
or its parent is gone. Nobody but `perc_archive.archive` needs to know.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from perc_archive import realdata
from perc_archive.control import PREFIX, TOKEN_FIELD, Control
from perc_archive.exchange import Exchange, State, route
from perc_archive.faults import FaultBook
from perc_archive.protocol import BadRequestError, RequestReader, html_page, phrase
from perc_archive.sending import GoneError
from perc_archive.shaping import Shape
from perc_archive.site import Site
from perc_archive.tree import Tree

logger = logging.getLogger("perc_archive")
_PARENT_CHECK_SECONDS = 0.5
_LINGER_SECONDS = 1.0


class Server:
    """Threads that accept connections and answer them."""

    def __init__(self, state: State, control: Control) -> None:
        self._state = state
        self._control = control

    def listen(self, port: int = 0, *, context: ssl.SSLContext | None = None) -> int:
        """Listen on the loopback interface; port 0 takes a free one. Returns the port."""
        listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        thread = threading.Thread(target=self._accept, args=(listener, context), daemon=True)
        thread.start()
        return int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # out of descriptors: what is open must end first
                time.sleep(0.01)
                continue
            threading.Thread(target=self._serve, args=(connection, context), daemon=True).start()

    def _serve(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        with connection, contextlib.suppress(GoneError, OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is None:
                self._converse(connection)
            else:
                with context.wrap_socket(connection, server_side=True) as secured:
                    self._converse(secured)

    def _converse(self, connection: socket.socket) -> None:
        reader, exchange = RequestReader(connection), Exchange(connection, self._state)
        port = connection.getpeername()[1]
        try:
            while (head := reader.head()) is not None:
                method, target, version, headers = head
                body = reader.body(headers)
                if target.startswith(PREFIX):
                    status, text = self._control.answer(target, headers.get(TOKEN_FIELD), body)
                    _reply(connection, status, text)
                    continue
                secure = isinstance(connection, ssl.SSLSocket)
                if not headers.get("Host"):  # HTTP/1.0 needs none; links then lead to where the client came
                    headers["Host"] = "{}:{}".format(*connection.getsockname())
                request = route(
                    method, target, headers, body, version=version, secure=secure, connection=port
                )
                exchange.answer(request)
                if not request.keep_alive:
                    return
        except BadRequestError as error:
            page = html_page(error.status, f"{error.status} {phrase(error.status)}", str(error))
            _reply(connection, error.status, page.body, kind="text/html", more="Connection: close\r\n")
            _linger(connection)


def _reply(
    connection: socket.socket, status: int, body: bytes, *, kind: str = "application/json", more: str = ""
) -> None:
    head = f"HTTP/1.1 {status} {phrase(status)}\r\nContent-Type: {kind}\r\n{more}"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _linger(connection: socket.socket) -> None:
    """Take in what the client still sends: closing with data unread would take the answer from it."""
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_LINGER_SECONDS)
    while connection.recv(65536):
        pass


def _layers(folder: Path, settings: dict[str, Any]) -> list[Path]:
    """Own content first, then the real files, then the given folder, which may hold stand-ins."""
    own = folder / "own"
    own.mkdir()
    layers = [own]
    if settings.get("real_data"):
        layers.append(realdata.link(Path(settings["real_data"]), folder / "real"))
    if settings.get("content"):
        layers.append(Path(settings["content"]))
    return layers


def _tls(settings: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings["certificate"])
    context.set_alpn_protocols(["http/1.1"])
    return context


def start(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Start serving; returns what the first line of output says."""
    layers = _layers(folder, settings)
    (folder / "scratch").mkdir()
    site = Site(tree=Tree(layers, folder / "scratch"), faults=FaultBook())
    shape = Shape(
        latency_seconds=settings.get("latency_seconds", 0.0),
        rate_bytes_per_second=settings.get("rate_bytes_per_second"),
    )
    state = State(site=site, shape=shape)
    token = secrets.token_hex(16)
    server = Server(state, Control(state, own_layer=layers[0], token=token))
    report: dict[str, Any] = {"token": token, "folder": os.fspath(layers[0]), "ftp_port": None}
    report["port"] = server.listen(settings.get("port", 0))
    if settings.get("certificate"):
        server.listen(80)
        server.listen(443, context=_tls(settings))
    if settings.get("ftp"):
        from perc_archive import ftp

        report["ftp_port"] = ftp.listen(state, settings.get("ftp_port", 0))
    return report


def _wait_for_the_end(parent: int) -> None:
    """Block until standard input is closed, or the process that started this one is gone."""
    ended = threading.Event()

    def read() -> None:
        while sys.stdin.buffer.read(4096):
            pass
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    # A forked child of the parent may keep the pipe open after the parent was killed.
    while not ended.wait(_PARENT_CHECK_SECONDS) and os.getppid() == parent:
        pass


def main() -> None:
    """Serve until the life line breaks."""
    logging.basicConfig(level=logging.WARNING)
    settings = json.loads(sys.stdin.buffer.readline())
    folder = Path(tempfile.mkdtemp(prefix="perc_archive_"))
    failed = False
    try:
        report = start(folder, settings)
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
        _wait_for_the_end(settings["parent"])
    except OSError as error:
        sys.stderr.write(f"perc_archive: cannot serve: {error}\n")
        failed = True
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(failed)  # daemon threads may sit in system calls; nothing of theirs is worth waiting for


if __name__ == "__main__":
    main()
