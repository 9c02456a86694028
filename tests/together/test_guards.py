"""What holds for every library: how it is packaged, what it exports, what importing it costs."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("profet", "empiarreader", "caked")
HEAVY = ("torch", "torchvision", "xarray", "dask", "pandas", "Bio", "tifffile", "numpy")


def _loaded_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running ``code``."""
    report = "; import sys; print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_from_its_own_source_tree(library: str) -> None:
    module = importlib.import_module(library)

    assert Path(str(module.__file__)).parent == ROOT / library / "src" / library


@pytest.mark.parametrize("library", LIBRARIES)
def test_all_lists_exactly_the_public_names(library: str) -> None:
    module = importlib.import_module(library)
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    code = (
        f"import types, {library}\n"
        f"for name, value in vars({library}).items():\n"
        f"    own = getattr(value, '__module__', '{library}').startswith('{library}')\n"
        "    name.startswith('_') or isinstance(value, types.ModuleType) or not own or print(name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not missing
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(done.stdout.split()) - set(module.__all__) <= {"annotations", "TYPE_CHECKING"}
    assert set(module.__all__) <= set(dir(module))


@pytest.mark.parametrize("library", ["profet", "empiarreader"])
def test_importing_a_library_loads_nothing_heavy(library: str) -> None:
    loaded = _loaded_after(f"import {library}")

    assert library in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_command_line_of_caked_answers_without_torch() -> None:
    code = (
        "from click.testing import CliRunner; from caked.cli import main; "
        "said = CliRunner().invoke(main, ['--help']); assert said.exit_code == 0, said.output"
    )
    loaded = _loaded_after(code)

    assert "caked" in loaded
    assert loaded.isdisjoint({"torch", "torchvision"})


def test_importing_caked_leaves_torchvision_alone() -> None:
    assert "torchvision" not in _loaded_after(
        "import caked; [getattr(caked, name) for name in caked.__all__]"
    )


@pytest.mark.parametrize("library", LIBRARIES)
def test_importing_has_no_side_effects(library: str, tmp_path: Path) -> None:
    code = (
        "import os, random, socket\n"
        "def refuse(*a, **k): raise AssertionError('network at import')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "before = random.getstate(), set(os.listdir('.')), dict(os.environ)\n"
        f"import {library}\n"
        "assert (random.getstate(), set(os.listdir('.')), dict(os.environ)) == before\n"
    )
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_distribution_has_its_papers(library: str) -> None:
    folder = ROOT / library
    licence = (folder / "LICENSE").read_text()

    assert licence.startswith("BSD 3-Clause" if library == "empiarreader" else "MIT License")
    for name in ("README.md", "CHANGELOG.md", "CITATION.cff", f"src/{library}/py.typed"):
        assert (folder / name).is_file(), name
