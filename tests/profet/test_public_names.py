"""What `import profet` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import profet
import profet.command_line
import profet.profet


def test_all_lists_names_that_exist_once_each_in_order() -> None:
    assert all(hasattr(profet, name) for name in profet.__all__)
    assert sorted(set(profet.__all__)) == profet.__all__
    assert {*profet.__all__, "cache", "pdb"} < set(dir(profet))
    with pytest.raises(AttributeError, match="'profet' has no attribute 'Fetchr'"):
        profet.Fetchr  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("module", ["alphafold", "cache", "cleaver", "enums", "pdb", "profet"])
def test_each_published_module_is_there_where_nothing_else_was_imported(module: str) -> None:
    code = f"import profet; assert profet.{module}.__name__ == 'profet.{module}'"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_the_published_modules_are_there_after_a_plain_import() -> None:
    published = (
        profet.cache.PDBFileCache,
        profet.pdb.PDB_DB,
        profet.alphafold.Alphafold_DB,
        profet.cleaver.Cleaver,
        profet.enums.FileType,
        profet.command_line.main,
    )
    assert all(map(callable, published))
    assert profet.profet.Fetcher is profet.Fetcher
    assert profet.__version__ != "unknown"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["get", "--help"], ["cache", "ls"], ["completion", "bash"]]
)
def test_a_command_waits_only_for_what_it_needs(arguments: list[str], tmp_path: Path) -> None:
    code = (
        f"import sys; from profet.cli import main; main({arguments!r}); "
        "heavy = {'profet.fetcher', 'profet.cleaning.clean', 'requests', 'Bio', 'numpy'} & set(sys.modules); "
        "assert not heavy, heavy"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], env={"HOME": str(tmp_path)}, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_importing_loads_nothing_heavy_asks_nobody_and_makes_no_folder(tmp_path: Path) -> None:
    code = (
        "import sys, profet; assert not [name for name in sys.modules if name.startswith('profet.')]; "
        "profet.Fetcher(); "
        "heavy = {'numpy', 'Bio', 'requests', 'urllib3', 'click', 'socket', 'ssl'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    environment = {"HOME": str(tmp_path), "PATH": ""}

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
