"""FTP over the same content, through pyftpdlib."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import threading
import time
import warnings
from typing import Any

from perc_archive.exchange import State
from perc_archive.protocol import Request

_HOST = "ftp.ebi.ac.uk"


def listen(state: State, port: int) -> int:
    """Serve anonymous FTP on loopback; returns the port. pyftpdlib is imported while the first client waits."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    threading.Thread(target=_serve, args=(state, listener), daemon=True).start()
    return int(listener.getsockname()[1])


def _serve(state: State, listener: socket.socket) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"The async(ore|hat) module is deprecated", DeprecationWarning)
        from pyftpdlib.authorizers import DummyAuthorizer
        from pyftpdlib.filesystems import AbstractedFS
        from pyftpdlib.handlers import DTPHandler, FTPHandler
        from pyftpdlib.ioloop import IOLoop
        from pyftpdlib.servers import FTPServer
    import logging

    logging.getLogger("pyftpdlib").setLevel(logging.ERROR)
    tree = state.site.tree

    class TreeFS(AbstractedFS):  # type: ignore[misc]
        """The content tree of one host; "real" paths are the virtual ones."""

        def ftp2fs(self, ftppath: str) -> str:
            return str(self.ftpnorm(ftppath))

        def fs2ftp(self, fspath: str) -> str:
            return fspath

        def validpath(self, path: str) -> bool:
            return True

        def realpath(self, path: str) -> str:
            return path

        def lexists(self, path: str) -> bool:
            with contextlib.suppress(OSError):
                self.stat(path)
                return True
            return False

        def isdir(self, path: str) -> bool:
            return tree.folder(_HOST, path) is not None

        def isfile(self, path: str) -> bool:
            return tree.file(_HOST, path) is not None

        def islink(self, path: str) -> bool:
            return False

        def stat(self, path: str) -> os.stat_result:
            file = tree.file(_HOST, path)
            if file is not None:
                return file.stat()
            if self.isdir(path):
                return os.stat_result((stat.S_IFDIR | 0o755, 0, 0, 2, 0, 0, 4096, 0, 0, 0))
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

        lstat = stat

        def getsize(self, path: str) -> int:
            return self.stat(path).st_size

        def getmtime(self, path: str) -> float:
            return self.stat(path).st_mtime

        def listdir(self, path: str) -> list[str]:
            return sorted(tree.folder(_HOST, path) or {})

        def chdir(self, path: str) -> None:
            self.cwd = path

        def open(self, filename: str, mode: str) -> Any:
            file = tree.file(_HOST, filename)
            if file is None or "r" not in mode:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), filename)
            return file.open(mode)

    class Transfer(DTPHandler):  # type: ignore[misc]
        """A data connection that leaves its bytes in the log."""

        entry: Any = None

        def close(self) -> None:
            if self.entry is not None:
                self.entry.sent = int(self.get_transmitted_bytes())
                self.entry.status = 226 if self.transfer_finished else 426
                state.journal.end(self.entry)
                self.entry = None
            super().close()

    class Handler(FTPHandler):  # type: ignore[misc]
        """A control connection that logs each transfer under its command."""

        pending: Any = None

        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            if cmd in ("RETR", "LIST", "NLST", "MLSD"):
                path = self.fs.ftpnorm(arg if not arg.startswith("-") else "")
                self.pending = Request(method=cmd, host=_HOST, path=path)
                time.sleep(state.shape.latency_seconds)
            super().pre_process_command(line, cmd, arg)

    authorizer = DummyAuthorizer()
    authorizer.add_anonymous("/", perm="elr")
    handler = Handler
    handler.abstracted_fs = TreeFS
    handler.authorizer = authorizer
    handler.dtp_handler = Transfer
    handler.banner = "Welcome to the embedded archive"
    handler.use_gmt_times = True
    server = FTPServer(listener, handler, ioloop=IOLoop())
    server.serve_forever(handle_exit=False)
