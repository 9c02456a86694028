"""The command line tells what files hold, without waiting for torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from caked import __version__
from caked.cli import main, printable
from mrc_vectors import mrc_bytes, sample_array


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "apo_1.mrc").write_bytes(mrc_bytes(sample_array(2, (6, 4)), voxel_size=(1.0, 1.25, 1.25)))
    (tmp_path / "holo_1.mrcs").write_bytes(
        mrc_bytes(sample_array(12, (3, 6, 4)), mode=12, cell=(0.0, 0.0, 0.0))
    )
    np.save(tmp_path / "holo_2.npy", np.zeros((2, 2)))
    return tmp_path


def test_inspect_prints_a_line_for_each_file_and_the_classes(folder: Path) -> None:
    done = _run("inspect", folder)
    lines = done.stdout.splitlines()

    assert done.exit_code == 0
    assert lines[0] == f"{folder}/apo_1.mrc  6 x 4  float32  1 x 1.25 x 1.25 Å  class apo"
    assert lines[1].endswith("holo_1.mrcs  3 x 6 x 4  float16  voxel size not stated  class holo")
    assert lines[-1] == "3 files of 3 shapes; 2 classes by prefix: apo 1, holo 2"


def test_inspect_prints_json_lines(folder: Path) -> None:
    done = _run("inspect", folder, "--json", "--pattern", "apo*")
    assert json.loads(done.stdout) == {
        "path": str(folder / "apo_1.mrc"),
        "format": "mrc",
        "shape": [6, 4],
        "dtype": "float32",
        "voxel_size_angstrom": [1.0, 1.25, 1.25],
        "size_bytes": 1024 + 96,
        "compression": None,
        "class": "apo",
    }


def test_the_exit_status_tells_what_went_wrong(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "folder").mkdir()
    damaged = tmp_path / "damaged.mrc"
    damaged.write_bytes(b"no image")

    for arguments, status, said in (
        (["inspect", tmp_path / "gone"], 3, "no file or folder"),
        (["inspect", empty], 3, "holds no file"),
        (["inspect", damaged], 5, "is corrupted."),
        (["inspect", folder / "apo_1.mrc", damaged], 1, "is corrupted."),
        (["inspect"], 2, "Missing argument"),
        (["preview"], 2, "No such command"),
    ):
        done = _run(*arguments)
        assert done.exit_code == status, arguments
        assert said in done.stderr
    assert "apo_1.mrc" in _run("inspect", folder / "apo_1.mrc", damaged).stdout


def test_help_opens_with_an_example_and_the_version_is_told() -> None:
    assert "caked inspect particles/ --json" in _run("--help").stdout
    assert "caked inspect maps/" in _run("inspect", "--help").stdout
    assert _run("--version").stdout.split() == ["caked,", "version", __version__]


def test_control_characters_of_a_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "apo\x1b[31m_1.mrc"
    path.write_bytes(mrc_bytes(sample_array(2)))
    assert "\x1b" not in _run("inspect", tmp_path).stdout
    assert printable("ü x\n") == "ü x\\n"


def test_nothing_here_waits_for_torch(run_python: Callable[[str], str], folder: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from caked.cli import main; "
        f"r = CliRunner().invoke(main, ['inspect', {str(folder)!r}]); assert r.exit_code == 0, r.output; "
        "print(sorted({'torch', 'torchvision', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert run_python(code).strip() == "[]"
