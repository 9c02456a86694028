"""Files that other programs have written from an entry: without its entities, sequences and numbers."""

from __future__ import annotations

import gzip
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import Bio.PDB
import gemmi
import numpy as np
import pytest
from biotite.structure import info
from biotite.structure.io import pdb as biotite_pdb
from biotite.structure.io import pdbx

from perc_archive import Archive
from profet import CleanOptions, clean
from profet_samples import Residue as SampleResidue
from profet_samples import pdb_atom, protein, uniprot_record

HETATOMS = CleanOptions(hetatoms=True)
ITEMS = (
    "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_seq_id "
    "auth_asym_id auth_seq_id Cartn_x Cartn_y Cartn_z"
)
BACKBONE = ("N", "CA", "C", "O")
# Name, whether written as HETATM, number, atoms, where the first of them lies, whether part of the chain.
RESIDUES: list[tuple[str, bool, int, tuple[str, ...], float, bool]] = [
    ("ACE", True, 0, ("CH3", "C"), 0.0, True),
    ("GLY", False, 1, BACKBONE, 2.3, True),
    ("XAA", True, 2, BACKBONE, 6.0, True),  # a modified residue that only its bonds tell
    ("ALA", False, 3, BACKBONE, 9.7, True),
    ("MSE", True, 9, BACKBONE, 60.0, True),  # its neighbours were not seen
    ("GLU", True, 301, BACKBONE, 13.0, False),  # a free amino acid, at the side of the chain
    ("ATP", True, 302, ("PG", "O5'", "C3'", "O3'"), 120.0, False),
    ("SO4", True, 303, ("S", "O1"), 150.0, False),
    ("ACM", True, 304, ("CH3", "C", "N"), 180.0, False),  # whose own atoms are called and bonded like that
]
FIRST_NUMBER_THAT_GOES = 301
TO_THE_SIDE = 40.0  # along y, of what is not part of the chain


def _positions(atoms: tuple[str, ...], start: float) -> dict[str, float]:
    """On a line, an atom every 1.25 Å."""
    return {atom: start + 1.25 * n for n, atom in enumerate(atoms)}


def as_mmcif(*, places: str) -> str:
    """Atoms and nothing else; `places`: who has a label_seq_id (all, chain, nobody)."""
    rows: list[str] = []
    for name, is_hetatm, number, atoms, start, is_polymer in RESIDUES:
        has_place = places == "all" or (places == "chain" and not is_hetatm)
        place = str(number) if has_place else "?" if is_polymer else "."
        for atom, x in _positions(atoms, start).items():
            quoted = f'"{atom}"' if "'" in atom else atom
            group = "HETATM" if is_hetatm else "ATOM"
            y = 0.0 if is_polymer else TO_THE_SIDE
            rows.append(
                f"{group} {len(rows) + 1} {atom[0]} {quoted} . {name} A {place} A {number} {x:.3f} {y} 0"
            )
    return (
        "data_x\nloop_\n" + "".join(f"_atom_site.{item}\n" for item in ITEMS.split()) + "\n".join(rows) + "\n"
    )


def as_pdb() -> str:
    """Atoms and nothing else, not even TER."""
    lines: list[str] = []
    for name, is_hetatm, number, atoms, start, is_polymer in RESIDUES:
        residue = SampleResidue(name=name, place=None, number=number, is_hetatm=is_hetatm)
        for atom, x in _positions(atoms, start).items():
            line = pdb_atom(len(lines) + 1, atom, atom[0], residue, "A")
            y = 0.0 if is_polymer else TO_THE_SIDE
            lines.append(f"{line[:30]}{x:8.3f}{y:8.3f}{line[46:]}\n")
    return "".join(lines)


@pytest.mark.parametrize("places", ["all", "chain", "nobody", "pdb"])
def test_where_nothing_says_what_is_a_polymer_bonds_do(places: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.pdb" if places == "pdb" else "a.cif")
    path.write_text(as_pdb() if places == "pdb" else as_mmcif(places=places))

    report = clean(path, options=HETATOMS)

    left = [residue.seqid.num for residue in gemmi.read_structure(str(report.path))[0]["A"]]
    assert left == [number for _, _, number, *_ in RESIDUES if number < FIRST_NUMBER_THAT_GOES]
    assert report.residues_removed == {"hetatoms": {"A": 4}}


def _chromophore() -> gemmi.Structure:
    """Valine, the chromophore of GFP and alanine in a row; far away it alone, and with one of them only."""
    component = info.residue("CRO")
    atoms = dict(zip(component.atom_name, component.coord.astype(float), strict=True))
    centre = np.mean(list(atoms.values()), axis=0)
    structure = gemmi.Structure()
    structure.add_model(gemmi.Model(1))
    chain = gemmi.Chain("A")

    def add(name: str, number: int, het_flag: str, positions: dict[str, Any], shift: float) -> None:
        residue = gemmi.Residue()
        residue.name, residue.seqid, residue.het_flag = name, gemmi.SeqId(number, " "), het_flag
        for atom_name, position in positions.items():
            atom = gemmi.Atom()
            atom.name, atom.element = atom_name, gemmi.Element(atom_name[0])
            atom.pos = gemmi.Position(*(np.asarray(position) + np.array((shift, 0, 0))))
            residue.add_atom(atom)
        chain.add_residue(residue)

    def beyond(name: str) -> Any:
        """Where the atom of a neighbour lies that has a peptide bond with this one."""
        outwards = atoms[name] - centre
        return atoms[name] + 1.33 * outwards / np.linalg.norm(outwards)

    add("VAL", 64, "A", {"C": beyond("N1")}, 0)
    add("CRO", 66, "H", atoms, 0)
    add("ALA", 68, "A", {"N": beyond("C3")}, 0)
    add("CRO", 301, "H", atoms, 50)
    add("VAL", 302, "A", {"C": beyond("N1")}, 100)
    add("CRO", 303, "H", atoms, 100)
    structure[0].add_chain(chain)
    return structure


@pytest.mark.parametrize("kind", ["cif", "pdb"])
def test_the_chromophore_of_a_fluorescent_protein_belongs_to_the_chain_that_it_is_bonded_into(
    kind: str, tmp_path: Path
) -> None:
    structure = _chromophore()
    path = tmp_path / f"a.{kind}"
    if kind == "pdb":
        structure.write_minimal_pdb(str(path))
    else:
        structure.make_mmcif_document(gemmi.MmcifOutputGroups(False, atoms=True, group_pdb=True)).write_file(
            str(path)
        )

    report = clean(path, options=HETATOMS)

    left = [residue.seqid.num for residue in gemmi.read_structure(str(report.path))[0]["A"]]
    assert left == [64, 66, 68, 302]


def test_residues_without_a_place_in_the_sequence_are_numbered_by_their_authors(
    archive: Archive, tmp_path: Path
) -> None:
    sequence = protein(40)
    archive.add_uniprot("P12345", uniprot_record("P12345", sequence, signal=(1, 12)))
    chain = gemmi.Chain("A")
    for number, letter in enumerate(sequence[4:], 105):
        residue = gemmi.Residue()
        residue.name, residue.seqid = (
            gemmi.expand_one_letter(letter, gemmi.ResidueKind.AA),
            gemmi.SeqId(number, " "),
        )
        atom = gemmi.Atom()
        atom.name, atom.element = "CA", gemmi.Element("C")
        residue.add_atom(atom)
        chain.add_residue(residue)
    structure = gemmi.Structure()
    structure.add_model(gemmi.Model(1))
    structure[0].add_chain(chain)
    path = tmp_path / "a.cif"
    structure.make_mmcif_document().write_file(str(path))

    report = clean(path, options=CleanOptions(signal_peptides=True), accession="P12345")

    left = [residue.seqid.num for residue in gemmi.read_structure(str(report.path))[0]["A"]]
    assert left == list(range(113, 141))  # the chain begins with residue 5 of the protein


Write = Callable[[str, str, Path], None]


def _by_gemmi_without_entities(text: str, kind: str, path: Path) -> None:
    structure = gemmi.read_pdb_string(_gemmi(text, kind).make_minimal_pdb())
    structure.make_mmcif_document().write_file(str(path))


def _by_gemmi_as_pdb(text: str, kind: str, path: Path) -> None:
    path.write_text(_gemmi(text, kind).make_minimal_pdb())


def _gemmi(text: str, kind: str) -> Any:
    if kind == "pdb":
        return gemmi.read_pdb_string(text)
    return gemmi.make_structure_from_block(gemmi.cif.read_string(text).sole_block())


def _by_biopython(text: str, kind: str, path: Path) -> None:
    package: Any = Bio.PDB
    parser = package.MMCIFParser if kind == "cif" else package.PDBParser
    writer = package.MMCIFIO() if path.suffix == ".cif" else package.PDBIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of oddities that the deposited files have
        writer.set_structure(parser(QUIET=True).get_structure("x", io.StringIO(text)))
        writer.save(str(path))


def _by_biotite(text: str, kind: str, path: Path) -> None:
    file = io.StringIO(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "cif":
            atoms = pdbx.get_structure(pdbx.CIFFile.read(file), model=1)
        else:
            atoms = biotite_pdb.PDBFile.read(file).get_structure(model=1)
        written = pdbx.CIFFile()
        pdbx.set_structure(written, atoms, data_block="X")
    written.write(path)


WRITERS: dict[str, tuple[str, Write]] = {
    "gemmi without entities": ("a.cif", _by_gemmi_without_entities),
    "gemmi": ("a.pdb", _by_gemmi_as_pdb),
    "Biopython": ("a.cif", _by_biopython),
    "Biopython as PDB": ("a.pdb", _by_biopython),
    "biotite": ("a.cif", _by_biotite),
}


def _residues(path: Path) -> set[tuple[str, str, str]]:
    return {
        (chain.name, str(residue.seqid), residue.name)
        for chain in gemmi.read_structure(str(path))[0]
        for residue in chain
    }


@pytest.mark.real_data
@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", ["1qup_updated.cif", "1A8O.pdb", "3o5r.cif", "5eil.cif"])
def test_what_other_programs_have_written_loses_the_residues_that_the_entry_loses(
    name: str, writer: str, real_data: Path, tmp_path: Path
) -> None:
    text = gzip.decompress((real_data / "profet" / f"{name}.gz").read_bytes()).decode()
    entry = tmp_path / name
    entry.write_text(text)
    file, write = WRITERS[writer]
    write(text, entry.suffix[1:], tmp_path / file)

    gone = [
        _residues(path) - _residues(clean(path, options=HETATOMS).path) for path in (entry, tmp_path / file)
    ]

    assert gone[1] == gone[0]
