"""The server behind the page of an entry: on loopback only, for whoever knows its address.

Other pages in the same browser, and other people on the same machine, can reach loopback, too. What keeps
them out: a random part of the address that every request must begin with; a ``Host`` that is loopback, so
that no foreign name that resolves to 127.0.0.1 gets in; and, where a browser says so, that the request comes
from the page itself. The page may load what this server gives it and nothing else (Content-Security-Policy).
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from empiarreader.browsing.view import EntryView
from empiarreader.entry import EmpiarEntry
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    EmpiarReaderError,
    EntryNotFoundError,
    InvalidRequestError,
    ServiceError,
)
from empiarreader.saving import check_free, write_whole

ADDRESS = "127.0.0.1"
_PAGES = {
    "": ("page.html", "text/html; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_LARGEST_QUESTION = 32 * 1024 * 1024  # a selection of some hundred thousand files
_IDLE_SECONDS = 60.0
_STATUS: tuple[tuple[type[EmpiarReaderError], HTTPStatus], ...] = (
    (EntryNotFoundError, HTTPStatus.NOT_FOUND),
    (ArchiveFileNotFoundError, HTTPStatus.NOT_FOUND),
    (ServiceError, HTTPStatus.BAD_GATEWAY),
    (InvalidRequestError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class EntryServer:
    """Serves the page of one entry until it is closed.

    Parameters
    ----------
    entry
        The entry.
    port
        Port on 127.0.0.1; 0 takes a free one.
    save_search
        File that the selection is written to when it is saved; None leaves it to the browser to keep it.
    overwrite
        Whether that file may be replaced if it is there already. Saving again from the page always replaces
        what the page saved before.

    Raises
    ------
    OSError
        If the port cannot be had.
    LocalFileError
        If the file is there already and may not be replaced.
    """

    def __init__(
        self,
        entry: EmpiarEntry,
        *,
        port: int = 0,
        save_search: str | Path | None = None,
        overwrite: bool = False,
    ) -> None:
        self.view = EntryView(entry)
        self._save_search = None if save_search is None else check_free(save_search, overwrite=overwrite)
        self._may_replace = overwrite
        self._saving = threading.Lock()
        self.token = secrets.token_urlsafe(24)
        self._http = _Server((ADDRESS, port), _Handler)
        self._http.owner = self
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Port that it listens on."""
        return int(self._http.server_address[1])

    @property
    def url(self) -> str:
        """Address of the page, with what nobody else can guess."""
        return f"http://{ADDRESS}:{self.port}/{self.token}/"

    def serve(self) -> None:
        """Answer until interrupted."""
        self._http.serve_forever(poll_interval=0.2)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve, name="empiarreader-browse", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening; answers under way are given up."""
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join()
            self._thread = None
        self._http.server_close()

    def save(self, question: Any) -> dict[str, Any]:
        """Return the selection as a list of addresses, and write it to the user's file if there is one.

        Raises
        ------
        InvalidRequestError
            If the question is none.
        """
        if not isinstance(question, dict):
            raise InvalidRequestError("a selection has files and directories")
        files_, directories = (_texts(question.get(name)) for name in ("files", "directories"))
        urls = self.view.addresses(files_, directories)
        text = "".join(f"{url}\n" for url in urls)
        saved = None
        if self._save_search is not None:
            with self._saving:
                saved = str(write_whole(self._save_search, text.encode(), overwrite=self._may_replace))
                self._may_replace = True  # it is the page's own from now on
        return {"count": len(urls), "text": text, "saved": saved}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: EntryServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that went away in the middle of an answer is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "empiarreader", ""
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: what a browser asks for may hold anything."""

    def _answer(self, answer: Callable[[str, dict[str, str]], None]) -> None:
        try:
            address = urlsplit(self.path)
            place = self._refuse_strangers(address.path)
            if place is None:
                return
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            answer(place, query)
        except EmpiarReaderError as error:
            status = next(
                (code for kind, code in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR
            )
            self._send_json({"error": self._say(error)}, status)
        except (ValueError, KeyError, RecursionError) as error:
            self._send_json({"error": f"not understood: {type(error).__name__}"}, HTTPStatus.BAD_REQUEST)

    def _refuse_strangers(self, path: str) -> str | None:
        """Return what is asked for below the secret; None where the question has been turned away."""
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        is_own = origin is None or urlsplit(origin).netloc == host
        if not _HOST.fullmatch(host) or not is_own or not (self._is_from_page() or self._is_followed_link()):
            self._send(b"This server is for its own page.\n", "text/plain", HTTPStatus.FORBIDDEN)
        else:
            _, token, *rest = (*path.split("/", 2), "")
            if hmac.compare_digest(token.encode(), self.server.owner.token.encode()) and path.count("/") > 1:
                return rest[0]
            self._send(b"Not found: use the whole address.\n", "text/plain", HTTPStatus.NOT_FOUND)
        return None

    def _is_from_page(self) -> bool:
        return self.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}

    def _is_followed_link(self) -> bool:
        """Return whether somebody clicked on the address elsewhere, as in the terminal of a notebook."""
        return self.command == "GET" and self.headers.get("Sec-Fetch-Dest") == "document"

    def _get(self, place: str, query: dict[str, str]) -> None:
        view = self.server.owner.view
        if place in _PAGES:
            name, kind = _PAGES[place]
            self._send(files(__package__).joinpath("page", name).read_bytes(), kind)
        elif place == "api/entry":
            self._send_json(view.about())
        elif place == "api/list":
            self._send_json(view.directory(_text(query["path"])))
        elif place == "api/find":
            pattern, directory = _text(query["pattern"]), _text(query["path"])
            self._send_json(view.find(pattern, regexp=query.get("regexp") == "1", directory=directory))
        elif place == "api/thumbnail":
            self._send_thumbnail(_text(query["path"]))
        elif place == "api/preview":
            self._send_json(view.preview(_text(query["path"])))
        else:
            self._send_json({"error": "there is nothing of that name"}, HTTPStatus.NOT_FOUND)

    def _post(self, place: str, query: dict[str, str]) -> None:
        length = int(self.headers.get("Content-Length", ""))
        if place != "api/save" or self.headers.get_content_type() != "application/json":
            self._send_json({"error": "there is nothing of that name"}, HTTPStatus.NOT_FOUND)
        elif not 0 <= length <= _LARGEST_QUESTION:
            self._send_json({"error": "the selection is too long"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            self._send_json(self.server.owner.save(json.loads(self.rfile.read(length))))

    def _send_thumbnail(self, path: str) -> None:
        """Send a picture, or why there is none: the page shows either in its place."""
        try:
            self._send(self.server.owner.view.thumbnail(path), "image/png")
        except EmpiarReaderError as error:
            self._send_json({"why": self._say(error)})

    def _say(self, error: EmpiarReaderError) -> str:
        """Return what an error says, with the entry's addresses as paths in it, which the page knows."""
        return str(error).replace(self.server.owner.view.entry.url, "")

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        if status >= HTTPStatus.BAD_REQUEST:
            self.close_connection = True  # the rest of the question may not have been read
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "private, max-age=600" if kind == "image/png" else "no-store")
        self.end_headers()
        self.wfile.write(body)


def _text(value: str) -> str:
    """Return a text of a query, written as JSON: names need not be Unicode that an address can hold."""
    text = json.loads(value)
    if not isinstance(text, str):
        raise InvalidRequestError("a path is a text")
    return text


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRequestError("a selection holds lists of paths")
    return value
