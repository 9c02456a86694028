"""What goes over the wire: requests as they were read, answers as services give them."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, unquote

from perc_archive.rewrite import rewrite_links

LIMIT_HEAD_BYTES = 1 << 17
LIMIT_FIELD_BYTES = 8190  # Apache's LimitRequestFieldSize and LimitRequestLine
LIMIT_BODY_BYTES = 1 << 26


class Headers(dict[str, str]):
    """Header fields under their usual spelling (``If-None-Match``), whatever case was sent.

    Examples
    --------
    >>> Headers([("user-agent", "curl")])["USER-AGENT"]
    'curl'
    """

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__((name.title(), value) for name, value in items)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.title())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name.title() if isinstance(name, str) else name)

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        """Value of one field, or `default`: absent and empty mean the same to a server."""
        return super().get(name.title(), default)


class BadRequestError(ValueError):
    """What came is no HTTP request that this server understands."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True, slots=True)
class Request:
    """One request, routed to the real host that it means.

    ``path`` is decoded and starts with a slash; ``prefix`` is what a link within the host needs in front of
    it ("" under the real name, ``/host`` where the host is the first path component), ``base`` the address
    that stands for ``https://`` of a known host in answers (None: they stay as they are). ``connection`` is
    one number for all requests of a connection, the client's port.
    """

    method: str
    host: str
    path: str
    query: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    prefix: str = ""
    base: str | None = None
    origin: str = ""
    keep_alive: bool = True
    connection: int = 0

    @property
    def parameters(self) -> dict[str, str]:
        """First value of every query parameter."""
        return {name: values[0] for name, values in parse_qs(self.query, keep_blank_values=True).items()}

    @property
    def place(self) -> str:
        """``host/path``, which patterns of faults and of the log are matched against."""
        return self.host + self.path

    def accepts_gzip(self) -> bool:
        """Whether the client said that it takes a gzip-encoded body."""
        for part in self.headers.get("Accept-Encoding").split(","):
            coding, _, weight = part.strip().partition(";")
            if coding.strip().lower() == "gzip":
                return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        return False


@dataclass(kw_only=True, slots=True)
class Response:
    """An answer: a status, header fields in order, and a body from memory or from a file."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    file: Path | None = None
    ranges: bool = False  # whether Range is honoured

    def header(self, name: str) -> str | None:
        """First value of a field, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


def json_response(
    request: Request,
    value: object,
    *,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (),
    zipped: bool = False,
) -> Response:
    """Answer with JSON, its links to known hosts turned towards this server.

    With `zipped` the body is gzip-encoded for clients that take it, as UniProt and AlphaFold DB do.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    body = text.encode("utf-8", errors="surrogatepass")
    if request.base is not None:
        body = rewrite_links(body, request.base)
    fields = [("Content-Type", "application/json"), *headers]
    if zipped:
        fields.append(("Vary", "Accept-Encoding"))
        if request.accepts_gzip():
            body = gzip.compress(body, compresslevel=1, mtime=0)
            fields.append(("Content-Encoding", "gzip"))
    return Response(status=status, headers=fields, body=body)


def html_page(status: int, title: str, text: str, *, server: str = "Apache") -> Response:
    """A short HTML page, as front ends and Apache give instead of data."""
    body = (
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'
        f"<html><head>\n<title>{title}</title>\n</head><body>\n<h1>{title}</h1>\n<p>{text}</p>\n</body></html>\n"
    )
    return Response(
        status=status,
        headers=[("Server", server), ("Content-Type", "text/html; charset=iso-8859-1")],
        body=body.encode("utf-8", errors="replace"),
    )


def phrase(status: int) -> str:
    """Reason phrase of a status, also of ones that the standard does not know."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class RequestReader:
    """Reads requests off one connection, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def _more(self) -> bool:
        data = self._connection.recv(65536)
        self._buffer += data
        return bool(data)

    def head(self) -> tuple[str, str, str, Headers] | None:
        """Method, target, version and fields of the next request; None when the client has gone."""
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > LIMIT_HEAD_BYTES:
                raise BadRequestError("request header too long")
            if not self._more():
                return None
        head, self._buffer = self._buffer[:end], self._buffer[end + 4 :]
        line, *fields = head.lstrip(b"\r\n").split(b"\r\n")
        words = line.decode("latin-1").split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequestError("malformed request line")
        if len(line) > LIMIT_FIELD_BYTES:
            raise BadRequestError("request line too long", status=414)
        return words[0], words[1], words[2], Headers(map(_field, fields))

    def body(self, headers: Headers) -> bytes:
        """Body of the request whose fields were just read."""
        if headers.get("Transfer-Encoding"):
            raise BadRequestError("a chunked request body is not taken here", status=411)
        length = headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > LIMIT_BODY_BYTES:
            raise BadRequestError("unacceptable Content-Length", status=413)
        if int(length) and headers.get("Expect").lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self._buffer) < int(length):
            if not self._more():
                raise BadRequestError("request body ended early")
        body, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        return body


def _field(line: bytes) -> tuple[str, str]:
    if len(line) > LIMIT_FIELD_BYTES:
        raise BadRequestError("Size of a request header field exceeds server limit.")
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or not name or name != name.strip():
        raise BadRequestError("malformed header field")
    return name, value.strip()


def decode_path(raw: str) -> str:
    """Path with its percent signs resolved; bytes that are no UTF-8 survive as surrogates."""
    return unquote(raw, errors="surrogateescape")
