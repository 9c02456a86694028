"""FTP over the content tree, by subclasses of pyftpdlib's handlers. `perc_archive.ftp` imports this late.

Transfers and questions about files are logged under their command; the round trip delays every command. A
rate is kept by pyftpdlib's throttle, which is coarse. Faults act on HTTP only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from typing import IO, Any

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from perc_archive.exchange import State
from perc_archive.journal import Entry
from perc_archive.protocol import Request
from perc_archive.tree import Tree

_HOST = "ftp.ebi.ac.uk"
_LOGGED = ("RETR", "LIST", "NLST", "MLSD", "MLST", "SIZE", "MDTM")


class TreeFilesystem(AbstractedFS):  # type: ignore[misc]
    """The content of one host. What pyftpdlib takes for paths of a disk are paths of that host."""

    tree: Tree

    def ftp2fs(self, ftppath: str) -> str:
        """Path as it is."""
        return str(self.ftpnorm(ftppath))

    def fs2ftp(self, fspath: str) -> str:
        """Path as it is."""
        return fspath

    def validpath(self, path: str) -> bool:
        """Accept all; the tree itself refuses what would lead out of it."""
        return True

    def realpath(self, path: str) -> str:
        """Path as it is: there are no links to resolve."""
        return path

    def lexists(self, path: str) -> bool:
        """Whether there is a file or a directory."""
        with contextlib.suppress(FileNotFoundError):
            self.stat(path)
            return True
        return False

    def isdir(self, path: str) -> bool:
        """Whether there is a directory."""
        found = self.tree.stat(_HOST, path)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def isfile(self, path: str) -> bool:
        """Whether there is a file."""
        return self.tree.file(_HOST, path) is not None

    def islink(self, path: str) -> bool:
        """Say no: nothing is a link."""
        return False

    def stat(self, path: str) -> os.stat_result:
        """Facts of a file or a directory."""
        found = self.tree.stat(_HOST, path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    lstat = stat

    def getsize(self, path: str) -> int:
        """Bytes of a file."""
        return self.stat(path).st_size

    def getmtime(self, path: str) -> float:
        """Moment of the last change."""
        return self.stat(path).st_mtime

    def listdir(self, path: str) -> list[str]:
        """Names in a directory."""
        return sorted(self.tree.folder(_HOST, path) or {})

    def chdir(self, path: str) -> None:
        """Change the directory of this connection, not of the process."""
        self.cwd = path

    def open(self, filename: str, mode: str) -> IO[Any]:
        """Open a file for reading."""
        file = self.tree.file(_HOST, filename)
        if file is None or mode not in ("r", "rb"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), filename)
        return file.open(mode)


class Transfer(ThrottledDTPHandler):  # type: ignore[misc]
    """A data connection that tells the log how many bytes it carried."""

    def __init__(self, sock: socket.socket, cmd_channel: Any) -> None:
        rate = cmd_channel.state.shape.rate_bytes_per_second
        self.write_limit = 0 if rate is None else max(1, int(rate))
        super().__init__(sock, cmd_channel)

    def close(self) -> None:
        """Write down the end of a transfer before the client is told of it."""
        code = int(self._resp[0][:3]) if self._resp else 426
        self.cmd_channel.transferred(int(self.get_transmitted_bytes()), code)
        super().close()


class Session(FTPHandler):  # type: ignore[misc]
    """A control connection."""

    state: State
    entry: Entry | None = None
    banner = "Welcome to the embedded archive"
    use_gmt_times = True
    dtp_handler = Transfer
    abstracted_fs = TreeFilesystem

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Let a command wait for one round trip."""
        latency = self.state.shape.latency_seconds
        if latency > 0:
            self.ioloop.call_later(latency, super().pre_process_command, line, cmd, arg)
        else:
            super().pre_process_command(line, cmd, arg)

    def process_command(self, cmd: str, *args: Any, **options: Any) -> None:
        """Carry out a command and log it where it is about a file."""
        if cmd in _LOGGED and args:
            request = Request(method=cmd, host=_HOST, path=str(args[0]))
            self.entry = self.state.journal.begin(request)
        super().process_command(cmd, *args, **options)
        if self.entry is not None and not self._last_response.startswith("1"):
            self.transferred(0, int(self._last_response[:3]))

    def transferred(self, count: int, code: int) -> None:
        """Finish the log's line for the command at hand, if there is one."""
        if self.entry is not None:
            self.entry.sent, self.entry.status = count, code
            self.state.journal.end(self.entry)
            self.entry = None


def serve(state: State, listener: socket.socket) -> None:
    """Serve for ever on a listening socket."""
    authorizer = DummyAuthorizer()
    authorizer.add_anonymous("/", perm="elr")
    filesystem = type("Filesystem", (TreeFilesystem,), {"tree": state.site.tree})
    handler = type(
        "Handler", (Session,), {"state": state, "authorizer": authorizer, "abstracted_fs": filesystem}
    )
    FTPServer(listener, handler, ioloop=IOLoop()).serve_forever(handle_exit=False)
