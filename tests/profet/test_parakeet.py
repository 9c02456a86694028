"""How Parakeet calls profet, which must go on working: for text or bytes, and the next type on None."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

import profet
from perc_archive import Archive
from profet_samples import Polymer, Residue, Sample, to_mmcif, to_pdb

SAMPLE = Sample(polymers=[Polymer(name="A", sequence="MK", residues=[Residue(name="M", place=1, number=1)])])


def sample_of(pdb_id: str, folder: Path) -> Path:
    """Write the file of an entry into a folder, in the first format that there is, the way Parakeet does."""
    filename: str | None = None
    filedata: Any = None
    filetype = ""
    for filetype in ("cif", "pdb"):
        filename, filedata = profet.Fetcher().get_file(pdb_id, filetype=filetype)
        if filedata is not None:
            break
    if filedata is None:
        raise RuntimeError(f"No file found for {pdb_id}")
    assert filename is None
    text = filedata if isinstance(filedata, str) else filedata.decode("ascii")
    path = folder / f"{pdb_id}.{filetype}"
    path.write_text(text)
    return path


@pytest.mark.parametrize("pdb_id", ["4v1w", "4V1W"])
def test_parakeet_gets_what_gemmi_reads(pdb_id: str, archive: Archive, tmp_path: Path) -> None:
    import gemmi

    archive.add_structure("4V1W", cif=to_mmcif(SAMPLE, name="4V1W"), pdb=to_pdb(SAMPLE))

    path = sample_of(pdb_id, tmp_path)

    assert path.suffix == ".cif"
    assert gemmi.read_structure(str(path))[0].count_atom_sites() == 4
    assert [request.path for request in archive.requests()] == ["/download/4V1W.cif.gz"]


def test_what_is_nowhere_raises_what_parakeet_expects(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        sample_of("9zzz", tmp_path)


@pytest.mark.real_data
def test_parakeets_own_file_comes_through_byte_for_byte(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    with Archive(real_data=real_data, ftp=False) as archive:
        for name, value in archive.settings().items():
            monkeypatch.setenv(name, value)
        path = sample_of("4v1w", tmp_path)
    assert path.read_bytes() == gzip.decompress((real_data / "profet/4v1w.cif.gz").read_bytes())
    assert sum(line.startswith("ATOM") for line in io.StringIO(path.read_text())) == 32_736
