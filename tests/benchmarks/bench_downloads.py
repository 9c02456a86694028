"""How fast do files come onto a disk, beside the programs that people download with?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from perc_archive import Archive
from tests.benchmarks.tables import Table

HOST = "ftp.ebi.ac.uk"
MIB = 1024 * 1024
LATENCY_SECONDS, BYTES_PER_SECOND = 0.05, 20e6
# Seconds inside the running process, processor seconds and the most memory go to standard output.
OURS = """
import json, resource, sys, time
import empiarreader
empiarreader.download
began = time.perf_counter()
manifest = empiarreader.download(open(sys.argv[1]).read().split(), sys.argv[2])
seconds = time.perf_counter() - began
manifest.raise_for_failures()
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss, which counts what the process was forked from.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
used = {"processor": used.ru_utime + used.ru_stime, "kilobytes": int(peak.split()[1])}
print(json.dumps({"seconds": seconds, **used}))
"""
# Times a command, its start included, with what its process used.
TIMED = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
used = {"processor": used.ru_utime + used.ru_stime, "kilobytes": used.ru_maxrss}
print(json.dumps({"seconds": seconds, **used}))
"""
# What it takes the others to have the checksums too: a command, and a second one for the files in a folder.
THEN_HASHED = """
import pathlib, subprocess, sys
subprocess.run(sys.argv[2:], check=True)
files = sorted(pathlib.Path(sys.argv[1]).iterdir())
subprocess.run(["sha256sum", *files], check=True, stdout=subprocess.DEVNULL)
"""


@dataclass(frozen=True)
class Race:
    """Files to fetch: how many, how large, and whether over a link with a round trip and a rate."""

    count: int
    size: int
    shaped: bool
    peers: Sequence[str]
    beside: Sequence[str] = ()  # shown too, but not the best peer

    @property
    def title(self) -> str:
        """The race in words."""
        sizes = f"{self.size / MIB:.0f} MiB" if self.size >= MIB else f"{self.size / 1000:g} kB"
        return f"{self.count} x {sizes}, {'50 ms, 20 MB/s a connection' if self.shaped else 'plain'}"


ALL = ("aria2c", "rclone", "curl -Z", "wget")
RACES = (
    Race(400, 2 * MIB, True, ("aria2c", "rclone", "curl -Z")),
    Race(400, 2 * MIB, False, ALL, beside=("rclone, then sha256sum",)),
    Race(1, 1024 * MIB, True, ("aria2c",)),
    Race(1, 1024 * MIB, False, ("aria2c",)),
    Race(10_000, 10_000, False, ("rclone", "wget")),
    Race(2_000, 10_000, True, ("aria2c", "rclone", "curl -Z")),
)


def make_files(content: Path, race: Race) -> list[str]:
    """Make an entry with the files of a race; return their paths in the archive."""
    entry = content / HOST / "empiar/world_availability" / str(10_000 + race.count)
    block = np.random.default_rng(race.size).bytes(min(race.size, 16 * MIB))
    paths = []
    for k in range(race.count):
        path = entry / f"data/{race.size}/f{k:05d}.mrc"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(k.to_bytes(4, "little"))
            while file.tell() < race.size:
                file.write(block[: race.size - file.tell()])
        paths.append(path.relative_to(content / HOST).as_posix())
    return paths


def commands(folder: Path, target: Path, urls: Sequence[str]) -> Mapping[str, list[str]]:
    """Return what each program is called with to save the addresses in a folder."""
    listed, config, names = folder / "list.txt", folder / "curl.txt", folder / "names.txt"
    listed.write_text("".join(f"{url}\n" for url in urls))
    config.write_text("".join(f'url = "{url}"\noutput = "{target}/{Path(url).name}"\n' for url in urls))
    names.write_text("".join(f"{Path(url).name}\n" for url in urls))
    base = urls[0].rpartition("/")[0] + "/"
    program = Path(sys.executable).with_name("empiarreader")
    rclone = [
        "rclone", "copy", ":http:", str(target), "--http-url", base, "--files-from-raw", str(names),
        "--transfers", "16", "--checkers", "16", "-q", "--config", "/dev/null",
    ]  # fmt: skip
    return {
        "empiarreader": [sys.executable, "-c", OURS, str(listed), str(target)],
        "empiarreader download": [
            str(program), "download", "--download", str(listed), "--save_dir", str(target), "-q",
        ],
        "aria2c": [
            "aria2c", "-q", "-x16", "-s16", "-k1M", "-j16", "--file-allocation=none", "-d", str(target),
            "-i", str(listed),
        ],
        "rclone": rclone,
        "rclone, then sha256sum": [sys.executable, "-c", THEN_HASHED, str(target), *rclone],
        "curl -Z": ["curl", "-sfZ", "--parallel-max", "16", "-K", str(config)],
        "wget": ["wget", "-q", "-i", str(listed), "-P", str(target)],
    }  # fmt: skip


def run_race(folder: Path, race: Race, *, times: int) -> dict[str, dict[str, float]]:
    """Run all in turn, again and again; return of each its quickest run, with the most memory of any."""
    content, saved = folder / "content", folder / "saved"
    paths = make_files(content, race)
    latency, rate = (LATENCY_SECONDS, BYTES_PER_SECOND) if race.shaped else (0.0, None)
    best: dict[str, dict[str, float]] = {}
    with Archive(content=content, ftp=False, latency_seconds=latency, rate_bytes_per_second=rate) as archive:
        urls = [archive.url(HOST, path) for path in paths]
        chosen = ["empiarreader", "empiarreader download", *race.peers, *race.beside]
        for turn in range(times):
            for name in chosen if turn % 2 == 0 else reversed(chosen):
                target = saved / f"{turn} {name}"
                target.mkdir(parents=True)
                command = commands(folder, target, urls)[name]
                said = _run(command, archive, is_timed=name == "empiarreader")
                arrived = sum(_emptied(path) for path in target.glob("f*.mrc"))
                assert arrived == race.count * race.size, (name, arrived)
                best[name] = min(best.get(name, said), said, key=lambda one: one["seconds"])
    shutil.rmtree(content)
    shutil.rmtree(saved)
    return best


def _installed(programs: Sequence[str]) -> Sequence[str]:
    return [name for name in programs if shutil.which(name.split()[0].strip(",")) is not None]


def _emptied(path: Path) -> int:
    """Empty a file, and return how many bytes it had.

    It is not removed: to make files, ext4 searches past all that were removed within the last minute, and
    every run would pay for those before it.
    """
    size = path.stat().st_size
    os.truncate(path, 0)
    return size


def _run(command: list[str], archive: Archive, *, is_timed: bool) -> dict[str, float]:
    words = command if is_timed else [sys.executable, "-c", TIMED, *command]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **archive.settings()})
    if done.returncode != 0:
        raise RuntimeError(f"{command[:2]} ended with {done.returncode}: {done.stderr[-2000:]}")
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def measure(folder: Path, *, races: Sequence[Race] = RACES, times: int = 5) -> Table:
    """Best seconds of each program in each race, and what is said of them in ratios."""
    folder.mkdir(parents=True, exist_ok=True)
    table = Table(
        "How fast do files come onto a disk?",
        [
            "files",
            "program",
            "seconds",
            "as a share of the best peer",
            "processor seconds",
            "most memory, MB",
        ],
    )
    for race in races:
        present = _installed(race.peers)
        results = run_race(folder, replace(race, peers=present, beside=_installed(race.beside)), times=times)
        peer = min((results[name]["seconds"] for name in present), default=float("nan"))
        for name, best in results.items():
            table.rows.append(
                [
                    race.title,
                    name,
                    f"{best['seconds']:.2f}",
                    f"{best['seconds'] / peer:.2f}",
                    f"{best['processor']:.2f}",
                    f"{best['kilobytes'] / 1024:.0f}",
                ]
            )
    table.notes = (
        "`empiarreader` is `empiarreader.download()` timed inside the running process; "
        "all others are commands, their start included. Only empiarreader computes SHA-256 while it saves; "
        "what that takes another program is shown once, and not counted as the best peer. "
        "aria2c has -x16 -s16 -k1M -j16, rclone and curl -Z 16 transfers at once, wget -i one."
    )
    return table
