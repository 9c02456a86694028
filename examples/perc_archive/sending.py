"""The bytes of an answer on their way out: by sendfile where it can be, paced, and counted as they leave."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections.abc import Iterable

from perc_archive.journal import Entry, Journal
from perc_archive.ranges import FileSlice, Segment
from perc_archive.shaping import Pace

_STALL_SECONDS = 600.0
_MORE = getattr(socket, "MSG_MORE", 0)
_HAS_SENDFILE = hasattr(os, "sendfile")


class GoneError(Exception):
    """The connection is of no further use: the client left, or a fault wants it closed."""


class Sender:
    """Sends one answer over one connection."""

    def __init__(self, connection: socket.socket, pace: Pace, entry: Entry) -> None:
        self._connection = connection
        self._by_file = _HAS_SENDFILE and not isinstance(connection, ssl.SSLSocket)
        self._pace = pace
        self._entry = entry

    def send(self, head: bytes, segments: Iterable[Segment], limit: int) -> None:
        """Send the header and at most `limit` bytes of the body."""
        left = limit
        for segment in segments:
            if left <= 0:
                break
            if isinstance(segment, bytes):
                count = self._send_bytes(head, segment[:left])
            else:
                self._send_head(head)
                count = self._send_slice(segment, min(left, segment.length))
            head = b"" if count else head
            left -= count
        if head:
            self._connection.sendall(head)

    def _send_head(self, head: bytes) -> None:
        """Send a header that a file follows: in one packet with its first bytes, if that can be."""
        if not self._by_file:
            self._connection.sendall(head)
            return
        view = memoryview(head)
        while view:
            view = view[self._connection.send(view, _MORE) :]

    def _send_bytes(self, head: bytes, body: bytes) -> int:
        for at in range(0, len(body), self._pace.chunk):
            chunk = body[at : at + self._pace.chunk]
            self._pace.wait(len(chunk))
            self._connection.sendall(head + chunk)
            head = b""
            self._entry.sent += len(chunk)
        return len(body)

    def _send_slice(self, piece: FileSlice, count: int) -> int:
        sent = 0
        descriptor = os.open(piece.path, os.O_RDONLY)
        try:
            while sent < count:
                wanted = min(self._pace.chunk, count - sent)
                self._pace.wait(wanted)
                sent += self._send_chunk(descriptor, piece.offset + sent, wanted)
        finally:
            os.close(descriptor)
        return sent

    def _send_chunk(self, descriptor: int, offset: int, wanted: int) -> int:
        if self._by_file:
            done = os.sendfile(self._connection.fileno(), descriptor, offset, wanted)
        else:
            data = os.pread(descriptor, wanted, offset)
            self._connection.sendall(data)
            done = len(data)
        if done == 0:
            raise GoneError("the file became shorter while it was sent")
        self._entry.sent += done
        return done


def hang(connection: socket.socket, entry: Entry, journal: Journal) -> None:
    """Send nothing more until the client leaves, the log is cleared, or ten minutes are over."""
    journal.stall(entry)
    waiting = select.poll()
    waiting.register(connection, select.POLLIN)
    deadline = time.monotonic() + _STALL_SECONDS
    while time.monotonic() < deadline and entry.generation == journal.generation:
        if waiting.poll(50):
            return  # it closed, or sent something that will not be answered
