"""Cleaning: what goes and what stays, in both formats."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gemmi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perc_archive import Archive
from profet import (
    CacheError,
    CleanOptions,
    DamagedFileError,
    InvalidIdError,
    MissingFileError,
    OfflineError,
    RefusedError,
    StructureNotFoundError,
    clean,
)
from profet_oracles import atom_rows, check_mmcif, check_pdb
from profet_samples import (
    Polymer,
    Residue,
    Sample,
    feature,
    ligand,
    protein,
    to_mmcif,
    to_pdb,
    uniprot_record,
    water,
)

ALL = CleanOptions(hydrogens=True, water=True, hetatoms=True)
SIGNAL = CleanOptions(signal_peptides=True)
SEQUENCE = protein(60)
BACKBONE = (("N", "N"), ("CA", "C"), ("C", "C"), ("O", "O"))


def chain(name: str = "A", *, shift: int = 0, **facts: object) -> Polymer:
    """The whole protein, on each residue one hydrogen and one deuterium; one is selenomethionine."""
    residues = [
        Residue(
            name="MSE" if place == 9 else letter,
            is_hetatm=place == 9,
            place=place,
            number=place + shift,
            uniprot=place,
            atoms=(*BACKBONE, ("HG", "H"), ("DB", "D")),
        )
        for place, letter in enumerate(SEQUENCE, 1)
    ]
    polymer = Polymer(name=name, sequence=[*SEQUENCE[:8], "MSE", *SEQUENCE[9:]], residues=residues)
    return dataclasses.replace(polymer, **facts)  # type: ignore[arg-type]


MIXED = Sample(
    polymers=[chain()],
    others=[
        ("A", ligand("HG", 301, ("HG", "HG"))),
        ("A", ligand("SO4", 302, ("S", "S"), ("O1", "O"))),
        ("A", water(401)),
        ("A", water(402, "DOD")),
        ("A", water(403, "WAT")),
    ],
)


def write(folder: Path, body: bytes, name: str = "test.cif") -> Path:
    """Put a file there."""
    path = folder / name
    path.write_bytes(body)
    return path


@pytest.fixture(params=["cif", "pdb"])
def mixed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A protein with hydrogens, deuterium, selenomethionine, mercury, sulfate and three kinds of water."""
    body = to_mmcif(MIXED) if request.param == "cif" else to_pdb(MIXED)
    return write(tmp_path, body, f"test.{request.param}")


def names_left(path: Path) -> dict[str, int]:
    """Atoms of each residue name."""
    counts: dict[str, int] = {}
    for model in gemmi.read_structure(str(path)):
        for one in model:
            for residue in one:
                kind = (
                    residue.name if residue.name in ("MSE", "HG", "SO4", "HOH", "DOD", "WAT") else "protein"
                )
                counts[kind] = counts.get(kind, 0) + len(residue)
    return counts


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({}, {"protein": 354, "MSE": 6, "HG": 1, "SO4": 2, "HOH": 1, "DOD": 1, "WAT": 1}),
        ({"water": True}, {"protein": 354, "MSE": 6, "HG": 1, "SO4": 2}),
        ({"hetatoms": True}, {"protein": 354, "MSE": 6, "HOH": 1, "DOD": 1, "WAT": 1}),
        ({"hydrogens": True}, {"protein": 236, "MSE": 4, "HG": 1, "SO4": 2, "HOH": 1, "DOD": 1, "WAT": 1}),
        ({"hydrogens": True, "water": True, "hetatoms": True}, {"protein": 236, "MSE": 4}),
    ],
)
def test_each_word_takes_out_what_it_says_and_nothing_else(
    options: dict[str, Any], left: dict[str, int], mixed: Path
) -> None:
    report = clean(mixed, options=CleanOptions(**options))

    assert names_left(report.path) == left
    assert report.atoms_before == 366
    assert report.atoms_after == sum(left.values())


def test_the_report_counts_by_reason_and_chain(mixed: Path) -> None:
    report = clean(mixed, options=ALL)

    assert report.atoms_removed == {
        "water": {"A": 3},
        "hetatoms": {"A": 3},
        "hydrogens": {"A": 120},
    }
    assert report.residues_removed == {"water": {"A": 3}, "hetatoms": {"A": 2}}
    assert report.signal_peptides == {}
    assert report.numbering == ()


def test_asking_for_nothing_copies_the_file_under_its_published_name(mixed: Path) -> None:
    report = clean(mixed)

    assert report.path == mixed.with_name(f"test_unmodified{mixed.suffix}")
    assert report.path.read_bytes() == mixed.read_bytes()
    assert report.atoms_removed == {}


@pytest.mark.parametrize(
    ("options", "suffix"),
    [
        (ALL, "nohydrogens_nowater_nohetatm"),
        (CleanOptions(water=True), "nowater"),
        (CleanOptions(hydrogens=True, hetatoms=True), "nohydrogens_nohetatm"),
    ],
)
def test_the_name_of_the_result_says_what_was_taken_out(
    options: CleanOptions, suffix: str, mixed: Path
) -> None:
    assert clean(mixed, options=options).path.name == f"test_{suffix}{mixed.suffix}"


def test_every_other_value_stays(mixed: Path) -> None:
    before = mixed.read_bytes()
    after = clean(mixed, options=ALL).path.read_bytes()

    if mixed.suffix == ".cif":
        left = {row["id"] for row in atom_rows(after)}
        check_mmcif(before, after, {row["id"] for row in atom_rows(before)} - left)
        rest = [line for line in before.splitlines() if not line.startswith((b"ATOM", b"HETATM"))]
        assert [line for line in after.splitlines() if not line.startswith((b"ATOM", b"HETATM"))] == rest
    else:
        atoms = {line[6:11].strip() for line in before.decode().splitlines() if line[:4] in ("ATOM", "HETA")}
        left = {line[6:11].strip() for line in after.decode().splitlines() if line[:4] in ("ATOM", "HETA")}
        check_pdb(before, after, atoms - left)


@given(data=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_signal_peptide_is_found_however_residues_are_numbered(
    data: st.DataObject, archive: Archive, tmp_path: Path
) -> None:
    """Author numbers, insertion codes, gaps, tags, chains and stated ranges vary; what goes does not."""
    sample, expected = data.draw(samples())
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, signal=(1, 20)))

    for name, body in (("a.cif", to_mmcif(sample)), ("a.pdb", to_pdb(sample))):
        path = write(tmp_path, body, name)
        report = clean(path, options=SIGNAL, accession="P12345")
        left = {
            (one.name, str(residue.seqid))
            for one in gemmi.read_structure(str(report.path))[0]
            for residue in one
        }  # that every residue of the construct may be gone is no matter: chain X stays
        everything = {
            (polymer.name, f"{residue.number}{residue.insertion}")
            for polymer in sample.polymers
            for residue in polymer.residues
        }
        assert everything - left == expected, (name, report.numbering)
        assert sum(sum(chains.values()) for chains in report.residues_removed.values()) == len(expected)
        assert report.path.name == f"a_nosignal1to20.{name[-3:]}"


@st.composite
def samples(draw: st.DrawFn) -> tuple[Sample, set[tuple[str, str]]]:
    """A structure, and the residues of it that belong to the signal peptide 1 to 20 of P12345."""
    polymers, expected = [], set[tuple[str, str]]()
    for name in "AB"[: draw(st.integers(1, 2))]:
        polymer = draw(chains(name))
        polymers.append(polymer)
        expected |= {
            (name, f"{residue.number}{residue.insertion}")
            for residue in polymer.residues
            if residue.uniprot is not None and residue.uniprot <= 20
        }
    other = protein(40, seed=99)
    residues = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(other, 1)]
    # Another protein, numbered like a signal peptide.
    polymers.append(
        Polymer(name="X", sequence=other, residues=residues, accession="Q99999", reference=(1, 40, 1, 40))
    )
    return Sample(polymers=polymers), expected


@st.composite
def chains(draw: st.DrawFn, name: str) -> Polymer:
    """A construct of P12345 with parts not seen, in the authors' own numbering."""
    first = draw(st.integers(1, 30))
    last = draw(st.integers(first + 16, len(SEQUENCE)))
    before = SEQUENCE[first - 2] if first > 1 else ""
    tag = draw(st.sampled_from(["", "GSHHHHHH", "WWGS"]).filter(lambda tag: not tag or tag[-1] != before))
    sequence = tag + SEQUENCE[first - 1 : last]
    seen = sorted(draw(st.sets(st.integers(0, len(sequence) // 5), min_size=2)))
    places = [place for block in seen for place in range(block * 5, min(block * 5 + 5, len(sequence)))]
    if len(sequence) - places[0] < 5 or len(places) < 8:
        places = list(range(len(sequence)))
    shift = draw(st.integers(-20, 900))
    style = draw(st.sampled_from(["even", "insertions"]))
    residues = []
    for place in places:
        number, insertion = place + 1 + shift, ""
        if style == "insertions" and place < 12:  # as the propeptide of 3PSG: 1A to 1L, then on from 1
            number, insertion = shift, "ABCDEFGHIJKL"[place]
        uniprot = place - len(tag) + first
        residues.append(
            Residue(
                name=sequence[place],
                place=place + 1,
                number=number,
                insertion=insertion,
                uniprot=uniprot if uniprot >= first else None,
            )
        )
    stated = draw(st.sampled_from(["right", "off by three", "longer"]))
    ends = [len(tag) + 1, len(sequence), first, last]
    if stated == "off by three":
        ends = [ends[0], ends[1], ends[2] + 3, ends[3] + 3]
    elif stated == "longer":
        ends[3] += 45
    return Polymer(
        name=name,
        sequence=sequence,
        residues=residues,
        accession="P12345",
        reference=(ends[0], ends[1], ends[2], ends[3]),
        has_sifts=draw(st.booleans()),
    )


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
def test_author_numbers_are_never_taken_for_uniprot_numbers(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    """The mature protein, numbered from 1: its first 20 residues are not the signal peptide."""
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, signal=(1, 20)))
    mature = SEQUENCE[20:]
    residues = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(mature, 1)]
    polymer = Polymer(
        name="A", sequence=mature, residues=residues, accession="P12345", reference=(1, 40, 21, 60)
    )
    sample = Sample(polymers=[polymer])
    path = write(tmp_path, to_mmcif(sample) if format_name == "cif" else to_pdb(sample), f"a.{format_name}")

    report = clean(path, options=SIGNAL)

    assert report.path.read_bytes() == path.read_bytes()
    assert report.path.stem == "a_nosignal1to20"
    (numbering,) = report.numbering
    assert (numbering.method, numbering.first, numbering.last) == ("reference", 21, 60)


def plain(format_name: str, folder: Path, **facts: object) -> Path:
    """The whole protein as one chain."""
    residues = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)]
    polymer = Polymer(name="A", sequence=SEQUENCE, residues=residues)
    sample = Sample(polymers=[dataclasses.replace(polymer, **facts)])  # type: ignore[arg-type]
    body = to_mmcif(sample) if format_name == "cif" else to_pdb(sample)
    return write(folder, body, f"a.{format_name}")


STATED = {"accession": "P12345", "reference": (1, 60, 1, 60)}


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
def test_a_signal_peptide_of_unknown_end_is_refused_with_the_reason(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    path = plain(format_name, tmp_path, **STATED)
    for first, last, word in ((1, None, "ends"), (None, 20, "begins")):
        record = uniprot_record("P12345", SEQUENCE)
        record["features"] = [feature("Signal", first, last)]
        archive.add_uniprot("P12345", record)
        for kept in Path("~/.cache/pdb/.profet/uniprot").expanduser().glob("*"):
            kept.unlink()

        with pytest.raises(RefusedError, match=f"P12345 has a signal peptide, but not where it {word}"):
            clean(path, options=SIGNAL)

    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
def test_without_a_signal_peptide_in_uniprot_nothing_goes_and_the_name_says_none(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE))
    path = plain(format_name, tmp_path, **STATED)

    report = clean(path, options=SIGNAL)

    assert report.path.stem == "a_nosignalnone"
    assert report.path.read_bytes() == path.read_bytes()
    assert report.signal_peptides == {"P12345": ()}


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
def test_a_chain_that_names_no_protein_is_recognised_by_its_sequence(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, signal=(1, 20)))
    archive.add_uniprot("Q99999", uniprot_record("Q99999", protein(60, seed=99), signal=(1, 20)))
    path = plain(format_name, tmp_path)

    report = clean(path, options=SIGNAL, accession="P12345")

    assert report.residues_removed == {"signal_peptides": {"A": 20}}
    assert [chain.method for chain in report.numbering] == ["alignment"]
    with pytest.raises(RefusedError, match=r"no chain of a\.\w+ is Q99999"):
        clean(path, options=SIGNAL, accession="Q99999")
    with pytest.raises(RefusedError, match="does not say which protein chain A is"):
        clean(path, options=SIGNAL)


def test_a_chain_that_is_not_what_it_says_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.add_uniprot("P12345", uniprot_record("P12345", protein(60, seed=99), signal=(1, 20)))
    path = plain("cif", tmp_path, **STATED)

    with pytest.raises(
        RefusedError, match=r"chain A of a\.cif says it is P12345, but its sequence does not fit"
    ):
        clean(path, options=SIGNAL)


def test_a_protein_that_the_file_does_not_name_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.add_uniprot("Q99999", uniprot_record("Q99999", SEQUENCE, signal=(1, 20)))
    path = plain("cif", tmp_path, **STATED)

    with pytest.raises(RefusedError, match="it names P12345"):
        clean(path, options=SIGNAL, accession="Q99999")
    with pytest.raises(InvalidIdError, match="is a PDB id"):
        clean(path, options=SIGNAL, accession="4v1w")
    with pytest.raises(StructureNotFoundError, match="P12345"):
        clean(path, options=SIGNAL)


def test_a_designed_protein_has_no_signal_peptide(archive: Archive, tmp_path: Path) -> None:
    path = plain("pdb", tmp_path, reference=(1, 60, 1, 60))

    assert clean(path, options=SIGNAL).path.stem == "a_nosignalnone"
    assert archive.requests() == []


def test_a_mutant_is_numbered_by_alignment(archive: Archive, tmp_path: Path) -> None:
    mutated = SEQUENCE[:29] + "W" + SEQUENCE[30:44] + "WW" + SEQUENCE[44:]
    archive.add_uniprot("P12345", uniprot_record("P12345", mutated, signal=(1, 20)))
    path = plain("cif", tmp_path, **STATED)

    report = clean(path, options=SIGNAL)

    assert report.residues_removed == {"signal_peptides": {"A": 20}}
    assert [chain.method for chain in report.numbering] == ["alignment"]


def test_only_uniprot_is_asked_once_and_only_for_a_signal_peptide(archive: Archive, tmp_path: Path) -> None:
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, signal=(1, 20)))
    path = plain("cif", tmp_path, **STATED)

    clean(path, options=ALL)
    assert archive.requests() == []
    clean(path, options=SIGNAL)
    clean(path, options=SIGNAL)
    assert [request.path for request in archive.requests()] == ["/uniprotkb/P12345.json"]


def test_offline_a_signal_peptide_that_is_not_known_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_OFFLINE", "1")
    path = plain("cif", tmp_path, **STATED)

    assert clean(path, options=ALL).atoms_before == 240
    with pytest.raises(OfflineError):
        clean(path, options=SIGNAL)


def test_the_input_is_never_written_over(mixed: Path) -> None:
    body = mixed.read_bytes()
    link = mixed.with_name("link")
    link.symlink_to(mixed)

    for output in (mixed, str(mixed), mixed.parent / "." / mixed.name, link):
        with pytest.raises(RefusedError, match="input itself"):
            clean(mixed, output=output, options=ALL)

    assert mixed.read_bytes() == body


def test_the_output_goes_where_it_is_told(mixed: Path, tmp_path: Path) -> None:
    report = clean(str(mixed), output=tmp_path / "new" / "b.txt", options=ALL)

    assert report.path == tmp_path / "new" / "b.txt"
    assert report.path.read_bytes() == clean(mixed, options=ALL).path.read_bytes()


@pytest.mark.parametrize("format_name", ["cif", "pdb"])
def test_a_file_of_which_nothing_would_be_left_is_refused(format_name: str, tmp_path: Path) -> None:
    others = [("W", water(n)) for n in range(1, 4)]
    sample = Sample(polymers=[], others=others)
    path = write(tmp_path, to_mmcif(sample) if format_name == "cif" else to_pdb(sample))

    with pytest.raises(RefusedError, match="nothing would be left"):
        clean(path, options=ALL)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_wrong_files_are_told_in_a_sentence_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="there is no file"):
        clean(tmp_path / "none.cif", options=ALL)
    with pytest.raises(CacheError, match="cannot read"):
        clean(tmp_path, options=ALL)
    for body, message in (
        (b"", "is empty|it is empty"),
        (b"<html>503</html>", "web page"),
        (b"\x1f\x8b\x08", "damaged or cut short"),
        (to_mmcif(MIXED)[:-300], "cut short"),
        (b"data_x\nloop_\n_atom_site.id\n1\n2\n", "no item label_comp_id"),
    ):
        path = write(tmp_path, body)
        with pytest.raises(DamagedFileError, match=message):
            clean(path, options=ALL)
    assert [entry.name for entry in tmp_path.iterdir()] == ["test.cif"]
