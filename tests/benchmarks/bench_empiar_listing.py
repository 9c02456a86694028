"""How fast is a large directory page read, and how fast are many directories listed?"""

from __future__ import annotations

import html
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from perc_archive import Archive
from published import originals
from tests.benchmarks.bench_empiar_frame import race
from tests.benchmarks.tables import Table

LATENCY_SECONDS = 0.05
CONNECTIONS = 16
OURS = """
import json, sys, time
from empiarreader.listing.pages import parse_listing
page = open(sys.argv[1]).read()
began = time.perf_counter()
found = parse_listing(page)
print(json.dumps({"seconds": time.perf_counter() - began, "value": len(found)}))
"""
BS4 = """
import json, sys, time
from bs4 import BeautifulSoup
page = open(sys.argv[1]).read()
began = time.perf_counter()
found = [link.get("href") for link in BeautifulSoup(page, "html.parser").find_all("a")]
found = [href for href in found if not href.startswith(("?", "/"))]
print(json.dumps({"seconds": time.perf_counter() - began, "value": len(found)}))
"""


def make_page(path: Path, names: int) -> None:
    """Write a page as Apache makes it, of a directory with that many files."""
    rows = []
    for k in range(names):
        name = f"FoilHole_{k:07d}_Data & more #{k}.tiff"
        rows.append(
            '<tr><td valign="top"><img src="/icons/image2.gif" alt="[IMG]"></td><td>'
            f'<a href="{quote(name)}">{html.escape(name)}</a></td><td align="right">2021-03-04 05:06  </td>'
            '<td align="right">543M</td><td>&nbsp;</td></tr>\n'
        )
    head = (
        '<html><head><title>Index of /data</title></head><body><table><tr><th><a href="?C=N;O=D">Name</a>'
        '</th></tr><tr><td><a href="/empiar/">Parent Directory</a></td></tr>\n'
    )
    path.write_text(f"{head}{''.join(rows)}</table></body></html>")


def measure(
    folder: Path, *, names: int = 20_000, directories: int = 600, times: int = 5, with_peers: bool = True
) -> Table:
    """Best seconds for the page, beside BeautifulSoup, and for listing directories at 50 ms."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "page.html"
    make_page(page, names)
    table = Table("How fast are directories listed?", ["what", "reader", "seconds", "that is … times ours"])
    runners: list[dict[str, Any]] = [
        {"name": "empiarreader", "command": [sys.executable, "-c", OURS, str(page)]}
    ]
    if with_peers:
        peer = str(originals() / "python")
        runners.append(
            {"name": "BeautifulSoup (empiarreader 0.0.17)", "command": [peer, "-c", BS4, str(page)]}
        )
    results = race(runners, 1 if with_peers else times)  # half a minute and more for BeautifulSoup
    ours = results["empiarreader"][0]["seconds"]
    for name, runs in results.items():
        assert runs[0]["value"] == names
        best = runs[0]["seconds"]
        table.rows.append([f"a page of {names} names", name, f"{best:.3f}", f"{best / ours:.0f}"])
    _add_walks(table, folder / "walks", directories, times)
    table.notes = (
        f"The walk has {LATENCY_SECONDS * 1000:.0f} ms a request and {CONNECTIONS} connections; the ideal is "
        "the number of directories, divided by the connections, times the latency."
    )
    return table


def _add_walks(table: Table, folder: Path, directories: int, times: int) -> None:
    from empiarreader.listing.tree import EntryTree

    data = folder / "ftp.ebi.ac.uk" / "empiar" / "world_availability" / "10002" / "data"
    for k in range(directories):
        (data / f"GridSquare_{k:04d}").mkdir(parents=True)
        for n in range(10):
            (data / f"GridSquare_{k:04d}" / f"movie_{n}.tif").touch()
    with Archive(content=folder, ftp=False, latency_seconds=LATENCY_SECONDS) as archive:
        base = archive.url("ftp.ebi.ac.uk", "empiar/world_availability")
        tree = EntryTree(base, 10002, max_age_seconds=0)
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            count = len(tree.files())
            seconds.append(time.perf_counter() - began)
            assert count == 10 * directories
    listed = directories + 2
    ideal = -(-listed // CONNECTIONS) * LATENCY_SECONDS
    best = min(seconds)
    what = f"{listed} directories"
    table.rows.append([what, "empiarreader", f"{best:.3f}", "1"])
    table.rows.append([what, f"ideal of {CONNECTIONS} connections", f"{ideal:.3f}", f"{ideal / best:.2f}"])
