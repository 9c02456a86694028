"""Files over FTP: size and time of one, and its bytes from any place on (REST), straight into memory."""

from __future__ import annotations

import contextlib
import ftplib
import re
import socket
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

from empiarreader.errors import ServiceError
from empiarreader.network.counters import counter
from empiarreader.network.ftp import connect, refusal
from empiarreader.network.wire import UnreachableError

_TIME = re.compile(r"213 (\d{14})(?:\.\d+)?\s*")


class FtpStream:
    """One control connection and at most one transfer on it."""

    def __init__(self) -> None:
        self._control: ftplib.FTP | None = None
        self._data: socket.socket | None = None
        self._url = ""
        self._is_cut = False

    def facts(self, url: str) -> tuple[int, datetime | None]:
        """Return size and time of change of a file; no time where the server does not tell."""
        self._url = url
        control, path = self._connected(url), _path(url)
        try:
            size = control.size(path)
            try:
                match = _TIME.fullmatch(control.sendcmd(f"MDTM {path}"))
            except ftplib.error_perm:
                match = None
        except (OSError, EOFError, ftplib.Error) as error:
            raise self._refused(error) from error
        if size is None or size < 0:
            raise ServiceError(f"the server does not say how large {url} is", retryable=True)
        return size, _moment(match[1]) if match else None

    def open(self, url: str, start: int) -> None:
        """Begin to transfer a file from a place on."""
        self._url = url
        control = self._connected(url)
        counter.add(requests=1)
        try:
            self._data, _ = control.ntransfercmd(f"RETR {_path(url)}", rest=start or None)
        except (OSError, EOFError, ftplib.Error) as error:
            raise self._refused(error) from error

    def receive(self, view: memoryview) -> int:
        """Receive bytes; 0 at the end of the file."""
        if self._data is None:
            return 0
        try:
            count = self._data.recv_into(view)
        except OSError as error:
            raise self._refused(error) from error
        counter.add(bytes_received=count)
        return count

    def ended(self) -> None:
        """Close a transfer that has brought everything, and hear what the server says of it."""
        if self._data is None or self._control is None:
            return
        self._data.close()
        self._data = None
        try:
            self._control.voidresp()
        except (OSError, EOFError, ftplib.Error):
            self.close()  # all bytes are here; only the connection is of no more use

    def close(self) -> None:
        """Close everything; the next question connects again."""
        for thing in (self._data, self._control):
            if thing is not None:
                thing.close()
        self._data = self._control = None

    def cut(self) -> None:
        """Break the connections from another thread, for good."""
        self._is_cut = True
        self.interrupt()

    def interrupt(self) -> None:
        """End the transfer under way: whoever reads it wakes. The next question connects again."""
        for cuttable in (self._data, self._control.sock if self._control is not None else None):
            if cuttable is not None:
                with contextlib.suppress(OSError):
                    cuttable.shutdown(socket.SHUT_RDWR)

    def _connected(self, url: str) -> ftplib.FTP:
        if self._is_cut:
            raise ServiceError(f"{url} was given up")
        if self._control is None:
            host = urlsplit(url).netloc
            try:
                self._control = connect(host)
            except (OSError, EOFError) as error:
                raise UnreachableError(
                    f"cannot connect to {host}: {error} ({url})", retryable=True
                ) from error
            except ftplib.Error as error:
                raise refusal(url, error) from error
        return self._control

    def _refused(self, error: Exception) -> Exception:
        if not isinstance(error, ftplib.error_perm):
            self.close()
        return refusal(self._url, error)


def _path(url: str) -> str:
    """Return the path of an address as the connection writes it: each byte as the character of its number."""
    return unquote(urlsplit(url).path, encoding="latin-1")


def _moment(digits: str) -> datetime | None:
    with contextlib.suppress(ValueError):
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return None
