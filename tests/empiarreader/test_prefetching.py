"""What is fetched ahead of time is there on a machine without a network, and the command line tells of it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from click.testing import CliRunner

import empiarreader
from empiarreader import EmpiarEntry, EmpiarSource, InvalidRequestError, ServiceError
from empiarreader.cli import main
from imagic_bytes import imagic_pair
from perc_archive import Archive


@pytest.fixture
def stacks(archive: Archive, tmp_path: Path) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    made, files = {}, {}
    for k in range(3):
        values = np.random.default_rng(k).normal(size=(4, 20, 30)).astype(np.float32)
        with mrcfile.new(tmp_path / f"a b{k}.mrc") as mrc:
            mrc.set_data(values)
        made[f"data/mics/a b{k}.mrc"] = values
        files[f"data/mics/a b{k}.mrc"] = (tmp_path / f"a b{k}.mrc").read_bytes()
    archive.add_entry(10934, files)
    return made


def test_a_source_works_offline_after_its_prefetch(
    archive: Archive,
    stacks: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = empiarreader.prefetch(EmpiarSource(10934, "data/mics", filename="a b[01].mrc"))
    assert len(found.paths) == 2
    assert found.failures == ()
    assert found.size_bytes == sum(path.stat().st_size for path in found.paths)
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")
    before = len(archive.requests())
    source = EmpiarSource(10934, "data/mics", filename="a b*.mrc")

    assert source.npartitions == 3
    np.testing.assert_array_equal(source.partition(1)[2].values, stacks["data/mics/a b1.mrc"][2])
    assert EmpiarEntry(10934).title
    with pytest.raises(ServiceError, match=r"b2\.mrc is not in the cache"):
        source.partition(2)
    assert len(archive.requests()) == before


@pytest.mark.parametrize("packed", [False, True])
def test_the_header_beside_an_imagic_file_is_fetched_with_it(
    archive: Archive, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    head, pixels = imagic_pair(images)
    body = {"data/a.img.gz": gzip.compress(pixels)} if packed else {"data/a.img": pixels}
    archive.add_entry(10091, {"data/a.hed": head, **body})
    found = empiarreader.prefetch(EmpiarSource(10091, "data"))
    assert [path.name.removesuffix(".gz") for path in found.paths] == ["a.img", "a.hed"]
    assert found.failures == ()
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")

    np.testing.assert_array_equal(EmpiarSource(10091, "data").read(0), images)


def test_what_is_there_and_unchanged_is_not_fetched_again(archive: Archive, stacks: object) -> None:
    files = EmpiarEntry(10934).find("data/**/*.mrc")
    done: list[tuple[int, int]] = []
    empiarreader.prefetch(files, progress=lambda count, total, url: done.append((count, total)))
    assert done == [(1, 3), (2, 3), (3, 3)]
    before = len(archive.requests())
    empiarreader.prefetch(files)

    assert {request.method for request in archive.requests("*.mrc")[-3:]} == {"HEAD"}
    assert len(archive.requests()) - before == 4  # those, and the metadata


def test_one_file_that_fails_stops_no_other(stacks: object) -> None:
    urls = [file.url for file in EmpiarEntry(10934).find("data/**/*.mrc")]
    found = empiarreader.prefetch([urls[0], urls[0].replace("b0", "none"), urls[1]])

    assert len(found.paths) == 2
    assert [failure.url for failure in found.failures] == [urls[0].replace("b0", "none")]
    with pytest.raises(FileNotFoundError):
        found.raise_for_failures()


def test_more_than_the_cache_may_hold_is_refused_before_anything_moves(
    archive: Archive, stacks: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_CACHE_SIZE", "20 kB")
    files = EmpiarEntry(10934).find("data/**/*.mrc")

    with pytest.raises(InvalidRequestError, match="EMPIARREADER_CACHE_SIZE"):
        empiarreader.prefetch(files)
    assert all(request.method == "HEAD" for request in archive.requests("*.mrc"))


def test_the_command_line_prefetches_lists_and_clears(stacks: object) -> None:
    run = CliRunner()
    done = run.invoke(main, ["prefetch", "10934", "data/**/*.mrc", "--limit", "2", "--json"])
    assert done.exit_code == 0, done.output
    paths = [Path(json.loads(line)["path"]) for line in done.stdout.splitlines()]
    assert [path.name for path in paths] == ["a b0.mrc", "a b1.mrc"]
    listed = run.invoke(main, ["cache", "ls", "--json"])
    assert {json.loads(line)["path"] for line in listed.stdout.splitlines()} == {str(path) for path in paths}
    assert "2 files" in listed.stderr
    assert "a%20b0.mrc" in run.invoke(main, ["cache", "ls"]).stdout
    cleared = run.invoke(main, ["cache", "clear"])
    assert cleared.exit_code == 0
    assert not any(path.exists() for path in paths)
    assert run.invoke(main, ["cache", "ls"]).stdout == ""
    assert run.invoke(main, ["prefetch", "10934", "data/none*"]).exit_code == 3


def test_a_compute_node_reads_what_the_login_node_fetched(stacks: object) -> None:
    entry = subprocess.run(
        [sys.executable, "-m", "empiarreader.cli", "prefetch", "10934", "data/mics/*.mrc"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "3 files" in entry.stderr
    script = (
        "import empiarreader, fsspec\n"
        "source = empiarreader.EmpiarSource(10934, 'data/mics', filename='*.mrc')\n"
        "print(source.to_dask().raster.shape, float(source.read_partition(2).mean()))\n"
        "print(len(fsspec.filesystem('empiar').find('10934/data/mics')))\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "EMPIARREADER_OFFLINE": "1"},
    ).stdout  # fmt: skip
    assert said.startswith("(3, 4, 20, 30) ")
    assert said.endswith("\n3\n")
