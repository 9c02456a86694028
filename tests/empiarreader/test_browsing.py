"""The page's server: who is let in, what is served, what a saved selection is worth."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from imagecodecs import png_decode

from empiarreader import EmpiarEntry, LocalFileError, download
from empiarreader.browsing.server import EntryServer
from empiarreader.browsing.view import EntryView
from empiarreader.cli import main
from mrc_vectors import mrc_bytes
from perc_archive import Archive

HOSTILE = ("<img src=x onerror=alert(1)>.mrc", "a b#1?x&y=2 'q\"q.mrc", "Bücher_µm.mrc", "100%25.mrc")


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(10.0, 2.0, shape).astype(np.float32)


class Page:
    """Asks a server what its page would ask."""

    def __init__(self, server: EntryServer) -> None:
        self.server = server

    def raw(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    def get(self, place: str, **question: str) -> tuple[int, Any]:
        asked = "&".join(f"{name}={quote(json.dumps(value), safe='')}" for name, value in question.items())
        answer, content = self.raw(f"/{self.server.token}/{place}?{asked}")
        return answer.status, json.loads(content)

    def save(self, **selection: Any) -> tuple[int, Any]:
        answer, content = self.raw(
            f"/{self.server.token}/api/save",
            method="POST",
            body=json.dumps(selection).encode(),
            Content_Type="application/json",
        )
        return answer.status, json.loads(content)


@pytest.fixture
def files(archive: Archive) -> dict[str, bytes | Path]:
    found: dict[str, bytes | Path] = {
        "data/m/a.mrc": mrc_bytes(_noise(64, 96), voxel_size=(2.0, 2.0, 2.0)),
        "data/m/b.mrc": mrc_bytes(_noise(64, 96)),
        "data/m/notes.txt": b"notes",
        **{f"data/odd/{name}": mrc_bytes(_noise(16, 16)) for name in HOSTILE},
    }
    record = {
        "title": "A <b>title</b>",
        "entry_doi": "10.6019/EMPIAR-10943",
        "imagesets": [{"name": "Set", "directory": "data/m", "category": "micrographs - single frame"}],
    }
    archive.add_entry(10943, found, record)
    archive.add_entry(10944, {"data/secret.mrc": mrc_bytes(_noise(16, 16))})
    return found


@pytest.fixture
def page(files: dict[str, bytes | Path]) -> Iterator[Page]:
    with EntryServer(EmpiarEntry(10943)) as server:
        yield Page(server)


def test_it_listens_on_loopback_alone(page: Page) -> None:
    assert page.server.url.startswith("http://127.0.0.1:")
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in own - {"127.0.0.1"}:
        if not str(address).startswith("127."):
            with socket.socket() as other:
                assert other.connect_ex((str(address), page.server.port)) != 0


def test_who_does_not_know_the_address_gets_nothing(page: Page, archive: Archive) -> None:
    token = page.server.token
    before = len(archive.requests())
    for path in (
        "/",
        "/page.js",
        "/api/entry",
        f"/{token}",
        f"/{token[:-1]}/",
        f"/{token}x/api/entry",
        f"/x/{token}/",
    ):
        answer, content = page.raw(path)
        assert answer.status == 404
        assert token.encode() not in content
    assert len(archive.requests()) == before
    assert len(token) >= 32


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_pages_and_foreign_names_are_turned_away(
    page: Page, headers: dict[str, str], tmp_path: Path
) -> None:
    body = json.dumps({"files": ["data/m/a.mrc"], "directories": []}).encode()
    for method, place in (("GET", ""), ("GET", "api/entry"), ("POST", "api/save")):
        answer, _ = page.raw(
            f"/{page.server.token}/{place}",
            method=method,
            body=body,
            Content_Type="application/json",
            **headers,
        )
        assert answer.status == 403


def test_a_link_to_the_page_may_be_clicked_anywhere(page: Page) -> None:
    followed: dict[str, Any] = {
        "Sec_Fetch_Site": "cross-site",
        "Sec_Fetch_Mode": "navigate",
        "Sec_Fetch_Dest": "document",
    }
    assert page.raw(f"/{page.server.token}/", **followed)[0].status == 200
    assert page.raw(f"/{page.server.token}/api/save", method="POST", body=b"{}", **followed)[0].status == 403


def test_the_page_may_load_nothing_from_elsewhere(page: Page) -> None:
    for place, kind in (("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript")):
        answer, content = page.raw(f"/{page.server.token}/{place}", Host=f"localhost:{page.server.port}")
        assert answer.status == 200
        assert answer.getheader("Content-Type", "").startswith(kind)
        policy = answer.getheader("Content-Security-Policy", "")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.getheader("X-Content-Type-Options") == "nosniff"
        assert answer.getheader("Referrer-Policy") == "no-referrer"
        text = content.decode()
        assert "innerHTML" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    "path",
    ["../10944/data/secret.mrc", "data/../../10944/data/secret.mrc", "/etc/passwd", "data/m/a.mrc\0", "data"],
)
def test_nothing_outside_the_entry_is_served(page: Page, archive: Archive, path: str) -> None:
    for place in ("api/preview", "api/list"):
        status, answer = page.get(place, path=path)
        if (place, path) == ("api/list", "data"):
            assert status == 200
        else:
            assert status in {404, 422}
            assert "error" in answer
    assert page.save(files=[path], directories=[])[0] in {404, 422}
    assert page.get("api/thumbnail", path=path)[1].keys() == {"why"}
    for raw in ("page.html", "../server.py", "%2e%2e/server.py", "page/page.js", "api/../api/entry"):
        assert page.raw(f"/{page.server.token}/{raw}")[0].status == 404
    assert not archive.requests("*10944*")


def test_the_entry_says_what_it_is(page: Page) -> None:
    _, about = page.get("api/entry")

    assert about["title"] == "A <b>title</b>"
    assert about["doi"] == "10.6019/EMPIAR-10943"
    assert about["imagesets"][0]["directory"] == "data/m"


def test_without_metadata_the_files_are_there_all_the_same(page: Page, archive: Archive) -> None:
    archive.add_fault("status", match="www.ebi.ac.uk/*", status=404, times=None)
    archive.add_fault("status", match="*10943.xml", status=404, times=None)

    assert page.get("api/entry")[1]["error"]
    status, listed = page.get("api/list", path="data/m")
    assert (status, len(listed["files"])) == (200, 3)


def test_a_directory_is_listed_when_it_is_asked_for_and_only_that(page: Page, archive: Archive) -> None:
    status, listed = page.get("api/list", path="data")
    assert (status, listed["directories"], listed["files"]) == (200, ["m", "odd"], [])
    assert not archive.requests("*/data/m/*")

    _, listed = page.get("api/list", path="data/m")
    names, sizes, _, _, kinds, images = zip(*listed["files"], strict=True)
    assert names == ("a.mrc", "b.mrc", "notes.txt")
    assert kinds == ("micrographs", "micrographs", "metadata")
    assert images == (True, True, False)
    assert sizes[2] == 5


def test_odd_names_come_back_as_they_are(page: Page) -> None:
    _, listed = page.get("api/list", path="data/odd")
    assert {row[0] for row in listed["files"]} == set(HOSTILE)
    for name in HOSTILE:
        answer, content = page.raw(
            f"/{page.server.token}/api/thumbnail?path={quote(json.dumps(f'data/odd/{name}'), safe='')}"
        )
        assert (answer.status, answer.getheader("Content-Type")) == (200, "image/png")
        assert png_decode(content).shape == (16, 16)


def test_files_are_found_below_a_directory(page: Page) -> None:
    _, found = page.get("api/find", path="data", pattern="**/*.mrc")
    assert {row[0] for row in found["files"]} == {"m/a.mrc", "m/b.mrc", *(f"odd/{name}" for name in HOSTILE)}
    asked = f"path={quote(json.dumps('data'))}&pattern={quote(json.dumps('^m/[ab]'))}&regexp=1"
    _, content = page.raw(f"/{page.server.token}/api/find?{asked}")
    assert [row[0] for row in json.loads(content)["files"]] == ["m/a.mrc", "m/b.mrc"]
    assert (
        page.get("api/find", path="data", pattern="[")[0] == 200
    )  # a glob of one odd name, that is not there
    asked = f"path={quote(json.dumps('data'))}&pattern={quote(json.dumps('(('))}&regexp=1"
    assert page.raw(f"/{page.server.token}/api/find?{asked}")[0].status == 422


def test_a_picture_is_made_once_and_from_a_part(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "large.mrc"
    with path.open("wb") as file:
        from mrc_vectors import mrc_header

        file.write(mrc_header((1, 4096, 4096), mode=2))
        file.truncate(1024 + 4096 * 4096 * 4)
    archive.add_entry(10943, {"data/large.mrc": path})
    with EntryServer(EmpiarEntry(10943)) as server:
        view = server.view
        first = view.thumbnail("data/large.mrc")
        moved = sum(request.body_bytes_sent for request in archive.requests("*large.mrc"))
        assert view.thumbnail("data/large.mrc") == first
        assert sum(request.body_bytes_sent for request in archive.requests("*large.mrc")) == moved
    assert moved <= 1024 + 2**23
    assert max(png_decode(first).shape) <= 160


def test_a_picture_made_once_is_there_in_the_next_run_unless_the_file_has_changed(
    files: dict[str, bytes | Path], archive: Archive
) -> None:
    def picture() -> bytes:
        with EntryServer(EmpiarEntry(10943, max_age_seconds=0)) as server:
            return server.view.thumbnail("data/m/a.mrc")

    first = picture()
    asked = len(archive.requests("*/a.mrc"))
    assert picture() == first
    assert len(archive.requests("*/a.mrc")) == asked

    larger = mrc_bytes(_noise(128, 96))
    archive.add_file("ftp.ebi.ac.uk", "empiar/world_availability/10943/data/m/a.mrc", larger)
    assert png_decode(picture()).shape == (128, 96)


def test_who_looks_at_an_image_does_not_wait_for_small_pictures(archive: Archive) -> None:
    slow = {f"data/slow{k}.mrc": mrc_bytes(_noise(400, 300)) for k in range(3)}
    archive.add_entry(10943, {**slow, "data/a.mrc": mrc_bytes(_noise(16, 16))})
    archive.shape(rate_bytes_per_second=200_000)  # some two seconds each
    view = EntryView(EmpiarEntry(10943))
    view.directory("data")
    making = [threading.Thread(target=view.thumbnail, args=(path,)) for path in slow]
    for thread in making:
        thread.start()
    while len(archive.requests("*/slow*.mrc")) < 3:
        time.sleep(0.01)

    assert view.preview("data/a.mrc")["picture"]["width"] == 16
    assert all(thread.is_alive() for thread in making)
    for thread in making:
        thread.join()


def test_a_preview_says_where_bar_and_rings_go(page: Page) -> None:
    status, seen = page.get("api/preview", path="data/m/a.mrc")

    assert status == 200
    assert seen["picture"]["label"] == "5 nm"
    assert seen["picture"]["bar"] == pytest.approx(50 / (96 * 2.0))
    assert (seen["picture"]["width"], seen["picture"]["height"]) == (96, 64)
    for label, height, width, frequency in seen["spectrum"]["rings"]:
        resolution = float(label.removesuffix(" Å"))
        assert height == width == pytest.approx(2.0 / resolution)
        assert frequency == pytest.approx(1 / resolution)
    assert seen["spectrum"]["frequency"][-1] == pytest.approx(0.25)
    assert page.get("api/preview", path="data/m/notes.txt")[0] >= 400


def test_a_saved_selection_is_downloaded(page: Page, files: dict[str, bytes | Path], tmp_path: Path) -> None:
    status, saved = page.save(files=["data/m/b.mrc", f"data/odd/{HOSTILE[1]}"], directories=["data/m"])
    wanted = ["data/m/a.mrc", "data/m/b.mrc", "data/m/notes.txt", f"data/odd/{HOSTILE[1]}"]

    assert (status, saved["count"], saved["saved"]) == (200, 4, None)
    manifest = download(saved["text"].splitlines(), tmp_path / "here")
    assert not manifest.failures
    assert sorted(file.read_bytes() for file in manifest.paths) == sorted(files[name] for name in wanted)


def test_of_many_files_in_a_directory_that_is_listed_once(archive: Archive) -> None:
    archive.add_entry(10943, {f"data/m/{k:04}.mrc": b"x" for k in range(300)})
    with EntryServer(EmpiarEntry(10943, max_age_seconds=0)) as server:
        status, saved = Page(server).save(
            files=[f"data/m/{k:04}.mrc" for k in range(0, 300, 2)], directories=[]
        )
    assert (status, saved["count"]) == (200, 150)
    assert len(archive.requests("*/data/m/")) == 1


@pytest.mark.parametrize(
    "selection",
    [
        {"files": [], "directories": []},
        {"files": "data"},
        {"files": [1], "directories": []},
        {"files": ["data/none"], "directories": []},
    ],
)
def test_a_selection_that_is_none_is_refused(page: Page, selection: dict[str, Any]) -> None:
    status, answer = page.save(**selection)
    assert status in {404, 422}
    assert answer["error"]


def test_what_is_no_question_is_refused_and_the_server_lives_on(page: Page) -> None:
    place = f"/{page.server.token}/api/save"
    for body, kind in (
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"{}", "text/plain"),
        (b"", ""),
    ):
        assert page.raw(place, method="POST", body=body, Content_Type=kind)[0].status in {400, 404, 422}
    assert (
        page.raw(place, method="POST", Content_Type="application/json", Content_Length="-1")[0].status >= 400
    )
    assert (
        page.raw(place, method="POST", Content_Type="application/json", Content_Length="99999999999")[
            0
        ].status
        == 413
    )
    assert page.raw(f"/{page.server.token}/api/list")[0].status == 400
    assert page.raw(f"/{page.server.token}/api/list?path=data")[0].status == 400
    assert page.raw(f"/{page.server.token}/", method="DELETE")[0].status == 501
    assert page.get("api/entry")[0] == 200


def test_the_selection_is_written_where_the_user_said_and_over_nothing_else(
    files: dict[str, bytes | Path], tmp_path: Path
) -> None:
    mine = tmp_path / "found.txt"
    mine.write_text("mine")
    with pytest.raises(LocalFileError, match="there already"):
        EntryServer(EmpiarEntry(10943), save_search=mine)
    assert mine.read_text() == "mine"

    target = tmp_path / "new.txt"
    with EntryServer(EmpiarEntry(10943), save_search=target) as server:
        page = Page(server)
        assert page.save(files=["data/m/a.mrc"], directories=[])[1]["saved"] == str(target)
        assert target.read_text().endswith("/data/m/a.mrc\n")
        page.save(files=["data/m/b.mrc"], directories=[])
        assert target.read_text().endswith("/data/m/b.mrc\n")
    with EntryServer(EmpiarEntry(10943), save_search=tmp_path / "late.txt") as server:
        (tmp_path / "late.txt").write_text("mine")
        assert Page(server).save(files=["data/m/a.mrc"], directories=[])[0] >= 400
    assert (tmp_path / "late.txt").read_text() == "mine"


def test_a_directory_of_thousands_of_files_is_one_answer(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "10943" / "data"
    folder.mkdir(parents=True)
    for number in range(3_000):
        (folder / f"FoilHole_{number:04}.tiff").touch()
    archive.add_record("empiar", "10943", {})
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path))
    with EntryServer(EmpiarEntry(10943)) as server:
        _, listed = Page(server).get("api/list", path="data")
    assert [row[0] for row in listed["files"]][::2_999] == ["FoilHole_0000.tiff", "FoilHole_2999.tiff"]


def test_the_command_prints_the_address_and_ends_on_ctrl_c(
    files: dict[str, bytes | Path], tmp_path: Path
) -> None:
    code = "from empiarreader.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "browse", "10943"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # Whoever runs the tests in the background may have them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        address = urlsplit(process.stdout.readline().strip())
        connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=30)
        connection.request("GET", address.path)
        assert connection.getresponse().status == 200
        connection.close()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert said.split() == ["Ctrl-C", "ends", "it.", "ended"]


def test_what_cannot_be_browsed_is_said_at_once(files: dict[str, bytes | Path]) -> None:
    assert CliRunner().invoke(main, ["browse", "99999"]).exit_code == 3
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = CliRunner().invoke(main, ["browse", "10943", "--port", str(taken.getsockname()[1])])
    assert done.exit_code == 1
    assert "try another --port" in done.stderr
