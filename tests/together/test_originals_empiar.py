"""Ours beside empiarreader 0.0.17, command by command; each difference has its reason in the docs."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import empiar_calls
import published
from perc_archive import Archive

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/explanation/empiarreader-differences.md"
# What empiarreader 0.0.17 prints, writes and returns, by the name of the call in `empiar_calls`.
THEIRS: dict[str, Any] = json.loads((ROOT / "tests/support/empiarreader_0_0_17.json").read_text())
STAR = "FoilHole_11150003_Data_11149703_20200917_100003_EER.star"
XML = "@/10934/10934.xml"

NAMES = "Patterns are about names"
KEEP_ALL = "`--keep_all` keeps all"
SAVED = "A saved search holds files"
ENDS = "What failed has failed"
FETCHED = "Files are fetched by the program itself"
ERRORS = "Errors say what is wrong"
# What ours does where that is something else, and the heading in the documentation that says why.
OURS: dict[str, tuple[Any, str]] = {
    "search: a glob of a name": ({"prints": [XML], "ends": 0}, NAMES),
    "search: a regular expression of a name": ({"prints": [XML], "ends": 0}, NAMES),
    "search: --keep_all": (
        {
            "prints": [
                "@/10934/",
                *(f"@/10934/data/?C={key}" for key in ("D;O=A", "M;O=A", "N;O=D", "S;O=A")),
                "@/10934/data/CL44-1_20201106_111915/",
            ],
            "ends": 0,
        },
        KEEP_ALL,
    ),
    "search: --keep_all, verbose": (
        {
            "prints": [
                "Matching path #0: @/10934/",
                "Matching path #1: @/10934/data/?C=D;O=A",
                "Matching path #2: @/10934/data/?C=M;O=A",
                "Matching path #3: @/10934/data/?C=N;O=D",
                "Matching path #4: @/10934/data/?C=S;O=A",
                "Matching path #5: @/10934/data/CL44-1_20201106_111915/",
                "Subdirectories are: @/10934/data/CL44-1_20201106_111915",
            ],
            "ends": 0,
        },
        KEEP_ALL,
    ),
    "search: saved with directories": ({"prints": [XML, "@/10934/data/"], "ends": 0, "saved": [XML]}, SAVED),
    "search: nothing found": ({"prints": [], "ends": 3}, ENDS),
    "search: no such directory": ({"prints": [], "ends": 3}, ENDS),
    "search: no such entry": ({"prints": [], "ends": 3}, ENDS),
    "search: a prefix": (
        {"prints": [XML, "@/10934/data/"], "ends": 0},
        "Entries may be written as EMPIAR does",
    ),
    "search: a broken expression": ({"prints": [], "ends": 2}, ENDS),
    "search: into a folder that is not there": ({"prints": [], "ends": 1}, ENDS),
    "download, verbose": (
        {
            "prints": [
                "Created save_dir: saved",
                "Finished 1 of 1: @/10943/MOTION/FoilHole_11150003_Data_11149703_20200917_100003_EER.mrc",
            ],
            "ends": 0,
            "files": {"FoilHole_11150003_Data_11149703_20200917_100003_EER.mrc": "9abc4cdb"},
        },
        FETCHED,
    ),
    "download twice": ({"prints": [], "ends": 0, "files": {STAR: "02508d9b"}}, "Nothing is fetched twice"),
    "download of what is not there": ({"prints": [], "ends": 1, "files": {STAR: "02508d9b"}}, ENDS),
    "download with options cut short": ({"prints": [], "ends": 2}, ENDS),
    "what intake added": ({"raised": ["AttributeError"]}, "intake is not involved"),
    "the imageset's metadata, before": ({}, "Metadata are there when they are asked for"),
    "a table": (["rlnImageSizeX"], "Tables are read"),
    "a table's file": (f"@/10943/MOTION/{STAR}", "Tables are read"),
    "a source without a pattern": (
        [
            ["frame", "y", "x"],
            [15, 128, 128],
            "float16",
            "da9126ea",
            [1.43, 1.43, 1.43],
            ["frame", "x", "y"],
            "@/11924/data/Particles/4v1w_001.mrcs",
        ],
        "Without a pattern there are images",
    ),
    "a directory that is not there": ({"raised": ["FileNotFoundError", "OSError"]}, ERRORS),
    "an entry that is not there": ({"raised": ["LookupError"]}, ERRORS),
}


def with_single_slashes(answer: Any) -> Any:
    """Without --dir, and with slashes at its ends, the original doubles slashes in addresses."""
    return json.loads(re.sub(r"(?<!:)//", "/", json.dumps(answer)))


@pytest.mark.parametrize("name", THEIRS)
def test_ours_answers_as_the_original_or_as_the_documentation_says(
    name: str, demo_archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(empiar_calls, "ARCHIVE", os.environ["EMPIARREADER_ARCHIVE_URL"])
    ours = empiar_calls.run(name, tmp_path / "folder")

    expected, heading = OURS.get(name, (with_single_slashes(THEIRS[name]), "Addresses have single slashes"))
    assert ours == expected
    assert f"\n## {heading}\n" in PAGE.read_text()


def _answers(python: Path | str, content: Path, folder: Path) -> Any:
    return published.answers(python, "empiar_calls.py", THEIRS, content=content, folder=folder)


@pytest.mark.full
def test_the_original_answers_as_it_is_said_to_and_ours_differs_in_nothing_else(
    demo_content: Path, tmp_path: Path
) -> None:
    theirs = _answers(published.originals() / "python", demo_content, tmp_path / "theirs")
    ours = _answers(sys.executable, demo_content, tmp_path / "ours")

    assert theirs == THEIRS
    assert {name for name in THEIRS if with_single_slashes(theirs[name]) != ours[name]} == set(OURS)
    for name, (answer, _) in OURS.items():
        assert ours[name] == answer
