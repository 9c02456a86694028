"""How fast does profet fetch structures, with how many requests, and what does asking again cost?"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

from perc_archive import Archive
from tests.benchmarks.tables import Table, run_script

WORKERS = 8
OURS = """
import sys, time, profet
_, database, listed, workers, refresh = sys.argv
ids = open(listed).read().split()
fetcher = profet.Fetcher(database)
start = time.perf_counter()
results = fetcher.get_files(ids, workers=int(workers), refresh=refresh == "refresh")
print(time.perf_counter() - start)
assert not any(result.error for result in results), [result.error for result in results if result.error][:3]
"""
# What the link allows: the same bodies with requests in as many threads, nothing checked and nothing kept.
FLOOR = """
import os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import requests
_, database, listed, workers, _ = sys.argv
ids = open(listed).read().split()
local = threading.local()
def get(pdb_id):
    if not hasattr(local, "session"):
        local.session = requests.Session()
    address = f"{os.environ['PROFET_RCSB_FILES_URL']}/download/{pdb_id}.cif.gz"
    return len(local.session.get(address, timeout=30).content)
start = time.perf_counter()
with ThreadPoolExecutor(int(workers)) as pool:
    assert all(pool.map(get, ids))
print(time.perf_counter() - start)
"""


def structure(name: str) -> bytes:
    """An mmCIF file of some 90 kB, 45 kB compressed: as the entry of a small protein."""
    lines = (f"# {hashlib.sha256(f'{name}{n}'.encode()).hexdigest()}\n" for n in range(1300))
    return f"data_{name}\n#\nloop_\n_atom_site.id\n{''.join(lines)}".encode()


def _fill(archive: Archive, count: int, models: int) -> tuple[list[str], list[str]]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    entries = [f"{1 + n // 676}{letters[n // 26 % 26]}{letters[n % 26]}X" for n in range(count)]
    for name in entries:
        body = gzip.compress(structure(name), compresslevel=1, mtime=0)
        etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        archive.add_file("files.rcsb.org", f"download/{name}.cif.gz", body, headers={"ETag": etag})
    accessions = [f"P{n:05}" for n in range(models)]
    for accession in accessions:
        archive.add_uniprot(accession, _record(accession))
        archive.add_alphafold(accession, cif=structure(accession))
    return entries, accessions


def _record(accession: str) -> dict[str, object]:
    model = {"database": "AlphaFoldDB", "id": accession, "properties": []}
    return {
        "primaryAccession": accession,
        "sequence": {"value": "MKV", "length": 3},
        "features": [],
        "uniProtKBCrossReferences": [model],
    }


def measure(folder: Path, *, count: int = 1000, models: int = 200, times: int = 5) -> Table:
    """Files a second and requests a file, at 50 ms a request, in eight threads; best of `times`, in turn."""
    table = Table(
        f"How fast are {count:,} structures fetched, and what does asking again cost?",
        ["what", "files/s", "requests a file", "of them 304"],
    )
    folder.mkdir(parents=True, exist_ok=True)
    with Archive() as archive:
        names = dict(zip(("pdb", "alphafold"), _fill(archive, count, models), strict=True))
        for database, ids in names.items():
            (folder / database).write_text("\n".join(ids))
        archive.shape(latency_seconds=0.05)
        best: dict[str, tuple[float, int, int]] = {}
        for turn in range(times):
            for label, database, script, mode in (
                ("requests in threads, nothing kept", "pdb", FLOOR, ""),
                ("profet, PDB entries", "pdb", OURS, ""),
                ("profet, again", "pdb", OURS, ""),
                ("profet, again with refresh", "pdb", OURS, "refresh"),
                ("profet, AlphaFold models", "alphafold", OURS, ""),
            ):
                before = len(archive.requests())
                environment = {**archive.settings(), "PROFET_CACHE_DIR": str(folder / f"cache{turn}")}
                arguments = [database, str(folder / database), str(WORKERS), mode]
                seconds = float(run_script(sys.executable, script, *arguments, env=environment))
                log = archive.requests()[before:]
                unchanged = sum(request.status == 304 for request in log)
                best[label] = min(best.get(label, (float("inf"), 0, 0)), (seconds, len(log), unchanged))
                number = len(names[database])
                if turn == times - 1:
                    seconds, asked, unchanged = best[label]
                    row = [label, f"{number / seconds:,.0f}", f"{asked / number:.3f}", str(unchanged)]
                    table.rows.append(row)
    table.notes = (
        f"{WORKERS} threads, 50 ms a request, files of 45 kB compressed; best of {times}, in turn. Every "
        "file profet checks, keeps, notes the origin of, and saves a copy. Of a model AlphaFold DB is asked "
        "twice: its interface for the address, then for the file; UniProt is asked for 1,000 at once."
    )
    return table
