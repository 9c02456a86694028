"""Ours beside profet 1.0.6, call by call; each difference has its reason in the documentation."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import profet_calls
import published
from perc_archive import Archive

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/explanation/profet-differences.md"

RUNTIME_ERROR = {"raised": ["RuntimeError"]}
# What profet 1.0.6 returns, by the name of the call in `profet_calls`; checksums are left out.
THEIRS: dict[str, Any] = {
    "entry": [None, "data_4V1W"],
    "entry type": "str",
    "entry in capitals as pdb, saved": ["4v1w.pdb", "TITLE", "TITLE"],
    "entry by FileType": ["7qk5.pdb", "TITLE", "TITLE"],
    "protein": ["p45523_1q6u.cif", "data_1Q6U", "data_1Q6U"],
    "protein as pdb": ["p45523_1q6u.pdb", "TITLE", "TITLE"],
    "protein in small letters": ["p45523_1q6u.cif", "data_1Q6U", "data_1Q6U"],
    "model only": RUNTIME_ERROR,
    "db=alphafold": "data_1Q6U",
    "default database": ["pdb", "alphafold", "data_1Q6U"],
    "default database that is none": RUNTIME_ERROR,
    "databases of an entry": ["pdb"],
    "databases of a protein": ["pdb"],
    "databases of a model": [],
    "from one database": ["P45523_1Q6U", "cif"],
    "two proteins in turn": "P02791_1Q6U",
    "history": {"4v1w": ["pdb"], "P45523": ["pdb"]},
    "origin": ["alphafold", "data_4V1W"],
    "nonsense": RUNTIME_ERROR,
    "unknown entry": RUNTIME_ERROR,
    "entry of a protein": "1Q6U",
    "is in the PDB": [True, False],
    "address of an entry": "https://files.rcsb.org/download/4V1W.cif",
    "address of a model": "https://alphafold.ebi.ac.uk/files/AF-P05067-F1-model_v3.cif",
    "signal peptide": [[1, 25]],
    "no signal peptide": [],
    "cache": [True, False, "4v1w.pdb", "HEADER\n", "1aki.cif", ["4v1w"], "pdb", "pdb"],
    "cache in a new folder": {"raised": ["FileNotFoundError", "OSError"]},
    "cleaned": ["p45523_1q6u_nosignal1to25_nohydrogens_nowater_nohetatm.pdb", "1740 atoms"],
    "cleaned of water": ["p45523_1q6u_nowater.pdb", "2573 atoms"],
    "cleaned of hydrogens": ["p45523_1q6u_nohydrogens.pdb", "2185 atoms"],
    "cleaned of hetero atoms": ["p45523_1q6u_nohetatm.pdb", "2562 atoms"],
    "cleaned mmCIF": {"raised": ["ValueError"]},
    "command line": "Saved 4v1w to '/4v1w.pdb'",
}
# What ours returns where that is something else, and the heading in the documentation that says why.
OURS: dict[str, tuple[Any, str]] = {
    "entry type": ("bytes", "Files are bytes"),
    "model only": (["p05067.cif", "data_AF-P05067-F1", "data_AF-P05067-F1"], "AlphaFold DB is there again"),
    "db=alphafold": ("data_AF-P45523-F1", "AlphaFold DB is there again"),
    "default database": (["pdb", "alphafold", "data_AF-P45523-F1"], "The default database is asked first"),
    "databases of a protein": (["pdb", "alphafold"], "AlphaFold DB is there again"),
    "databases of a model": (["alphafold"], "AlphaFold DB is there again"),
    "two proteins in turn": ("P02791_4V1W", "Each id is looked up for itself"),
    "history": ({"4v1w": ["pdb"], "P45523": ["pdb", "alphafold"]}, "AlphaFold DB is there again"),
    "origin": (["alphafold", "data_AF-P02791-F1"], "The origin recorded is the true one"),
    "address of a model": (
        "https://alphafold.ebi.ac.uk/files/AF-P05067-F1-model_v6.cif",
        "AlphaFold DB is there again",
    ),
    "cache in a new folder": ("/a/b", "Folders are made when they are needed"),
    "cleaned": (
        ["p45523_1q6u_nosignal1to25_nohydrogens_nowater_nohetatm.pdb", "2160 atoms"],
        "Signal peptides go by UniProt numbers",
    ),
    "cleaned of hetero atoms": (
        ["p45523_1q6u_nohetatm.pdb", "2588 atoms"],
        "Modified residues stay in the chain",
    ),
    "cleaned mmCIF": (2155, "mmCIF files are cleaned"),
}


def without_checksums(value: Any) -> Any:
    return json.loads(re.sub(r" [0-9a-f]{8}(?=\")", "", json.dumps(value)))


def agrees(theirs: Any, ours: Any) -> bool:
    """Whether two answers are the same, or what was caught as one error can still be caught as that."""
    if isinstance(theirs, dict) and isinstance(ours, dict) and "raised" in theirs:
        return set(theirs["raised"]) <= set(ours.get("raised", ()))
    return bool(theirs == ours)


@pytest.mark.parametrize("name", THEIRS)
def test_ours_answers_as_the_original_or_as_the_documentation_says(
    name: str, demo_archive: Archive, tmp_path: Path
) -> None:
    ours = without_checksums(profet_calls.run(name, tmp_path / "folder"))

    expected, heading = OURS.get(name, (THEIRS[name], ""))
    # Here the archive goes by its own address; under the real names it is the real one.
    text = json.dumps(ours).replace(f"{demo_archive.base_url}/", "https://")
    assert agrees(expected, json.loads(text))
    assert f"\n## {heading}\n" in PAGE.read_text() or not heading


def _answers(python: Path | str, content: Path, folder: Path) -> Any:
    return published.answers(python, "profet_calls.py", THEIRS, content=content, folder=folder)


@pytest.mark.full
def test_the_original_answers_as_it_is_said_to_and_the_same_bytes_come(
    demo_content: Path, tmp_path: Path
) -> None:
    theirs = _answers(published.originals() / "python", demo_content, tmp_path / "theirs")
    ours = _answers(sys.executable, demo_content, tmp_path / "ours")

    assert without_checksums(theirs) == THEIRS
    assert {name for name in THEIRS if not agrees(theirs[name], ours[name])} == set(OURS)
    for name, (answer, _) in OURS.items():
        assert without_checksums(ours[name]) == answer
