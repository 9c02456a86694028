"""By which numbers peptides are found: SIFTS in the file, PDBe, the stated range, an alignment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gemmi
import pytest
from Bio.Align import PairwiseAligner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perc_archive import Archive
from profet import CleanOptions, CleanReport, RefusedError, clean
from profet.cleaning.sifts import parse_segments
from profet_samples import NAMES, Polymer, Residue, Sample, feature, protein, to_mmcif, to_pdb, uniprot_record

SIGNAL = CleanOptions(signal_peptides=True)
SEQUENCE = protein(60)
FORMATS = pytest.mark.parametrize("format_name", ["cif", "pdb"])


def entry(
    format_name: str,
    folder: Path,
    *,
    first: int = 11,
    shift: int = 0,
    pdb_id: str = "1ABC",
    head: str = "",
    sequence: str | None = None,
    **facts: Any,
) -> Path:
    """A PDB entry whose only chain begins with this residue of P12345, or has a sequence of its own."""
    letters = SEQUENCE[first - 1 :] if sequence is None else sequence
    residues = [Residue(name=letter, place=n, number=n + shift) for n, letter in enumerate(letters, 1)]
    facts = {"accession": "P12345", "reference": (1, len(letters), first, 60), **facts}
    polymer = Polymer(name="A", sequence=letters, residues=residues, **facts)
    sample = Sample(polymers=[polymer])
    if format_name == "cif":
        body = to_mmcif(sample).replace(
            b"data_TEST\n#\n", f"data_X\n_entry.id {pdb_id}\n#\n{head}".encode(), 1
        )
    else:
        body = to_pdb(sample).replace(
            b"HEADER    TEST".ljust(80), f"HEADER{pdb_id:>60}".encode().ljust(80), 1
        )
    path = folder / f"a.{format_name}"
    path.write_bytes(body)
    return path


def tell(archive: Archive, first: int, last: int, database_first: int, *, accession: str = "P12345") -> None:
    """What PDBe says of chain A of 1ABC."""
    mapping = {
        "chain_id": "A",
        "struct_asym_id": "A",
        "entity_id": 1,
        "start": {"residue_number": first, "author_residue_number": None, "author_insertion_code": ""},
        "end": {"residue_number": last, "author_residue_number": None, "author_insertion_code": ""},
        "unp_start": database_first,
        "unp_end": database_first + last - first,
    }
    archive.add_record("sifts", "1abc", {accession: {"mappings": [mapping]}})


def add_protein(archive: Archive, **facts: Any) -> None:
    """P12345, with a signal peptide of 20 residues."""
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, **{"signal": (1, 20), **facts}))


def method(report: CleanReport) -> str:
    """How the only chain was numbered."""
    (numbering,) = report.numbering
    return numbering.method


def residues_gone(report: CleanReport) -> int:
    """How many residues of peptides went."""
    return sum(sum(chains.values()) for chains in report.residues_removed.values())


@FORMATS
def test_pdbe_is_asked_before_the_stated_range_is_believed(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    tell(archive, 1, 50, 11)

    report = clean(entry(format_name, tmp_path, shift=7), options=SIGNAL)

    assert (method(report), residues_gone(report)) == ("PDBe", 10)
    asked = [request.path for request in archive.requests()]
    assert asked == ["/uniprotkb/P12345.json", "/pdbe/api/v2/mappings/uniprot/1abc"]
    clean(tmp_path / f"a.{format_name}", options=SIGNAL)
    assert len(archive.requests()) == 2  # the cache answers


@FORMATS
def test_where_pdbe_knows_nothing_the_stated_range_counts_and_then_an_alignment(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)

    # In PDB format the stated range counts as the authors do, so their shift makes it miss.
    for shift, expected in ((0, "reference"), (3, "reference" if format_name == "cif" else "alignment")):
        report = clean(entry(format_name, tmp_path, shift=shift), options=SIGNAL)
        assert (method(report), residues_gone(report)) == (expected, 10)


@FORMATS
def test_a_service_that_fails_is_told_and_the_file_serves(
    format_name: str,
    archive: Archive,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    add_protein(archive)
    archive.add_fault("status", match="*mappings*", status=503)

    report = clean(entry(format_name, tmp_path), options=SIGNAL)

    assert (method(report), residues_gone(report)) == ("reference", 10)
    assert "PDBe could not be asked how 1abc is numbered" in caplog.text


@FORMATS
def test_numbers_that_do_not_fit_the_letters_are_not_believed(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    tell(archive, 1, 50, 1)  # off by ten

    report = clean(entry(format_name, tmp_path), options=SIGNAL)

    assert (method(report), residues_gone(report)) == ("reference", 10)


@pytest.mark.parametrize("record", [[], {"1abc": None}, {"1abc": {"UniProt": {"P1": {"mappings": [{}]}}}}, 7])
def test_a_mapping_that_cannot_be_understood_counts_as_none(record: Any) -> None:
    assert parse_segments(record) == {}


@FORMATS
@pytest.mark.parametrize("pdb_id", ["XXXX", "AF-P12345-F1", "none"])
def test_a_file_that_is_no_entry_of_the_pdb_is_not_asked_for(
    pdb_id: str, format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)

    report = clean(entry(format_name, tmp_path, pdb_id=pdb_id[:12]), options=SIGNAL)

    assert method(report) == "reference"
    assert [request.path for request in archive.requests()] == ["/uniprotkb/P12345.json"]


SEGMENTS = "entity_id asym_id unp_acc segment_id instance_id unp_start unp_end seq_id_start seq_id_end"


def test_segments_of_sifts_in_the_file_serve_where_atoms_carry_no_numbers(
    archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    head = "loop_\n" + "".join(f"_pdbx_sifts_unp_segments.{item}\n" for item in SEGMENTS.split())
    head += "1 A P12345 1 1 11 20 1 10\n1 A P12345 2 1 21 60 11 50\n#\n"

    report = clean(entry("cif", tmp_path, head=head, reference=None, accession=None), options=SIGNAL)

    assert (method(report), residues_gone(report)) == ("SIFTS", 10)
    assert len(archive.requests()) == 1


@pytest.mark.parametrize(
    ("rows", "sequence", "expected"),
    [
        # A tag of another protein, which SIFTS numbers from 1 as well.
        ("1 A Q99999 1 1 1 5 1 5\n1 A P12345 2 1 11 60 6 55\n", "GGSGS" + SEQUENCE[10:], ("SIFTS", 10)),
        # Ten residues that are said to be nine: nobody knows which of them is missing.
        ("1 A P12345 1 1 11 19 1 10\n1 A P12345 2 1 21 60 11 50\n", SEQUENCE[10:], ("alignment", 10)),
    ],
    ids=["another protein's", "of two lengths"],
)
def test_segments_number_their_own_protein_and_only_if_both_counts_are_as_long(
    rows: str, sequence: str, expected: tuple[str, int], archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    head = "loop_\n" + "".join(f"_pdbx_sifts_unp_segments.{item}\n" for item in SEGMENTS.split())
    path = entry("cif", tmp_path, head=f"{head}{rows}#\n", sequence=sequence, reference=None, accession=None)

    report = clean(path, options=SIGNAL, accession="P12345")

    assert (method(report), residues_gone(report)) == expected


def test_residues_of_sifts_in_the_file_serve_too(archive: Archive, tmp_path: Path) -> None:
    add_protein(archive)
    head = "loop_\n_pdbx_sifts_xref_db.asym_id\n_pdbx_sifts_xref_db.seq_id\n"
    head += "_pdbx_sifts_xref_db.unp_num\n_pdbx_sifts_xref_db.unp_acc\n"
    head += "".join(f"A {n} {n + 10} P12345\n" for n in range(1, 51)) + "#\n"
    path = entry("cif", tmp_path, head=head, reference=None, accession=None)

    report = clean(path, options=SIGNAL)

    assert (method(report), residues_gone(report)) == ("SIFTS", 10)
    listed = report.path.read_text().split("unp_acc\n")[1].split("#")[0].split()
    assert listed[1::4] == [str(n) for n in range(11, 51)]  # no residue without atoms is listed


@FORMATS
def test_a_protein_that_the_file_calls_otherwise_is_found_by_pdbe(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    tell(archive, 1, 50, 11)
    path = entry(format_name, tmp_path, accession="Q99999")

    report = clean(path, options=SIGNAL, accession="P12345")

    assert (method(report), residues_gone(report)) == ("PDBe", 10)


@FORMATS
def test_an_initiator_methionine_is_not_taken_for_the_signal_peptide(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    """The mature protein as bacteria make it: a methionine in front that UniProt's sequence has not there."""
    assert SEQUENCE[0] == "M"
    assert SEQUENCE[19] != "M"
    add_protein(archive)
    path = entry(format_name, tmp_path, sequence="M" + SEQUENCE[20:], reference=(2, 41, 21, 60), shift=-1)

    report = clean(path, options=SIGNAL)

    assert residues_gone(report) == 0
    assert report.numbering[0].first == 21


@FORMATS
def test_a_methionine_that_the_cell_cuts_off_is_no_signal_peptide(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    record = uniprot_record("P12345", SEQUENCE)
    record["features"] = [feature("Initiator methionine", 1, 1), feature("Chain", 2, 60)]
    archive.add_uniprot("P12345", record)

    report = clean(entry(format_name, tmp_path, first=1), options=SIGNAL)

    assert (residues_gone(report), report.signal_peptides) == (0, {"P12345": ()})


@FORMATS
@pytest.mark.parametrize(
    ("kind", "word", "suffix"),
    [
        ("Signal", "signal_peptides", "nosignal2to20"),
        ("Transit peptide", "transit_peptides", "notransit2to20"),
        ("Propeptide", "propeptides", "nopropeptide2to20"),
    ],
)
def test_a_methionine_in_front_of_what_is_cut_off_goes_with_it(
    kind: str, word: str, suffix: str, format_name: str, archive: Archive, tmp_path: Path
) -> None:
    record = uniprot_record("P12345", SEQUENCE)
    record["features"] = [feature("Initiator methionine", 1, 1), feature(kind, 2, 20)]
    archive.add_uniprot("P12345", record)
    options: dict[str, Any] = {word: True}

    report = clean(entry(format_name, tmp_path, first=1), options=CleanOptions(**options))

    left = [residue.seqid.num for residue in gemmi.read_structure(str(report.path))[0]["A"]]
    assert left == list(range(21, 61))
    assert report.residues_removed == {word: {"A": 20}}
    assert report.path.stem == f"a_{suffix}"


@FORMATS
def test_of_a_chimera_each_part_loses_its_own_signal_peptide(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    other = protein(80, seed=99)
    add_protein(archive)
    archive.add_uniprot("Q99999", uniprot_record("Q99999", other, signal=(1, 15)))
    sequence = SEQUENCE[:40] + "GGSGGS" + other[:40]
    path = entry(format_name, tmp_path, pdb_id="none", sequence=sequence, accession=None, reference=None)

    gone = []
    for accession in ("P12345", "Q99999"):
        report = clean(path, options=SIGNAL, accession=accession)
        left = {residue.seqid.num for residue in gemmi.read_structure(str(report.path))[0]["A"]}
        gone.append(sorted(set(range(1, 87)) - left))

    assert gone == [list(range(1, 21)), list(range(47, 62))]


@FORMATS
def test_a_fragment_of_a_long_model_is_numbered_as_the_whole_protein(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)  # as AlphaFold DB's second fragment begins with residue 201, counted from 1
    path = entry(format_name, tmp_path, first=16, pdb_id="AF-P12345-F2" if format_name == "cif" else "XXXX")

    report = clean(path, options=SIGNAL)

    left = [residue.seqid.num for residue in gemmi.read_structure(str(report.path))[0]["A"]]
    assert left == list(range(6, 46))
    assert report.numbering[0].first == 16


@FORMATS
def test_a_chain_of_nucleotides_need_not_say_which_protein_it_is(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    residues = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)]
    protein_chain = Polymer(
        name="A", sequence=SEQUENCE, residues=residues, accession="P12345", reference=(1, 60, 1, 60)
    )
    names = ["DA", "DC", "DG", "DT"] * 5
    bases = [Residue(name=name, place=n, number=n, atoms=(("P", "P"),)) for n, name in enumerate(names, 1)]
    sample = Sample(polymers=[protein_chain, Polymer(name="B", sequence=names, residues=bases)])
    path = tmp_path / f"a.{format_name}"
    path.write_bytes(to_mmcif(sample) if format_name == "cif" else to_pdb(sample))

    report = clean(path, options=SIGNAL)

    assert report.residues_removed == {"signal_peptides": {"A": 20}}


PARTS = [
    feature("Signal", 1, 10),
    feature("Propeptide", 11, 15),
    feature("Propeptide", 56, 60),
    feature("Transit peptide", 16, 18),
]


@FORMATS
@pytest.mark.parametrize(
    ("options", "gone", "suffix"),
    [
        ({"signal_peptides": True}, {"signal_peptides": 10}, "nosignal1to10"),
        ({"propeptides": True}, {"propeptides": 10}, "nopropeptide11to15_56to60"),
        ({"transit_peptides": True}, {"transit_peptides": 3}, "notransit16to18"),
        (
            {"signal_peptides": True, "propeptides": True, "transit_peptides": True},
            {"signal_peptides": 10, "propeptides": 10, "transit_peptides": 3},
            "nosignal1to10_notransit16to18_nopropeptide11to15_56to60",
        ),
    ],
)
def test_each_part_goes_when_it_is_asked_for(
    options: dict[str, Any],
    gone: dict[str, int],
    suffix: str,
    format_name: str,
    archive: Archive,
    tmp_path: Path,
) -> None:
    archive.add_uniprot("P12345", {**uniprot_record("P12345", SEQUENCE), "features": PARTS})

    report = clean(entry(format_name, tmp_path, first=1), options=CleanOptions(**options))

    assert report.residues_removed == {reason: {"A": count} for reason, count in gone.items()}
    assert report.path.stem == f"a_{suffix}"


@FORMATS
@pytest.mark.parametrize(
    ("kind", "word"), [("Propeptide", "propeptides"), ("Transit peptide", "transit_peptides")]
)
def test_a_part_of_unknown_end_is_refused_under_its_name(
    kind: str, word: str, format_name: str, archive: Archive, tmp_path: Path
) -> None:
    record = {**uniprot_record("P12345", SEQUENCE), "features": [feature(kind, 1, None)]}
    archive.add_uniprot("P12345", record)
    path = entry(format_name, tmp_path, first=1)
    options: dict[str, Any] = {word: True}

    with pytest.raises(RefusedError, match=f"has a {kind.lower()}, but not where it ends"):
        clean(path, options=CleanOptions(**options))
    assert clean(path, options=SIGNAL).atoms_removed == {}  # nobody asked about the other one


@FORMATS
def test_the_report_says_in_words_that_nothing_was_there_to_remove(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)

    report = clean(entry(format_name, tmp_path, first=21), options=SIGNAL)

    first, second = str(report).splitlines()
    assert first == f"a.{format_name}: 160 of 160 atoms stay"
    assert second.startswith("  signal peptide 1-20 of P12345: chain A has residues 21 to 60 of the protein")
    assert second.endswith(" by reference; nothing was removed")
    assert json.loads(json.dumps(report.as_dict()))["numbering"] == [
        {"chain": "A", "accession": "P12345", "method": "reference", "first": 21, "last": 60}
    ]


def test_a_file_of_a_program_that_writes_authors_numbers_only_is_numbered_all_the_same(
    archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    items = (
        "group_PDB id type_symbol auth_atom_id auth_comp_id auth_asym_id auth_seq_id Cartn_x Cartn_y Cartn_z"
    )
    rows = [
        f"ATOM {n} C CA {NAMES[letter]} A {n + 100} {n}.5 0 0" for n, letter in enumerate(SEQUENCE[10:], 1)
    ]
    rows.append("HETATM 51 O O HOH A 7 0 0 0")
    path = tmp_path / "a.cif"
    header = "".join(f"_atom_site.{item}\n" for item in items.split())
    path.write_text("data_x\nloop_\n" + header + "\n".join(rows) + "\n")

    report = clean(path, options=SIGNAL, accession="P12345")

    assert (method(report), residues_gone(report)) == ("alignment", 10)
    assert report.path.read_text() == path.read_text().replace("\n".join(rows[:10]) + "\n", "")


def test_a_file_without_numbered_chains_is_refused_rather_than_said_to_have_no_signal(tmp_path: Path) -> None:
    items = "id type_symbol label_atom_id label_comp_id label_asym_id label_seq_id"
    path = tmp_path / "a.cif"
    header = "".join(f"_atom_site.{item}\n" for item in items.split())
    path.write_text("data_x\nloop_\n" + header + "1 C CA ALA A .\n")

    with pytest.raises(RefusedError, match="no chain with numbered residues"):
        clean(path, options=SIGNAL)


@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_goes_is_what_an_independent_alignment_puts_into_the_signal_peptide(
    data: st.DataObject, archive: Archive, tmp_path: Path
) -> None:
    """Numbers, insertion codes, gaps, mutations and chains at random; nothing stated but the accession."""
    signal = data.draw(st.integers(5, 20))
    archive.clear()
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, signal=(1, signal)))
    for kept in Path("~/.cache/pdb/.profet/uniprot").expanduser().glob("*"):
        kept.unlink()
    polymers, expected = [], set[tuple[str, str]]()
    for name in data.draw(st.sampled_from(["A", "AB", "CA"])):
        polymer = data.draw(_observed(name))
        polymers.append(polymer)
        letters = "".join(residue.name for residue in polymer.residues)
        expected |= {
            (name, f"{residue.number}{residue.insertion}")
            for residue, number in zip(polymer.residues, _aligned(letters), strict=True)
            if number is not None and number <= signal
        }
    sample = Sample(polymers=polymers)

    for format_name, body in (("cif", to_mmcif(sample)), ("pdb", to_pdb(sample))):
        path = tmp_path / f"a.{format_name}"
        path.write_bytes(body)
        report = clean(path, options=SIGNAL)
        assert _labels(path) - _labels(report.path) == expected, report.numbering


@st.composite
def _observed(draw: st.DrawFn, name: str) -> Polymer:
    """A stretch of P12345 with a loop that was not seen and a mutation, in numbers of the authors' own."""
    first = draw(st.integers(1, 30))
    last = draw(st.integers(first + 25, 60))
    construct = list(SEQUENCE[first - 1 : last])
    # Where a letter beside the loop is one that ends the loop, too, there are two alignments as good.
    lost = draw(
        st.integers(0, 5).filter(
            lambda n: n == 0 or (construct[14] != construct[14 + n] and construct[15] != construct[15 + n])
        )
    )
    # Beside the loop, letters alone do not tell on which side of it a mutated residue stands.
    mutated = draw(st.integers(8, len(construct) - 9).filter(lambda at: not 14 <= at <= 15 + lost))
    construct[mutated] = "W" if construct[mutated] != "W" else "A"
    shift = draw(st.integers(-40, 900))
    has_insertions = draw(st.booleans())
    residues = []
    for place, letter in enumerate(construct):
        if 15 <= place < 15 + lost:  # a loop in the middle
            continue
        is_inserted = has_insertions and place < 10
        residues.append(
            Residue(
                name=letter,
                place=place + 1,
                number=shift if is_inserted else place + 1 + shift,
                insertion="ABCDEFGHIJ"[place] if is_inserted else "",
            )
        )
    reference = (1, len(construct), first + 50, last + 50)  # a statement that helps nobody
    return Polymer(name=name, sequence=construct, residues=residues, accession="P12345", reference=reference)


def _aligned(letters: str) -> list[int | None]:
    """UniProt numbers by a global alignment with free ends, whose scores are not those of the library."""
    aligner: Any = PairwiseAligner(  # type: ignore[no-untyped-call]
        mode="global", match_score=5, mismatch_score=-4, open_gap_score=-12, extend_gap_score=-0.1
    )
    aligner.end_gap_score = 0
    numbers: list[int | None] = [None] * len(letters)
    found = aligner.align(letters, SEQUENCE)[0]
    for (start, end), (reference_start, _) in zip(*found.aligned, strict=True):
        for step in range(end - start):
            numbers[start + step] = int(reference_start) + step + 1
    return numbers


def _labels(path: Path) -> set[tuple[str, str]]:
    import gemmi

    return {(chain.name, str(item.seqid)) for chain in gemmi.read_structure(str(path))[0] for item in chain}


OTHER = protein(45, seed=11)


def two_proteins(*, second: str, first: int) -> bytes:
    """P12345 and another protein, as programs write them: without sequences or references."""
    polymers = [
        Polymer(
            name=name,
            sequence="",
            residues=[Residue(name=letter, place=n, number=n) for n, letter in enumerate(letters, start)],
        )
        for name, letters, start in (("A", SEQUENCE, 1), (second, OTHER, first))
    ]
    return to_pdb(Sample(polymers=polymers))


def as_bare_mmcif(pdb: bytes) -> bytes:
    """Atoms of a file in PDB format, and nothing else."""
    items = ["group_PDB", "id", "label_atom_id", "label_comp_id", "auth_asym_id", "auth_seq_id"]
    rows = [line.split()[:6] for line in pdb.decode().splitlines() if line.startswith("ATOM")]
    names = [f"_atom_site.{item}" for item in items]
    return "\n".join(["data_x", "loop_", *names, *map(" ".join, rows), ""]).encode()


@FORMATS
def test_two_residues_of_one_number_in_a_chain_are_refused_where_a_peptide_is_to_go(
    format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    path = tmp_path / f"a.{format_name}"

    def write(body: bytes) -> None:
        path.write_bytes(as_bare_mmcif(body) if format_name == "cif" else body)

    write(two_proteins(second="A", first=1))
    with pytest.raises(RefusedError, match=r"chain A of .* has several residues of the number 1"):
        clean(path, options=SIGNAL, accession="P12345")
    assert list(tmp_path.iterdir()) == [path]
    for apart in (two_proteins(second="B", first=1), two_proteins(second="A", first=101)):
        write(apart)
        report = clean(path, options=SIGNAL, accession="P12345")
        assert report.residues_removed == {"signal_peptides": {"A": 20}}
        assert len(report.path.read_bytes().splitlines()) + 80 == len(path.read_bytes().splitlines())


def test_models_that_only_end_are_models_all_the_same(archive: Archive, tmp_path: Path) -> None:
    add_protein(archive)
    model = [line for line in two_proteins(second="B", first=1).splitlines() if line.startswith(b"ATOM")]
    path = tmp_path / "a.pdb"
    path.write_bytes(b"\n".join([*model, b"ENDMDL", *model, b"ENDMDL", b""]))

    report = clean(path, options=SIGNAL, accession="P12345")

    assert report.atoms_removed == {"signal_peptides": {"A": 2 * 20 * 4}}


@FORMATS
@pytest.mark.parametrize("length", [3, 4, 7])
def test_a_short_peptide_that_names_no_protein_is_not_taken_for_a_piece_of_one(
    length: int, format_name: str, archive: Archive, tmp_path: Path
) -> None:
    add_protein(archive)
    peptide = SEQUENCE[5 : 5 + min(length, 4)] + "WWW"[: max(0, length - 4)]
    polymers = [
        Polymer(
            name=name,
            sequence=letters,
            residues=[Residue(name=letter, place=n, number=n) for n, letter in enumerate(letters, 1)],
        )
        for name, letters in (("A", SEQUENCE), ("B", peptide))
    ]
    path = tmp_path / f"a.{format_name}"
    path.write_bytes((to_mmcif if format_name == "cif" else to_pdb)(Sample(polymers=polymers)))

    report = clean(path, options=SIGNAL, accession="P12345")

    assert report.residues_removed == {"signal_peptides": {"A": 20}}
    assert [numbering.chain for numbering in report.numbering] == ["A"]
