"""After any cleaning gemmi, biotite and Biopython read the file, and find the same atoms in it."""

from __future__ import annotations

import gzip
import json
import os
import warnings
from pathlib import Path
from typing import Any

import Bio.PDB
import gemmi
import pytest
from biotite.structure.io import pdb as biotite_pdb
from biotite.structure.io import pdbx

from perc_archive import Archive
from profet import CleanOptions, RefusedError, clean
from profet_oracles import check_mmcif, check_pdb
from profet_samples import uniprot_record

pytestmark = pytest.mark.real_data

WAYS: dict[str, dict[str, Any]] = {
    "all": {"hydrogens": True, "water": True, "hetatoms": True},
    "water": {"water": True},
    "hydrogens": {"hydrogens": True},
    "chain": {"chains": "A"},
    "model": {"models": 1, "hydrogens": True},
    "alternatives": {"altlocs": "highest", "water": True},
}
# Every file is cleaned in the first way, and these in all; `make test-full` takes all in all. (All readers
# together take up to two seconds for one file, Biopython most of it.)
IN_ALL_WAYS = ("2y29_updated.cif", "3o5r.cif", "4xoj.pdb")
LARGE = (
    "4v1w.cif",
    "5eil.cif",
    "2BEG.cif",
    "1l2y.pdb",
    "AF-P05067-F1-model_v6.pdb",
    "AF-P05067-2-F1-model_v6.cif",
)


def _cases() -> list[Any]:
    folder = Path(os.environ.get("PERC_REAL_DATA", "/nonexistent")) / "profet"
    names = sorted(path.stem for kind in ("cif", "pdb") for path in folder.glob(f"*.{kind}.gz"))

    def marks(name: str, way: str) -> Any:
        is_usual = name in IN_ALL_WAYS or (way == "all" and name not in LARGE)
        return () if is_usual else pytest.mark.full

    return [
        pytest.param(name, way, id=f"{name}-{way}", marks=marks(name, way))
        for name in names
        for way in WAYS
        if not (way == "chain" and name.startswith("swissmodel"))  # its chains are C and _
    ]


@pytest.mark.parametrize("kind", ["cif", "pdb"])
@pytest.mark.parametrize(
    ("options", "method"),
    [
        (CleanOptions(hydrogens=True), "remove_hydrogens"),
        (CleanOptions(water=True), "remove_waters"),
        (CleanOptions(water=True, hetatoms=True), "remove_ligands_and_waters"),
    ],
)
def test_what_goes_is_what_gemmi_takes_out(
    options: CleanOptions, method: str, kind: str, real_data: Path, tmp_path: Path
) -> None:
    """In every file; gemmi judges by its own reading of entities, its own table of water, and by element."""
    for path in sorted((real_data / "profet").glob(f"*.{kind}.gz")):
        if path.name.removesuffix(".gz") in LARGE:
            continue
        expected = gemmi.read_structure(str(path))
        if kind == "pdb":
            expected.setup_entities()
        getattr(expected, method)()

        report = clean(path, options=options, output=tmp_path / f"cleaned.{kind}")

        assert _atoms(gemmi.read_structure(str(report.path))) == _atoms(expected), path.name


def _atoms(structure: gemmi.Structure) -> list[tuple[Any, ...]]:
    return sorted(
        (model.num, chain.name, str(residue.seqid), residue.name, atom.name, atom.altloc)
        for model in structure
        for chain in model
        for residue in chain
        for atom in residue
    )


def _count_by_gemmi(path: Path) -> int:
    return sum(
        len(residue) for model in gemmi.read_structure(str(path)) for chain in model for residue in chain
    )


def _count_by_biotite(path: Path) -> int:
    """All positions; bonds, which biotite has for one position of each atom only, are read as well."""
    counts = []
    for n in range(1, _biotite(path, None) + 1):
        counts.append(len(_biotite(path, n, altloc="all")))
        assert _biotite(path, n, altloc="first", include_bonds=True).bonds is not None
    return sum(counts)


def _biotite(path: Path, model: int | None, **options: Any) -> Any:
    """One model, or how many there are."""
    if path.suffix == ".cif":
        file = pdbx.CIFFile.read(path)
        return (
            pdbx.get_model_count(file) if model is None else pdbx.get_structure(file, model=model, **options)
        )
    lines = biotite_pdb.PDBFile.read(path)
    return lines.get_model_count() if model is None else lines.get_structure(model=model, **options)


def _count_by_biopython(path: Path) -> int:
    package: Any = Bio.PDB
    parser = package.MMCIFParser if path.suffix == ".cif" else package.PDBParser
    structure = parser(QUIET=True).get_structure("x", str(path))
    return sum(
        len(residue.get_unpacked_list())
        for model in structure
        for chain in model
        for residue in chain.get_unpacked_list()
    )


@pytest.mark.parametrize(("name", "way"), _cases())
def test_three_readers_find_the_atoms_that_the_report_counts(
    name: str, way: str, real_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.decompress((real_data / "profet" / f"{name}.gz").read_bytes()))

    report = clean(path, options=CleanOptions(**WAYS[way]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oddities that the deposited files have
        counts = [_count_by_gemmi(report.path), _count_by_biotite(report.path)]
        if "swissmodel" not in name:  # without B factors, which Biopython does not do without
            counts.append(_count_by_biopython(report.path))
    assert set(counts) == {report.atoms_after}
    _check_rest(path, report.path)


def _check_rest(path: Path, cleaned: Path) -> None:
    """All but the rows that went is as it was, by gemmi's account of categories and by lines."""
    before, after = path.read_bytes(), cleaned.read_bytes()
    if path.suffix == ".cif":
        keys = [
            {
                (row[0], row[1], row[2])
                for row in gemmi.cif.read_string(body.decode())
                .sole_block()
                .find("_atom_site.", ["id", "label_asym_id", "label_seq_id"])
            }
            for body in (before, after)
        ]
        gone = {row[0] for row in keys[0] - keys[1]}
        lost = {row[1:] for row in keys[0]} - {row[1:] for row in keys[1]}
        check_mmcif(before, after, gone, lost)
    elif b"\nMODEL" not in before:
        serials = [
            {line[6:11].strip() for line in body.decode().splitlines() if line[:6] in ("ATOM  ", "HETATM")}
            for body in (before, after)
        ]
        check_pdb(before, after, serials[0] - serials[1])


@pytest.mark.parametrize("name", ["1jk9_updated.cif", "4xoj.pdb", "AF-P05067-F1-model_v6.cif"])
def test_readers_take_what_lost_residues_at_its_ends(
    name: str, archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    """A signal peptide that reaches into what was seen, so that TER, anisotropic rows and bonds are hit."""
    path = tmp_path / name
    path.write_bytes(gzip.decompress((real_data / "profet" / f"{name}.gz").read_bytes()))
    record = json.loads(gzip.decompress((real_data / "profet" / "uniprot_P05067.json.gz").read_bytes()))
    archive.add_uniprot("P05067", record)
    structure = gemmi.read_structure(str(path))
    structure.setup_entities()
    accession = {"1jk9": "P00445", "4xoj": "P00760", "AF-P": "P05067"}[name[:4]]
    if accession != "P05067":
        entity = structure.get_entity_of(structure[0]["A"].get_polymer())
        letters = gemmi.one_letter_code([item.split(",")[0] for item in entity.full_sequence]).upper()
        letters = ("M" if accession == "P00445" else "") + letters
        archive.add_uniprot(accession, uniprot_record(accession, letters, signal=(1, 60)))

    report = clean(path, options=CleanOptions(signal_peptides=True, hydrogens=True), accession=accession)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        counts = [
            _count_by_gemmi(report.path),
            _count_by_biotite(report.path),
            _count_by_biopython(report.path),
        ]
    assert counts == [report.atoms_after] * 3
    _check_rest(path, report.path)


def test_binary_cif_is_refused_with_the_reason(real_data: Path, tmp_path: Path) -> None:
    for name, body in (
        ("1gbt.bcif.gz", (real_data / "profet" / "1gbt.bcif.gz").read_bytes()),
        ("1gbt.bcif", gzip.decompress((real_data / "profet" / "1gbt.bcif.gz").read_bytes())),
    ):
        path = tmp_path / name
        path.write_bytes(body)
        with pytest.raises(RefusedError, match="is BinaryCIF, whose columns are packed"):
            clean(path, options=CleanOptions(water=True))


@pytest.mark.parametrize("name", ["1aki.cif.gz", "4xoj.pdb.gz"])
def test_a_gzipped_file_is_cleaned_like_the_file_in_it(name: str, real_data: Path, tmp_path: Path) -> None:
    packed = tmp_path / name
    packed.write_bytes((real_data / "profet" / name).read_bytes())
    plain = tmp_path / name.removesuffix(".gz")
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    options = CleanOptions(**WAYS["all"])

    expected = clean(plain, options=options).path.read_bytes()
    report = clean(packed, options=options)
    again = clean(packed, output=tmp_path / "again.gz", options=options)
    unpacked = clean(packed, output=tmp_path / "unpacked", options=options)

    assert report.path.name == f"{plain.stem}_nohydrogens_nowater_nohetatm{plain.suffix}.gz"
    assert gzip.decompress(report.path.read_bytes()) == unpacked.path.read_bytes() == expected
    assert report.path.read_bytes() == again.path.read_bytes()
