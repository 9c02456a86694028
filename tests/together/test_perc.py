"""The main job, as program and notebook: small where only its course matters, whole where its score does."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
PERC = ROOT / "examples" / "perc.py"
PICTURES = ("micrograph.png", "batch.png", "training.png", "confusion.png")
SMALL = ("--images", "30", "--epochs", "2")


def _run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True)


def _notebook() -> Any:
    return nbformat.reads((ROOT / "examples" / "perc.ipynb").read_text(), as_version=4)  # type: ignore[no-untyped-call]


def _check_pictures(folder: Path, names: tuple[str, ...] = PICTURES) -> None:
    for name in names:
        assert (folder / name).read_bytes().startswith(b"\x89PNG"), name
        assert (folder / name).stat().st_size > 5000


@pytest.mark.slow
def test_the_program_leaves_pictures_a_recipe_and_a_summary(tmp_path: Path) -> None:
    done = _run(sys.executable, str(PERC), "--output", str(tmp_path / "out"), *SMALL)
    summary = (tmp_path / "out" / "summary.md").read_text()
    recipe = json.loads((tmp_path / "out" / "recipe.json").read_text())

    assert done.returncode == 0, done.stderr
    _check_pictures(tmp_path / "out")
    assert "p05067_nosignal1to17_nohydrogens_nowater_nohetatm.cif" in summary
    assert "p45523_1q6u.cif" in summary
    assert "recipe.json makes the same batches again, bit for bit" in summary
    assert re.search(r"held-out accuracy \d\.\d\d, majority baseline \d\.\d\d", done.stdout)
    assert "perc_sources:open_entry" in json.dumps(recipe)
    downloaded = sorted(path.name for path in (tmp_path / "out" / "downloads").rglob("*.mrcs"))
    assert len(downloaded) == 20  # five stacks a class; the other entry was streamed
    assert not list((tmp_path / "out").rglob("*.part"))


@pytest.mark.slow
@pytest.mark.real_data
def test_the_program_runs_on_real_files(tmp_path: Path, real_data: Path) -> None:
    done = _run(
        sys.executable, str(PERC), "--real", str(real_data), "--output", str(tmp_path / "out"), *SMALL
    )
    summary = (tmp_path / "out" / "summary.md").read_text()

    assert done.returncode == 0, done.stderr
    _check_pictures(tmp_path / "out", (*PICTURES, "real_images.png"))
    assert "p05067_nosignal1to17_nohydrogens_nowater_nohetatm.cif" in summary
    assert "EMD-3001.map: 73 × 25 × 43 voxels of 0.46, 0.39, 0.45 Å" in summary
    assert "7 particles of EMPIAR-10076" in summary


@pytest.mark.slow
def test_live_runs_at_the_real_host_names(tmp_path: Path, demo_content: Path) -> None:
    done = _run(
        *(sys.executable, "-m", "perc_archive", "--content", str(demo_content), "--as-hosts", "--"),
        *(sys.executable, str(PERC), "--live", "--output", str(tmp_path / "out"), "--epochs", "2"),
        env={"PYTHONPATH": str(ROOT / "examples")},
    )

    assert done.returncode == 0, done.stderr
    _check_pictures(tmp_path / "out")
    for entry in ("EMPIAR-11924", "EMPIAR-12002", "EMPIAR-10943"):
        assert entry in done.stdout
    assert "7qk5.cif" in done.stdout
    assert not list((tmp_path / "out").rglob("*.mrc*"))


def test_live_without_a_network_says_so_in_one_sentence(tmp_path: Path) -> None:
    done = _run(
        *("unshare", "--user", "--map-root-user", "--net", sys.executable, str(PERC), "--live"),
        *("--output", str(tmp_path / "out")),
        env={"PROFET_TIMEOUT": "2"},
    )

    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert re.search(r"perc: .*(reach|ask|network|connect)", done.stderr)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--live", "--real", "."), "--live and --real exclude one another"),
        (("--real", "/no/such/folder"), "does not exist"),
        (("--images", "many"), "not a valid integer"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    done = _run(sys.executable, str(PERC), "--output", str(tmp_path / "out"), *arguments)

    assert done.returncode == 2
    assert sentence in done.stderr


@pytest.mark.slow
def test_the_notebook_runs_and_its_network_tells_the_molecules_apart(tmp_path: Path) -> None:
    notebook = _notebook()
    for path in (ROOT / "examples").iterdir():
        (tmp_path / path.name).symlink_to(path)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    score = re.search(r"held-out accuracy (\d\.\d\d), majority baseline (\d\.\d\d)", said)

    assert score is not None
    assert float(score[1]) >= 0.7
    assert float(score[2]) < 0.35
    _check_pictures(tmp_path / "perc_output")


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = _notebook()

    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
