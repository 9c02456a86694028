"""Servers that answer in ways the embedded archive does not: each answer is refused, none becomes pixels."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import resource
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from urllib3.exceptions import SSLError

from empiarreader import ArchiveFileNotFoundError, FileChangedError, ServiceError, download, open_image
from empiarreader.catalogue.online import search_online
from empiarreader.network.ranges import FileVersion, ask_version, fetch_loose, fetch_range
from empiarreader.network.transport import _lost_connection, stated_length
from perc_archive import Archive

BODY = bytes(range(256)) * 400
Headers = dict[str, str]
Script = Callable[[int, str | None], tuple[int, Headers, bytes]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Script], str]]:
    """Start a server whose answers a function makes from the number of the request and its range."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(script: Script) -> str:
        count = iter(range(10**6))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, headers, body = script(next(count), self.headers.get("Range"))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                # A length that is not that of the body is never made up for: there the connection ends.
                self.close_connection = headers.get("Content-Length", str(len(body))) != str(len(body))

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        base = f"http://127.0.0.1:{server.server_address[1]}/empiar"
        monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", base)
        return f"{base}/10934/a.mrc"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _read(url: str, start: int = 1000, length: int = 100, known: FileVersion | None = None) -> bytes:
    buffer = bytearray(length)
    _, count = fetch_range(url, start, memoryview(buffer), known=known)
    return bytes(buffer[:count])


def _range(first: int, last: int, size: int | str = len(BODY)) -> Headers:
    return {"Content-Range": f"bytes {first}-{last}/{size}"}


ODD: dict[str, tuple[int, Headers, bytes]] = {
    "another range": (206, _range(0, 99), BODY[:100]),
    "a longer range": (206, _range(1000, 1199), BODY[1000:1200]),
    "a shorter range": (206, _range(1000, 1049), BODY[1000:1050]),
    "no range said": (206, {}, BODY[1000:1100]),
    "a size unknown": (206, _range(1000, 1099, "*"), BODY[1000:1100]),
    "nonsense": (206, {"Content-Range": "pixels 1-2"}, BODY[1000:1100]),
    "several ranges": (
        206,
        {"Content-Type": "multipart/byteranges; boundary=x", **_range(1000, 1099)},
        BODY[:100],
    ),
    "compressed": (206, {"Content-Encoding": "br", **_range(1000, 1099)}, BODY[:100]),
    "too little": (206, _range(1000, 1099), BODY[1000:1050]),
    "whole without size": (200, {"Content-Length": ""}, BODY),
}


@pytest.mark.parametrize("name", ["another range", "too little"])
def test_an_answer_that_is_not_the_range_is_refused_after_five_times(
    serve: Callable[[Script], str], name: str
) -> None:
    asked = []

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        asked.append(wanted)
        return ODD[name]

    with pytest.raises(ServiceError):
        _read(serve(script))
    assert asked == ["bytes=1000-1099"] * 5


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_odd_answer_once_does_no_harm(
    serve: Callable[[Script], str], answer: tuple[int, Headers, bytes]
) -> None:
    right = (206, _range(1000, 1099), BODY[1000:1100])

    assert _read(serve(lambda number, wanted: right if number else answer)) == BODY[1000:1100]


def test_a_whole_file_of_another_version_is_a_change(
    serve: Callable[[Script], str],
) -> None:
    url = serve(lambda number, wanted: (200, {"ETag": '"new"'}, BODY))

    with pytest.raises(FileChangedError):
        _read(url, known=FileVersion(size=len(BODY), etag='"old"'))


@pytest.mark.parametrize("differs", [True, False])
def test_spans_of_a_file_that_changes_between_them_are_not_put_together(
    serve: Callable[[Script], str], differs: bool
) -> None:
    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        first, last = map(int, (wanted or "").removeprefix("bytes=").split("-"))
        headers = {"ETag": f'"{number if differs else 0}"', **_range(first, last)}
        return 206, headers, BODY[first : last + 1]

    url = serve(script)
    if differs:
        with pytest.raises(FileChangedError, match="changed while it was read"):
            fetch_loose({url: [(0, 10), (50_000, 10)]})
    else:
        found = fetch_loose({url: [(0, 10), (50_003, 10)]})[url]
        assert [bytes(part) for part in found] == [BODY[:10], BODY[50_003:50_013]]


def test_more_than_was_promised_is_not_read(serve: Callable[[Script], str]) -> None:
    url = serve(lambda number, wanted: (206, _range(1000, 1099), BODY[1000:] * 10))

    assert _read(url) == BODY[1000:1100]


def test_redirects_are_followed_but_not_in_circles(serve: Callable[[Script], str]) -> None:
    url = serve(
        lambda number, wanted: (
            (302, {"Location": "/empiar/moved.mrc"}, b"")
            if number == 0
            else (206, _range(1000, 1099), BODY[1000:1100])
        )
    )
    assert _read(url) == BODY[1000:1100]

    circle = serve(lambda number, wanted: (302, {"Location": "/empiar/again.mrc"}, b""))
    with pytest.raises(ServiceError, match="without end"):
        _read(circle)
    away = serve(lambda number, wanted: (301, {"Location": "http://169.254.169.254/secret"}, b""))
    with pytest.raises(ServiceError, match="another host"):
        _read(away)
    gone = serve(lambda number, wanted: (410, {}, b""))
    with pytest.raises(ArchiveFileNotFoundError):
        _read(gone)


def test_a_download_without_a_size_cannot_be_checked_and_is_refused(
    serve: Callable[[Script], str], tmp_path: Path
) -> None:
    url = serve(lambda number, wanted: (200, {"Content-Length": ""}, BODY))
    (failure,) = download([url], tmp_path).failures

    assert "without its size" in str(failure.error)
    assert list(tmp_path.iterdir()) == []


ODD_PARTS: dict[str, tuple[int, Headers, bytes]] = {
    "bytes from further on": (206, {"ETag": '"one"', **_range(100, len(BODY) - 1)}, BODY[100:]),
    "as many bytes from further on": (206, {"ETag": '"one"', **_range(1, 65536)}, BODY[1:65537]),
    "fewer bytes": (206, {"ETag": '"one"', **_range(0, 999)}, BODY[:1000]),
    "fewer bytes than it says": (
        206,
        {"ETag": '"one"', **_range(0, len(BODY) - 1), "Content-Length": "9"},
        BODY[:9],
    ),
    "a range without a length": (
        206,
        {"ETag": '"one"', **_range(0, len(BODY) - 1), "Content-Length": ""},
        BODY,
    ),
    "a page": (206, {"ETag": '"one"', "Content-Type": "text/html", **_range(0, 65535)}, BODY[:65536]),
}


@pytest.mark.parametrize("answer", ODD_PARTS.values(), ids=ODD_PARTS)
def test_nothing_is_used_of_a_download_s_answer_that_is_not_the_range_asked_for(
    serve: Callable[[Script], str], tmp_path: Path, answer: tuple[int, Headers, bytes]
) -> None:
    asked = []

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        asked.append(wanted)
        if number == 0:
            return answer
        first, last = map(int, (wanted or "").removeprefix("bytes=").split("-"))
        last = min(last, len(BODY) - 1)
        return 206, {"ETag": '"one"', **_range(first, last)}, BODY[first : last + 1]

    manifest = download([serve(script)], tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == BODY
    assert manifest.files[0].sha256 == hashlib.sha256(BODY).hexdigest()
    assert asked == [asked[0]] * 2


def test_a_file_without_a_range_to_ask_for_is_empty(serve: Callable[[Script], str], tmp_path: Path) -> None:
    ranges = []

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        ranges.append(wanted)
        return (200, {"ETag": '"e"'}, b"") if wanted is None else (416, {"Content-Range": "bytes */0"}, b"")

    manifest = download([serve(script)], tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == b""
    assert [wanted is None for wanted in ranges] == [False, True]


def test_a_file_that_became_shorter_while_it_was_downloaded_is_begun_again(
    serve: Callable[[Script], str], tmp_path: Path
) -> None:
    short = BODY[:30_000]
    state = {"is_short": False}

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        body, tag = (short, '"two"') if state["is_short"] else (BODY, '"one"')
        first, last = map(int, (wanted or "bytes=0-999999").removeprefix("bytes=").split("-"))
        if first >= len(body):
            return 416, {"Content-Range": f"bytes */{len(body)}"}, b""
        last = min(last, len(body) - 1)
        headers = {"ETag": tag, **_range(first, last, len(body))}
        part = body[first : last + 1]
        if number == 0:  # breaks off in the middle, and then there is another file
            state["is_short"] = True
            return 206, {**headers, "Content-Length": str(len(part))}, part[:50_000]
        return 206, headers, part

    manifest = download([serve(script)], tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == short


def test_what_is_there_is_not_fetched_again_because_its_size_is_not_said(
    serve: Callable[[Script], str], tmp_path: Path
) -> None:
    asked = []

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        asked.append(wanted)
        return 200, {"ETag": '"one"', **({"Content-Length": ""} if number else {})}, b"" if number else BODY

    url = serve(script)
    assert download([url], tmp_path).failures == ()
    (failure,) = download([url], tmp_path).failures

    assert "without its size" in str(failure.error)
    assert (tmp_path / "a.mrc").read_bytes() == BODY
    assert asked[1:] == [None] * len(asked[1:])
    with pytest.raises(ServiceError, match="without its size"):
        ask_version(url)


@pytest.mark.parametrize(
    ("text", "length"),
    [("0", 0), ("12", 12), ("1" * 19, int("1" * 19)), ("9" * 5000, None), ("1" * 20, None), ("-1", None),
     ("+1", None), ("1.0", None), ("1, 1", None), ("٣", None), ("", None)],
)  # fmt: skip
def test_a_length_is_a_whole_number_that_a_file_can_have(text: str, length: int | None) -> None:
    assert stated_length({"Content-Length": text}) == length


def test_the_rest_of_another_version_is_not_appended(serve: Callable[[Script], str], tmp_path: Path) -> None:
    cut = 70_000

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        if number == 0:
            return 200, {"ETag": '"one"', "Content-Length": str(len(BODY))}, BODY[:cut]
        if wanted and number < 3:  # a server that ignores If-Range
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            return 206, {"ETag": '"two"', **_range(first, len(BODY) - 1)}, BODY[::-1][first:]
        return 200, {"ETag": '"two"'}, BODY[::-1]

    url = serve(script)
    manifest = download([url], tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == BODY[::-1]


def test_without_etag_and_date_nothing_is_continued(serve: Callable[[Script], str], tmp_path: Path) -> None:
    ranges = []

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        ranges.append(wanted)
        return 200, {"Content-Length": str(len(BODY))}, BODY[:5000] if number == 0 else BODY

    assert download([serve(script)], tmp_path).failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == BODY
    assert [wanted is None or wanted.startswith("bytes=0-") for wanted in ranges] == [True, True]


def test_a_disk_that_takes_no_more_is_an_error_and_no_loss(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, {"data/a.mrc": BODY})
    url = archive.url("ftp.ebi.ac.uk", "empiar/world_availability/10934/data/a.mrc")
    script = (
        "import resource, signal, sys, empiarreader\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (70001, 70001))\n"
        "manifest = empiarreader.download([sys.argv[1]], sys.argv[2])\n"
        "print(type(manifest.failures[0].error).__name__, manifest.failures[0].error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 70001
    said = subprocess.run(
        [sys.executable, "-c", script, url, str(tmp_path)],
        capture_output=True, text=True, check=True, env=dict(os.environ),
    ).stdout  # fmt: skip

    assert said.startswith("LocalFileError cannot write ")
    assert not (tmp_path / "a.mrc").exists()
    (part,) = tmp_path.glob("*.part")
    assert part.read_bytes() == BODY[:70001]
    assert download([url], tmp_path).failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == BODY
    assert archive.requests("*a.mrc")[-1].range == f"bytes=70001-{len(BODY) - 1}"


def test_offsets_in_a_file_that_could_change_unnoticed_are_not_kept(
    serve: Callable[[Script], str],
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 1200, 1600)).astype(np.uint8)
    movies = [_movie(pixels, rows=100), _movie(pixels[::-1], rows=70)]
    size = max(map(len, movies))
    served = [movie.ljust(size, b"\0") for movie in movies]

    def script(number: int, wanted: str | None) -> tuple[int, Headers, bytes]:
        first, last = map(int, (wanted or "").removeprefix("bytes=").split("-"))
        body = served[0][first : last + 1]
        return 206, _range(first, first + len(body) - 1, size), body

    url = serve(script)
    np.testing.assert_array_equal(open_image(url).values, pixels)
    served.reverse()
    np.testing.assert_array_equal(open_image(url).values, pixels[::-1])


def _movie(pixels: np.ndarray[Any, Any], *, rows: int) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for frame in pixels:
            writer.write(frame, rowsperstrip=rows, metadata=None, photometric="minisblack", contiguous=False)
    return stream.getvalue()


def test_a_server_that_cannot_show_who_it_is_is_not_asked_again() -> None:
    unknown = ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")
    broken = ssl.SSLError("[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol")

    refused = _lost_connection("https://host/a.mrc", SSLError(unknown))
    assert "SSL_CERT_FILE" in str(refused)
    assert not refused.retryable
    assert _lost_connection("https://host/a.mrc", SSLError(broken)).retryable


def test_pages_of_hits_of_other_archives_move_no_hit_twice(
    serve: Callable[[Script], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def script(number: int, requested: str | None) -> tuple[int, Headers, bytes]:
        asked.append(number)
        first = 10_000 + 100 * number
        entries: list[Any] = [
            {"id": f"EMPIAR-{k}", "fields": {"title": "x"}} for k in range(first, first + 99)
        ]
        return 200, {}, json.dumps({"entries": [{"id": "EMD-1", "fields": "none"}, *entries]}).encode()

    monkeypatch.setenv("EMPIARREADER_SEARCH_URL", serve(script).rpartition("/")[0])
    hits = search_online("x", limit=198)

    assert len(hits) == len({hit.entry_id for hit in hits}) == 198
    assert asked == [0, 1]


@pytest.mark.parametrize(
    "answer", [b"[]", b'{"entries": 3}', b'{"entries": ["EMPIAR-10002"]}', b"null", b"<html>"]
)
def test_what_is_no_page_of_hits_is_an_error_of_the_service(
    serve: Callable[[Script], str], monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setenv(
        "EMPIARREADER_SEARCH_URL", serve(lambda number, requested: (200, {}, answer)).rpartition("/")[0]
    )
    with pytest.raises(ServiceError, match="no page of hits"):
        search_online("x")
