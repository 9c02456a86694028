"""What goes wrong on the way: whatever happens, a file is whole and the source's, or it is a listed error.

The whole versions (300 ids, every misbehaviour by itself, 20 kills, eight processes) are marked ``full``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import Fetcher, housekeeping
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, uniprot_record

SEQUENCE = protein(20)
RESIDUES = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)]
CIF = to_mmcif(Sample(polymers=[Polymer(name="A", sequence=SEQUENCE, residues=RESIDUES)]), name="NAME")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

# Every misbehaviour of the archive; `omit` is of listings, which are not asked for here.
FAULTS: dict[str, dict[str, object]] = {
    "stall": {"kind": "stall", "after_bytes": 1000},
    "drop": {"kind": "drop", "after_bytes": 1000},
    "too many requests": {"kind": "status", "status": 429, "retry_after": "0"},
    "server error": {"kind": "status", "status": 500},
    "unavailable": {"kind": "status", "status": 503},
    "ignore_range": {"kind": "ignore_range"},
    "html": {"kind": "html"},
    "wrong_length": {"kind": "wrong_length"},
    "gzip": {"kind": "gzip"},
    "refuse": {"kind": "refuse"},
}


def body(name: str) -> bytes:
    """A structure of some kilobytes that do not compress, other ones for each name."""
    lines = (f"# {hashlib.sha256(f'{name}{n}'.encode()).hexdigest()}\n" for n in range(80))
    return CIF.replace(b"NAME", name.encode()) + "".join(lines).encode()


def fill(archive: Archive, number: int) -> dict[str, bytes]:
    """Serve structures: of six ids four are PDB entries, one a protein with an entry, one with a model.

    Returns what each id should bring.
    """
    expected: dict[str, bytes] = {}
    for n in range(number):
        tail = f"{LETTERS[n // 26 % 26]}{LETTERS[n % 26]}"
        accession, pdb_id = f"P{n % 10}{tail}{n // 10 % 10}{n % 10}", f"{1 + n // 676}{tail}X"
        if n % 6 == 4:
            pdb_id = f"{pdb_id[0]}{tail}Z"
            record = uniprot_record(accession, SEQUENCE, pdb=[(pdb_id, "1.00 A", "A=1-20")])
            archive.add_uniprot(accession, record)
        if n % 6 == 5:
            archive.add_uniprot(accession, uniprot_record(accession, SEQUENCE, in_alphafold=True))
            archive.add_alphafold(accession, cif=body(accession), sequence=SEQUENCE)
            expected[accession] = body(accession)
        else:
            archive.add_structure(pdb_id, cif=body(pdb_id))
            expected[accession if n % 6 == 4 else pdb_id] = body(pdb_id)
    assert len(expected) == number
    return expected


def misbehave(archive: Archive, kinds: Sequence[str], *, one_in: int = 5) -> None:
    """On one request in so many; several kinds take turns, out of step with one another."""
    steps = [one_in * len(kinds) + shift for shift in range(len(kinds))]
    for name, every in zip(kinds, steps, strict=True):
        archive.add_fault(**FAULTS[name], times=None, every=every)  # type: ignore[arg-type]


def assert_nothing_partial(expected: dict[str, bytes], folder: Path) -> int:
    """All that lies under a name is whole, saved files and files of the cache; returns how many are saved."""
    bodies = set(expected.values())
    saved = [path for path in folder.glob("*.cif") if not path.name.startswith(".")]
    for path in saved:
        assert path.read_bytes() in bodies, path
    for entry, problem in housekeeping.verify(folder):
        assert problem in (None, "its sidecar is missing"), (entry.path, problem)
        if entry.name.endswith(".cif"):
            assert gzip.decompress(entry.path.read_bytes()) in bodies
    return len(saved)


def run_under_faults(archive: Archive, kinds: Sequence[str], number: int, folder: Path) -> None:
    """A batch under faults, then one in fine weather that brings what is missing and nothing else."""
    expected = fill(archive, number)
    misbehave(archive, kinds)

    results = Fetcher(save_directory=folder).get_files(expected, workers=8)

    assert [result.id for result in results] == list(expected)
    failed = {result.id for result in results if result.error is not None}
    assert len(failed) < 0.1 * number
    for result in results:
        assert (result.path is None) is (result.id in failed)
        if result.path is not None:
            assert result.path.read_bytes() == expected[result.id]
    assert assert_nothing_partial(expected, folder) == number - len(failed)

    fine = Archive()
    with fine:
        fill(fine, number)
        for name, value in fine.settings().items():
            if name.endswith("_URL"):
                os.environ[name] = value
        again = Fetcher(save_directory=folder).get_files(expected, workers=8)
        assert all(result.error is None for result in again)
        assert len(fine.requests("files.rcsb.org/*")) <= len(failed)
    assert assert_nothing_partial(expected, folder) == number


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stalls are given up soon; the cache, and where files are saved, is a folder of its own."""
    monkeypatch.setenv("PROFET_TIMEOUT", "0.5")
    monkeypatch.setenv("PROFET_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_under_all_faults_at_once_files_are_whole_or_listed_errors(archive: Archive, impatient: Path) -> None:
    run_under_faults(archive, list(FAULTS), 60, impatient)


@pytest.mark.full
@pytest.mark.parametrize("kind", [*FAULTS, "all"])
def test_under_each_fault_files_are_whole_or_listed_errors(
    kind: str, archive: Archive, impatient: Path
) -> None:
    run_under_faults(archive, list(FAULTS) if kind == "all" else [kind], 300, impatient)


def start(ids: Path, *more: str) -> subprocess.Popen[bytes]:
    """Fetch in a process of its own."""
    command = [sys.executable, "-m", "profet", "get", "--from", str(ids), "--quiet", *more]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def run_with_kills(archive: Archive, number: int, kills: int, folder: Path) -> None:
    """Kill a batch at random moments and start it again, then let it finish."""
    expected = fill(archive, number)
    ids = folder.with_name("ids.txt")
    ids.write_text("\n".join(expected))
    archive.shape(latency_seconds=0.02)
    moments = random.Random(3)
    for _ in range(kills):
        before = len(archive.requests())
        job = start(ids)
        deadline = time.monotonic() + 20
        while len(archive.requests()) == before and job.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)  # the program needs a moment until it asks anything
        time.sleep(moments.uniform(0.0, 0.25))
        job.send_signal(signal.SIGKILL)
        job.wait()
        assert_nothing_partial(expected, folder)

    begin = time.monotonic()
    assert start(ids).wait(120) == 0
    assert time.monotonic() - begin < 30  # nobody waits for the dead
    assert assert_nothing_partial(expected, folder) == number
    for result in Fetcher().get_files(expected):
        assert result.path is not None
        assert result.path.read_bytes() == expected[result.id]


def test_killed_and_started_again_files_are_whole(archive: Archive, impatient: Path) -> None:
    run_with_kills(archive, 60, 3, impatient)


@pytest.mark.full
def test_killed_at_twenty_moments_files_are_whole(archive: Archive, impatient: Path) -> None:
    run_with_kills(archive, 300, 20, impatient)


def run_side_by_side(archive: Archive, number: int, processes: int, folder: Path) -> Counter[str]:
    """Several processes on the same ids; returns how often each file was asked for."""
    expected = fill(archive, number)
    ids = folder.with_name("ids.txt")
    ids.write_text("\n".join(expected))
    jobs = [start(ids, "-d", str(folder.with_name(f"saved{n}"))) for n in range(processes)]

    assert [job.wait(300) for job in jobs] == [0] * processes
    for n in range(processes):
        saved = folder.with_name(f"saved{n}")
        assert assert_nothing_partial(expected, saved) == number
    assert assert_nothing_partial(expected, folder) == 0
    assert list((folder / ".profet/claims").iterdir()) == []
    structures = ("files.rcsb.org", "alphafold.ebi.ac.uk")
    return Counter(request.path for request in archive.requests() if request.host in structures)


def test_of_several_processes_one_downloads_a_file(archive: Archive, impatient: Path) -> None:
    asked = run_side_by_side(archive, 40, 3, impatient)

    assert set(asked.values()) == {1}


@pytest.mark.full
def test_of_eight_processes_one_downloads_a_file(archive: Archive, impatient: Path) -> None:
    asked = run_side_by_side(archive, 300, 8, impatient)

    assert set(asked.values()) == {1}


@pytest.mark.full
def test_eight_processes_under_faults_leave_whole_files(archive: Archive, impatient: Path) -> None:
    expected = fill(archive, 300)
    ids = impatient.with_name("ids.txt")
    ids.write_text("\n".join(expected))
    misbehave(archive, list(FAULTS))
    jobs = [start(ids) for _ in range(8)]

    assert {job.wait(500) for job in jobs} <= {0, 1}
    assert assert_nothing_partial(expected, impatient) > 290


FULL_DISK = """
mount -t tmpfs -o size={size}k none "$1" || exit 99
PROFET_CACHE_DIR="$1" "$3" -m profet get --from "$2/ids.txt" --quiet
code=$?
PROFET_CACHE_DIR="$1" "$3" -m profet cache verify --json > "$2/verified.jsonl" 2> /dev/null
cp -a "$1/." "$2/copy/"
exit $code
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="a small disk needs unshare (Linux)")
def test_a_full_disk_is_one_clear_error_and_nothing_is_lost(archive: Archive, tmp_path: Path) -> None:
    expected = fill(archive, 60)
    (tmp_path / "ids.txt").write_text("\n".join(expected))
    for name in ("disk", "copy"):
        (tmp_path / name).mkdir()
    command = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else [])]
    script = FULL_DISK.replace("{size}", "400")
    shell = ["sh", "-c", script, "sh", str(tmp_path / "disk"), str(tmp_path), sys.executable]
    done = subprocess.run([*command, *shell], capture_output=True, text=True)
    if done.returncode in (99, 127) or "unshare" in done.stderr:
        pytest.skip(f"no disk of its own can be mounted here: {done.stderr.strip()}")

    first, second, *others = done.stderr.splitlines()
    assert done.returncode == 1
    assert first.endswith("of 60 failed:")
    assert "No space left on device" in second
    assert "Traceback" not in done.stderr
    assert others == []
    saved = assert_nothing_partial(expected, tmp_path / "copy")
    assert 0 < saved < 60
    records = list(map(json.loads, (tmp_path / "verified.jsonl").read_text().splitlines()))
    assert {record["problem"] for record in records} <= {None, "its sidecar is missing"}
    assert len(archive.requests("files.rcsb.org/*")) < 50  # the rest was not asked for


def test_a_file_longer_than_the_limit_is_an_error_and_the_others_come(
    archive: Archive, impatient: Path
) -> None:
    archive.add_structure("1AAA", cif=body("1AAA"))
    archive.add_structure("2AAA", cif=body("2AAA") * 40)
    code = (
        "import resource, profet; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
        "a, b = profet.Fetcher().get_files(['2aaa', '1aaa'], workers=1); "
        "assert 'File too large' in str(a.error) and b.error is None, (a, b)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert (impatient / "1aaa.cif").read_bytes() == body("1AAA")
    assert not list(impatient.glob("*2aaa*"))
    assert [problem for _, problem in housekeeping.verify()] == [None, None]


def test_a_batch_does_not_hold_the_files_in_memory(archive: Archive, impatient: Path) -> None:
    large = body("NAME") * 200  # a megabyte, of which every copy would count
    for n in range(100, 140):
        archive.add_structure(f"9{LETTERS[n % 26]}{n % 100:02}", cif=large.replace(b"NAME", str(n).encode()))
    code = (
        "import resource, profet, sys\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "fetcher, ids = profet.Fetcher(), sys.argv[1:]\n"
        "fetcher.get_files(ids[:8], workers=4)\n"
        "before = peak()\n"
        "results = fetcher.get_files(ids, workers=4)\n"
        "assert all(result.path for result in results), results\n"
        "print(peak() - before)\n"
    )
    ids = [f"9{LETTERS[n % 26]}{n % 100:02}" for n in range(100, 140)]

    done = subprocess.run([sys.executable, "-c", code, *ids], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 15  # 32 more files of a megabyte came, and each would be there twice
