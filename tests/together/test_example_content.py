"""The content of the examples has what the libraries can ask of a structure."""

from __future__ import annotations

from pathlib import Path

from perc_archive import Archive
from profet import Fetcher


def test_structures_have_assemblies_too(demo_archive: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)

    path, data = fetcher.get_file("4v1w", "pdb", filesave=True, assembly=1)

    assert (Path(path or "").name, data) == ("4v1w-assembly1.pdb", fetcher.get_file("4v1w", "pdb")[1])
