"""Files asked for before the last is written, from a near server that answers as it likes."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empiarreader import download
from empiarreader.downloading.parts import PartFile
from empiarreader.downloading.states import Layout
from empiarreader.network.answers import FileVersion

# What passes: everything is there in the end.
PASSING = (
    "redirect", "busy", "broken", "hangs up", "resets", "garbage", "whole file", "without a length",
    "in chunks", "too few", "half and reset", "surplus", "in bits", "closes quietly", "closes and says so",
)  # fmt: skip
REFUSED = ("gone", "elsewhere")
BLOCK = hashlib.shake_256(b"block").digest(3_000_000)


def body(number: int, size: int) -> bytes:
    """Return a body that no other file has."""
    return (b"%04d" % number + BLOCK[number : number + size])[:size]


def version_of(content: bytes) -> FileVersion:
    """Return the version that the server calls it."""
    return FileVersion(size=len(content), etag=f'"{hashlib.sha256(content).hexdigest()[:16]}"')


class OddServer:
    """A server; ``answer`` says how it answers the n-th question for a file, None as it should."""

    def __init__(self, files: Mapping[str, bytes], answer: Callable[[str, int], str | None]) -> None:
        self.files, self.answer = files, answer
        self.questions: Counter[str] = Counter()
        self.connections = 0
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base = f"http://127.0.0.1:{self._listening.getsockname()[1]}/empiar/world_availability"
        threading.Thread(target=self._listen, daemon=True).start()

    def urls(self) -> list[str]:
        """Return the addresses of all files."""
        return [f"{self.base}/10934/data/{name}" for name in self.files]

    def close(self) -> None:
        """Take no more connections."""
        socket.socket.shutdown(self._listening, socket.SHUT_RDWR)
        self._listening.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as asked, contextlib.suppress(OSError):
            while question := asked.readline():
                method, target, _ = question.decode().split()
                headers = {}
                while header := asked.readline().strip():
                    name, _, value = header.decode().partition(":")
                    headers[name.lower()] = value.strip()
                if not self._reply(line, method, target.rpartition("/")[2], headers):
                    return

    def _reply(self, line: socket.socket, method: str, target: str, headers: Mapping[str, str]) -> bool:
        """Answer; return whether the connection stays open."""
        name = target.partition("?")[0]
        with self._lock:
            self.questions[name] += 1
            manner = self.answer(name, self.questions[name])
        if (short := _short_answer(manner, name)) is not None:
            line.sendall(short if method != "HEAD" else short.partition(b"abc")[0])
            return True
        if manner == "resets":
            return _reset(line)
        if manner == "hangs up":
            return False
        head, data = self._whole_or_part(name, headers, is_whole=manner == "whole file")
        if manner == "in chunks":
            chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
            line.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
            return True
        if manner == "closes and says so":
            head += b"Connection: close\r\n"
        if manner != "without a length":
            head += b"Content-Length: %d\r\n" % len(data)
        self._send_body(line, head + b"\r\n", b"" if method == "HEAD" else data, manner)
        if manner == "half and reset":
            return _reset(line)
        return manner not in {"closes quietly", "closes and says so", "without a length", "too few"}

    def _whole_or_part(self, name: str, headers: Mapping[str, str], *, is_whole: bool) -> tuple[bytes, bytes]:
        content = self.files[name]
        tag = version_of(content).etag
        head = f"ETag: {tag}\r\n"
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
        if asked is None or is_whole or headers.get("if-range", tag) != tag:
            return f"HTTP/1.1 200 OK\r\n{head}".encode(), content
        first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
        if first >= len(content):
            return f"HTTP/1.1 416 No\r\nContent-Range: bytes */{len(content)}\r\n".encode(), b"no such range"
        part = f"Content-Range: bytes {first}-{last}/{len(content)}\r\n"
        return f"HTTP/1.1 206 Partial\r\n{head}{part}".encode(), content[first : last + 1]

    def _send_body(self, line: socket.socket, head: bytes, data: bytes, manner: str | None) -> None:
        if manner == "in bits":
            for k in range(0, len(head), 7):
                line.sendall(head[k : k + 7])
            for k in range(0, len(data), max(1, len(data) // 5)):
                line.sendall(data[k : k + max(1, len(data) // 5)])
            return
        keep = {"too few": max(0, len(data) - 3), "half and reset": len(data) // 2}.get(
            manner or "", len(data)
        )
        line.sendall(head + data[:keep] + (b"and more of it" if manner == "surplus" else b""))


def _short_answer(manner: str | None, name: str) -> bytes | None:
    """Return an answer that is the same whatever was asked."""
    return {
        "redirect": b"HTTP/1.1 307 There\r\nLocation: %b?there\r\nContent-Length: 3\r\n\r\nabc"
        % name.encode(),
        "elsewhere": b"HTTP/1.1 302 There\r\nLocation: http://else.where/\r\nContent-Length: 0\r\n\r\n",
        "busy": b"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 3\r\n\r\nabc",
        "broken": b"HTTP/1.1 500 Broken\r\nContent-Length: 3\r\n\r\nabc",
        "gone": b"HTTP/1.1 404 Gone\r\nContent-Length: 3\r\n\r\nabc",
        "garbage": b"\x00\xff no answer at all\r\n\r\n",
    }.get(manner or "")


def _reset(line: socket.socket) -> bool:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


@contextlib.contextmanager
def _serving(
    files: Mapping[str, bytes], answer: Callable[[str, int], str | None] = lambda name, count: None
) -> Iterator[OddServer]:
    server = OddServer(files, answer)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMPIARREADER_ARCHIVE_URL", server.base)
        yield server
    server.close()


@settings(max_examples=25)
@given(data=st.data())
def test_however_a_near_server_answers_no_file_gets_the_bytes_of_another(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.sampled_from([0, 1, 500, 8192, 10_000, 10_001, 2_500_000]), max_size=25))
    files = {f"{k}.mrc": body(k, size) for k, size in enumerate([10_000, *sizes])}
    odd = data.draw(
        st.dictionaries(st.sampled_from(sorted(files)), st.sampled_from(PASSING + REFUSED), max_size=8)
    )
    begun = data.draw(st.dictionaries(st.sampled_from(sorted(files)), st.booleans(), max_size=4))

    def answer(name: str, count: int) -> str | None:
        return odd.get(name) if count == 1 or odd.get(name) in REFUSED else None

    with (
        _serving(files, answer) as server,
        TemporaryDirectory() as folder,
    ):
        for name, is_same in begun.items():
            _begin(Path(folder), f"{server.base}/10934/data/{name}", files[name] if is_same else b"old" * 100)
        done = download(server.urls(), folder, workers=data.draw(st.sampled_from([1, 2, 16])))
        saved = {path.name: path.read_bytes() for path in Path(folder).glob("*.mrc")}
        left = [path for path in Path(folder).iterdir() if path.suffix in {".part", ".state"}]

    failed = {failure.url.rpartition("/")[2] for failure in done.failures}
    # What an earlier job began and this one cannot have is kept.
    kept = {Path(path.name.rpartition(".part")[0]).stem for path in left}
    assert kept <= failed & set(begun)
    assert failed == {name for name, manner in odd.items() if manner in REFUSED}
    assert saved == {name: content for name, content in files.items() if name not in failed}


def _begin(folder: Path, url: str, content: bytes) -> None:
    """Leave a part as a job that was killed does, of a third of the file."""
    part = PartFile(folder / url.rpartition("/")[2], url)
    part.begin(version_of(content), Layout.of([len(content)]))
    part.write(0, 0, memoryview(content[: len(content) // 3]))
    part.keep()


def test_answers_that_nobody_wants_cost_no_connection(tmp_path: Path) -> None:
    files = {f"{k}.mrc": body(k, 0 if k % 2 else 3000) for k in range(40)}
    manners = ("redirect", "gone", None)
    with _serving(files, lambda name, count: manners[int(name[:-4]) % 3] if count == 1 else None) as server:
        first = download(server.urls(), tmp_path, workers=1)
        again = download(server.urls(), tmp_path, workers=1)

    assert len(first.failures) == 13
    assert not again.failures
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.mrc")} == files
    assert server.connections == 2  # one for each
