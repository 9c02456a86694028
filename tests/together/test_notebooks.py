"""The libraries' own notebooks run from top to bottom, and what they show is right."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]


def _run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Execute a notebook in a folder that has the examples, with this environment's programs on the path."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for path in (ROOT / "examples").iterdir():
        (folder / path.name).symlink_to(path)
    notebook = nbformat.reads((ROOT / "examples" / name).read_text(), as_version=4)  # type: ignore[no-untyped-call]
    assert all(not cell.get("outputs") for cell in notebook.cells), "committed with outputs"
    where = {"metadata": {"path": folder}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    return notebook


def _said(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.slow
def test_the_notebook_of_empiarreader_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = _run("run_empiarreader.ipynb", tmp_path, monkeypatch)
    said = _said(notebook)
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]

    assert "12 micrographs" in said
    assert "98304 bytes in 1 request for a corner of (64, 64)" in said
    assert "2.86 Å a pixel" in said
    assert "('frame', 'y', 'x') (4, 64, 96) uint8" in said
    assert len(list((tmp_path / "downloads").glob("*_gain.tiff.bz2"))) == 2
    assert pictures, "the thumbnail was not shown"
    assert "3 micrographs; go on with: relion_run_ctffind --i micrographs.star" in said
    assert (tmp_path / "project" / "workflow.json").is_file()


@pytest.mark.slow
def test_the_notebook_of_profet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = _said(_run("run_profet.ipynb", tmp_path, monkeypatch))

    assert "4v1w: 4v1w.cif," in said
    assert "P45523: p45523_1q6u.cif," in said
    assert "asked again: 0 requests" in said
    assert "541 residues, 524 without the signal peptide" in said
    assert "signal peptide: 85 atoms of chain A removed, whole residues: 17" in said
    assert "chain A has residues 26 to 153 of the protein by reference; nothing was removed" in said
    assert "85 lines are missing, 0 are new" in said
    assert "low confidence: 85 atoms of chain A removed, whole residues: 17" in said
    assert "does not say that it is a predicted model" in said
    assert "9zzz -> the PDB has no entry 9zzz" in said
    assert (tmp_path / "structures" / "4v1w_nohydrogens_nowater_nohetatm_chainsA.cif").is_file()
