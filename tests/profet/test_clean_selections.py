"""Chains, alternative positions, models and confidence: what is kept or removed, held to gemmi."""

from __future__ import annotations

import gzip
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import gemmi
import pytest

from profet import CleanOptions, CleanReport, InvalidChoiceError, RefusedError, clean
from profet_oracles import check_mmcif
from profet_samples import Polymer, Residue, Sample, pdb_atom, protein, to_mmcif, to_pdb, water

Atom = tuple[int, str, str, str, str, str]


def atoms_of(path: Path) -> list[Atom]:
    """Model, chain, number, residue, atom and alternative of every atom, as gemmi reads them."""
    return [
        (model.num, chain.name, str(residue.seqid), residue.name, atom.name, atom.altloc.replace("\0", ""))
        for model in gemmi.read_structure(str(path))
        for chain in model
        for residue in chain
        for atom in residue
    ]


def unpack(real_data: Path, name: str, folder: Path) -> Path:
    """A real file, unpacked."""
    path = folder / name
    path.write_bytes(gzip.decompress((real_data / "profet" / f"{name}.gz").read_bytes()))
    return path


def removed(report: CleanReport, reason: Any) -> int:
    """How many atoms went for a reason."""
    return sum(report.atoms_removed.get(reason, {}).values())


def two_chains(format_name: str, folder: Path) -> Path:
    """Chains A and B, each with a water."""
    sequence = protein(6)
    residues = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(sequence, 1)]
    sample = Sample(
        polymers=[Polymer(name=name, sequence=sequence, residues=residues) for name in "AB"],
        others=[("A", water(101)), ("B", water(102))],
    )
    path = folder / f"a.{format_name}"
    path.write_bytes(to_mmcif(sample) if format_name == "cif" else to_pdb(sample))
    return path


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
@pytest.mark.parametrize(("chains", "left"), [("A", "A"), (("A",), "A"), (["-A"], "B"), (("A", "B"), "AB")])
def test_chains_are_kept_or_removed_with_their_water(
    chains: Any, left: str, format_name: str, tmp_path: Path
) -> None:
    path = two_chains(format_name, tmp_path)

    report = clean(path, options=CleanOptions(chains=chains))

    assert atoms_of(report.path) == [atom for atom in atoms_of(path) if atom[1] in left]
    assert removed(report, "chains") == 25 * (2 - len(left))
    assert sum(report.residues_removed.get("chains", {}).values()) == 7 * (2 - len(left))


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
def test_a_chain_to_keep_that_is_not_there_is_refused_and_one_to_remove_is_not(
    format_name: str, tmp_path: Path
) -> None:
    path = two_chains(format_name, tmp_path)

    with pytest.raises(RefusedError, match=r"has no chain 'Z' \(it has A, B\)"):
        clean(path, options=CleanOptions(chains=("A", "Z")))
    with pytest.raises(RefusedError, match=r"has no model '7' \(it has 1\)"):
        clean(path, options=CleanOptions(models=7))
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert clean(path, options=CleanOptions(chains="-Z")).atoms_removed == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"chains": ()},
        {"chains": ("A", "-B")},
        {"models": (1, -2)},
        {"minimum_plddt": 101},
        {"minimum_plddt": math.nan},
    ],
)
def test_selections_that_make_no_sense_are_refused_when_they_are_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidChoiceError):
        CleanOptions(**wrong)


def test_options_are_values_that_can_be_compared_and_kept() -> None:
    one, other = CleanOptions(chains=["A", "B"]), CleanOptions(chains=("A", "B"))

    assert one == other
    assert hash(one) == hash(other)


def test_the_name_says_what_was_selected(tmp_path: Path) -> None:
    path = two_chains("pdb", tmp_path)
    options = CleanOptions(water=True, chains=("A",), altlocs="highest", models=1)

    assert clean(path, options=options).path.name == "a_nowater_chainsA_altlocshighest_models1.pdb"
    assert clean(path, options=CleanOptions(chains=["-B", "-a/b"])).path.name == "a_nochainsB+a%2Fb.pdb"


MODELS = "MODEL        {n}\n{atoms}ENDMDL\n"


def test_models_go_with_their_records_and_are_counted_anew(tmp_path: Path) -> None:
    atoms = "".join(
        f"{pdb_atom(n, name, name[0], Residue(name='A', place=1, number=1), 'A'):<80}\n"
        for n, name in enumerate(("N", "CA", "C"), 1)
    )
    atoms += f"{'TER       4      ALA A   1':<80}\n"
    body = "NUMMDL    3\n" + "".join(MODELS.format(n=n, atoms=atoms) for n in (1, 2, 3))
    body += "CONECT    1    2\nMASTER        0    0    0    0    0    0    0    0    3    3    1    0\nEND\n"
    path = tmp_path / "a.pdb"
    path.write_text(body)

    for models in (2, (-1, -3)):
        report = clean(path, options=CleanOptions(models=models))
        result = report.path.read_text()
        assert result.startswith("NUMMDL    1\nMODEL        2\nATOM      1")
        path.write_text(body.replace("NUMMDL    3", "NUMMDL    7"))  # of whatever that is the number
        other = clean(path, output=tmp_path / "b.pdb", options=CleanOptions(models=models)).path.read_text()
        assert other == result.replace("NUMMDL    1", "NUMMDL    7")
        path.write_text(body)
        assert result.count("MODEL  ") == result.count("ENDMDL") == result.count("\nTER  ") == 1
        assert result.count("\nCONECT    1    2\n") == 1
        assert "MASTER        0    0    0    0    0    0    0    0    3    1    1    0\n" in result
        assert report.atoms_removed == {"models": {"A": 6}}
        assert report.residues_removed == {}  # the residue is still there
        assert {atom[0] for atom in atoms_of(report.path)} == {2}


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["2BEG.cif", "1l2y.pdb"])
def test_of_a_real_ensemble_only_the_models_asked_for_stay(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, name, tmp_path)
    before = atoms_of(path)

    report = clean(path, options=CleanOptions(models=(1, 3)))

    assert atoms_of(report.path) == [atom for atom in before if atom[0] in (1, 3)]
    if name.endswith("cif"):
        check_mmcif(path.read_bytes(), report.path.read_bytes(), _ids(path) - _ids(report.path))


def _ids(path: Path) -> set[str]:
    column = gemmi.cif.read(str(path)).sole_block().find_values("_atom_site.id")
    return set(column)


def _expected_highest(path: Path) -> set[Atom]:
    """Atoms of the alternative of highest mean occupancy of each residue, and those without alternatives."""
    expected = set[Atom]()
    for model in gemmi.read_structure(str(path)):
        for chain in model:
            places = defaultdict[str, list[tuple[str, Any]]](list)
            for residue in chain:
                places[str(residue.seqid)] += [(residue.name, atom) for atom in residue]
            for number, atoms in places.items():
                occupancies = defaultdict[str, list[float]](list)
                for _, atom in atoms:
                    if atom.has_altloc():
                        occupancies[atom.altloc].append(atom.occ)
                means = {letter: sum(some) / len(some) for letter, some in occupancies.items()}
                best = max(means, key=lambda letter: means[letter]) if means else ""
                expected |= {
                    (model.num, chain.name, number, name, atom.name, atom.altloc.replace("\0", ""))
                    for name, atom in atoms
                    if not atom.has_altloc() or atom.altloc == best
                }
    return expected


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["3o5r.cif", "5eil.cif", "4xoj.pdb"])
def test_of_real_alternatives_the_one_of_highest_occupancy_stays_and_no_atom_is_lost(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, name, tmp_path)
    before = atoms_of(path)

    report = clean(path, options=CleanOptions(altlocs="highest"))
    after = atoms_of(report.path)

    def names(atoms: list[Atom]) -> set[tuple[Any, ...]]:
        return {atom[:5] for atom in atoms if not atom[4].startswith(("H", "D"))}

    assert _expected_highest(path) <= set(after)
    assert names(before) == names(after)
    places = [atom[:5] for atom in after]
    assert len(places) == len(set(places))
    assert removed(report, "altlocs") == len(before) - len(after) > 0


def _disordered(format_name: str, folder: Path, atoms: list[tuple[str, str, str, float]]) -> Path:
    """Alanine 1, then residue 2 with these atoms: residue, name, alternative, occupancy."""
    rows = [("ALA", "CA", " ", 1.0, 1), *((*atom, 2) for atom in atoms)]
    path = folder / f"a.{format_name}"
    if format_name == "pdb":
        path.write_text(
            "".join(
                f"ATOM  {n:>5}  {name:<3}{letter}{residue} A{number:>4}       0.000   0.000{n:>8.3f}"
                f"{occupancy:>6.2f} 10.00           {name[0]}  \n"
                for n, (residue, name, letter, occupancy, number) in enumerate(rows, 1)
            )
        )
    else:
        items = (
            "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_seq_id "
            "occupancy Cartn_x Cartn_y Cartn_z auth_asym_id auth_seq_id"
        )
        path.write_text(
            "data_x\nloop_\n"
            + "".join(f"_atom_site.{item}\n" for item in items.split())
            + "".join(
                f"ATOM {n} {name[0]} {name} {letter.replace(' ', '.')} {residue} A {number} {occupancy} "
                f"0 0 {n} A {number}\n"
                for n, (residue, name, letter, occupancy, number) in enumerate(rows, 1)
            )
        )
    return path


# Residue 2 in full: backbone once, side chain twice, one atom of B only, hydrogen of A only.
HALVES = [
    ("CYS", "CA", " ", 1.0),
    ("CYS", "CB", "A", 0.4), ("CYS", "CB", "B", 0.6),
    ("CYS", "SG", "A", 0.4), ("CYS", "SG", "B", 0.6),
    ("CYS", "O", "B", 0.5), ("CYS", "HG", "A", 0.4),
]  # fmt: skip
TWO_KINDS = [
    ("SER", "CA", "A", 0.7), ("SER", "OG", "A", 0.7), ("THR", "CA", "B", 0.3), ("THR", "CG", "B", 0.3),
]  # fmt: skip
# A has more atoms, and B is there more often.
UNEVEN = [
    ("CYS", "CB", "A", 0.3), ("CYS", "SG", "A", 0.3), ("CYS", "CB", "B", 0.5),
]  # fmt: skip
WATER = [("HOH", "O", "B", 0.5)]
THREE = [
    ("CYS", "CB", "A", 0.5), ("CYS", "CB", "B", 0.3), ("CYS", "CB", "C", 0.2),
    ("CYS", "SG", "C", 0.2), ("CYS", "SG", "B", 0.3),
]  # fmt: skip


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
@pytest.mark.parametrize(
    ("atoms", "altlocs", "left"),
    [
        (HALVES, "highest", "CA CB:B SG:B O:B"),
        (HALVES, "A", "CA CB:A SG:A O:B HG:A"),  # O is there in B only, and a residue keeps its atoms
        (HALVES, "B", "CA CB:B SG:B O:B"),
        (HALVES, "-A", "CA CB:B SG:B O:B"),
        (HALVES, "-B", "CA CB:A SG:A HG:A"),
        (HALVES, ("A", "B"), "CA CB:A CB:B SG:A SG:B O:B HG:A"),
        (HALVES, "C", "CA CB:B SG:B O:B"),  # no C: its own of highest occupancy
        (UNEVEN, "highest", "CB:B SG:A"),
        (THREE, "highest", "CB:A SG:B"),  # of what A lacks, the most frequent
        (TWO_KINDS, "highest", "CA:A OG:A"),
        (TWO_KINDS, "B", "CA:B CG:B"),
        (WATER, "B", "O:B"),
        (WATER, "A", ""),  # unlike a residue of the chain, it need not be there
    ],
)
def test_one_alternative_of_a_residue_stays_whole(
    atoms: list[tuple[str, str, str, float]], altlocs: Any, left: str, format_name: str, tmp_path: Path
) -> None:
    path = _disordered(format_name, tmp_path, atoms)

    report = clean(path, options=CleanOptions(altlocs=altlocs))

    found = [f"{atom[4]}:{atom[5]}".rstrip(":") for atom in atoms_of(report.path) if atom[2] == "2"]
    assert sorted(found) == sorted(left.split())


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["AF-P05067-F1-model_v6.cif", "AF-P05067-F1-model_v6.pdb"])
def test_residues_of_low_confidence_go_by_the_b_column_that_gemmi_reads(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, name, tmp_path)
    confident = {
        str(residue.seqid) for residue in gemmi.read_structure(str(path))[0]["A"] if residue[0].b_iso >= 70
    }

    report = clean(path, options=CleanOptions(minimum_plddt=70))

    assert {atom[2] for atom in atoms_of(report.path)} == confident
    assert report.residues_removed == {"minimum_plddt": {"A": 770 - len(confident)}}
    assert report.path.stem == f"{path.stem}_plddt70"


@pytest.mark.real_data
def test_both_formats_of_a_model_lose_the_same_residues_of_low_confidence(
    real_data: Path, tmp_path: Path
) -> None:
    both = [unpack(real_data, f"AF-P05067-F1-model_v6.{kind}", tmp_path) for kind in ("cif", "pdb")]

    left = [
        atoms_of(
            clean(path, output=tmp_path / f"left{path.suffix}", options=CleanOptions(minimum_plddt=50)).path
        )
        for path in both
    ]

    assert left[0] == left[1]


@pytest.mark.parametrize(("values", "left"), [((0.9, 0.3, 0.71), "1 3"), ((90.0, 30.0, 0.71), "1")])
def test_a_b_column_that_never_passes_one_counts_confidence_to_one(
    values: tuple[float, ...], left: str, tmp_path: Path
) -> None:
    body = f"{'TITLE     ESMFOLD V1 PREDICTION FOR INPUT':<80}\n"
    for number, value in enumerate(values, 1):
        line = pdb_atom(number, "CA", "C", Residue(name="A", place=number, number=number), "A")
        body += f"{line[:60]}{value:>6.2f}{line[66:]}\n"
    path = tmp_path / "a.pdb"
    path.write_text(body)

    report = clean(path, options=CleanOptions(minimum_plddt=70))

    assert [atom[2] for atom in atoms_of(report.path)] == left.split()


@pytest.mark.real_data
def test_confidence_from_zero_to_one_is_read_as_such(real_data: Path, tmp_path: Path) -> None:
    path = unpack(real_data, "swissmodel_Q9NTW7_329-603_5v3m.1.C.cif", tmp_path)
    block = gemmi.cif.read(str(path)).sole_block()
    table = block.find("_ma_qa_metric_local.", ["label_seq_id", "metric_value"])
    confident = {row[0] for row in table if float(row[1]) >= 0.5}

    report = clean(path, options=CleanOptions(minimum_plddt=50))

    places = gemmi.cif.read(str(report.path)).sole_block().find_values("_atom_site.label_seq_id")
    assert set(places) - {"."} == confident


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["1aki.cif", "1aki.pdb"])
def test_an_experimental_structure_has_no_confidence_whatever_its_b_column_holds(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, name, tmp_path)

    with pytest.raises(RefusedError, match="does not say that it is a predicted model"):
        clean(path, options=CleanOptions(minimum_plddt=50))


def test_what_goes_for_several_reasons_counts_under_the_first(tmp_path: Path) -> None:
    path = two_chains("pdb", tmp_path)

    report = clean(path, options=CleanOptions(water=True, chains="A"))

    assert report.atoms_removed == {"chains": {"B": 25}, "water": {"A": 1}}


def test_chains_of_two_letters_are_told_apart_where_programs_write_them(tmp_path: Path) -> None:
    atom = pdb_atom(1, "CA", "C", Residue(name="A", place=1, number=1), "A")
    body = "".join(f"{atom[:20]}{name}{atom[22:]:<58}\n" for name in ("AA", "BA", " A"))
    path = tmp_path / "a.pdb"
    path.write_text(body)

    assert [one[1] for one in atoms_of(clean(path, options=CleanOptions(chains="BA")).path)] == ["BA"]
    assert [one[1] for one in atoms_of(clean(path, options=CleanOptions(chains="-A")).path)] == ["AA", "BA"]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("cif", "pdb"), [("1aki.cif", "1aki.pdb"), ("3psg_updated.cif", "3psg.pdb")], ids=["1aki", "3psg"]
)
@pytest.mark.parametrize(
    "options",
    [
        {"hydrogens": True, "water": True, "hetatoms": True},
        {"water": True},
        {"hetatoms": True},
        {"chains": "A", "water": True},
        {"altlocs": "highest"},
        {"models": 1},
    ],
    ids=lambda options: "_".join(options),
)
def test_both_formats_of_a_real_entry_keep_the_same_atoms(
    options: dict[str, Any], cif: str, pdb: str, real_data: Path, tmp_path: Path
) -> None:
    left = [
        atoms_of(clean(unpack(real_data, name, tmp_path), options=CleanOptions(**options)).path)
        for name in (cif, pdb)
    ]

    assert left[0] == left[1]
