"""Sequences by UniProt id, isoform or PDB id, with and without the signal peptide."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import (
    DamagedFileError,
    Fetcher,
    InactiveAccessionError,
    InvalidChoiceError,
    InvalidIdError,
    RefusedError,
    StructureNotFoundError,
)
from profet.command_line import main
from profet.databases.rcsb_data import Alignment
from profet.sequences import residues_up_to
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, uniprot_record

SEQUENCE = protein(80)


def polymer(name: str, letters: str, accession: str, first: int) -> Polymer:
    """A chain that is a stretch of a protein, with a tag of three residues before it."""
    return Polymer(
        name=name,
        sequence=letters,
        residues=[Residue(name=letters[0], place=1, number=1)],
        accession=accession,
        reference=(4, len(letters), first, first + len(letters) - 4),
    )


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """A protein with a signal peptide, and an entry of it with another one."""
    record = uniprot_record("P05067", SEQUENCE, signal=(1, 17))
    archive.add_uniprot("P05067", {**record, "uniProtkbId": "A4_HUMAN"})
    archive.add_uniprot("P40202", uniprot_record("P40202", protein(50, seed=11)))
    tagged, mature = "GSH" + SEQUENCE[10:60], "GSH" + SEQUENCE[17:60]
    sample = Sample(
        polymers=[
            polymer("A", tagged, "P05067", 11),
            polymer("B", mature, "P05067", 18),
            polymer("C", "GSH" + protein(50, seed=11), "P40202", 1),
        ]
    )
    archive.add_structure("1JK9", cif=to_mmcif(sample, name="1JK9"))
    return archive


def test_a_protein_has_the_title_that_uniprot_gives_it(filled: Archive) -> None:
    record = Fetcher().get_sequence("p05067")

    assert (record.id, str(record.seq)) == ("sp|P05067|A4_HUMAN", SEQUENCE)
    assert [request.path for request in filled.requests()] == ["/uniprotkb/P05067.fasta"]
    assert str(Fetcher().get_sequence("P05067").seq) == SEQUENCE
    assert str(Fetcher().get_sequence("A4_HUMAN").seq) == SEQUENCE
    assert len(filled.requests("*P05067.fasta")) == 2  # the second one by way of its name


def test_the_signal_peptide_is_left_out_where_there_is_one(filled: Archive) -> None:
    fetcher = Fetcher()

    mature = fetcher.get_sequence("P05067", cleave_signal=True)
    whole = fetcher.get_sequence("P40202", cleave_signal=True)

    assert str(mature.seq) == SEQUENCE[17:]
    assert mature.annotations["signal_peptide"] == "1-17"
    assert mature.description.endswith("(without signal peptide 1-17)")
    assert (len(whole), "signal_peptide" in whole.annotations) == (50, False)


def test_a_signal_whose_end_is_unknown_is_not_cut_at_a_guess(filled: Archive) -> None:
    features = [{"type": "Signal", "location": {"start": {"value": 1, "modifier": "EXACT"},
                 "end": {"value": None, "modifier": "UNKNOWN"}}}]  # fmt: skip
    filled.add_uniprot("P45523", {**uniprot_record("P45523", SEQUENCE), "features": features})

    with pytest.raises(RefusedError, match="not where it ends"):
        Fetcher().get_sequence("P45523", cleave_signal=True)


def test_an_entry_has_one_record_for_each_chain(filled: Archive) -> None:
    fetcher = Fetcher()

    records = fetcher.get_sequences("1jk9")

    assert [record.id for record in records] == ["1JK9_A", "1JK9_B", "1JK9_C"]
    assert [record.annotations["entity"] for record in records] == ["1", "2", "3"]
    assert str(records[1].seq) == "GSH" + SEQUENCE[17:60]
    with pytest.raises(InvalidChoiceError, match=r"several sequences; choose a chain \(A, B, C\)"):
        fetcher.get_sequence("1jk9")
    assert fetcher.get_sequence("1jk9", chain="C").id == "1JK9_C"
    with pytest.raises(InvalidChoiceError, match="has no chain 'Z'"):
        fetcher.get_sequence("1jk9", chain="Z")


def test_signals_are_cut_from_chains_by_their_alignment_with_the_protein(filled: Archive) -> None:
    a, b, c = Fetcher().get_sequences("1jk9", cleave_signal=True)

    assert str(a.seq) == SEQUENCE[17:60]
    assert str(b.seq) == "GSH" + SEQUENCE[17:60]  # nothing of the signal is in it, so it stays as it is
    assert len(c) == 53


@pytest.mark.parametrize(
    "regions",
    [
        ((1, 41, 40), (41, 1, 40)),  # permuted: the mature end comes first
        ((1, 1, 60), (71, 1, 60)),  # the protein twice in one chain
    ],
)
def test_a_signal_behind_the_mature_protein_is_not_cut_with_all_before_it(
    regions: tuple[tuple[int, int, int], ...],
) -> None:
    alignment = Alignment(accession="P05067", coverage=None, regions=regions)

    with pytest.raises(RefusedError, match="mature part of P05067 in front of the signal peptide"):
        residues_up_to(alignment, 17)

    apart = Alignment(accession="P05067", coverage=None, regions=((4, 11, 3), (7, 20, 40)))
    assert residues_up_to(apart, 17) == 6


def test_many_take_one_question(filled: Archive) -> None:
    records = Fetcher().get_sequences(["P40202", "P05067", "1jk9"])

    assert [str(record.id).split("|")[-1] for record in records[:2]] == ["P40202_SYNTH", "A4_HUMAN"]
    assert len(records) == 5
    assert [request.path for request in filled.requests("rest.uniprot.org*")] == ["/uniprotkb/accessions"]


@pytest.mark.parametrize("name", ["P99999", "9zzz", "P99999-2"])
def test_what_is_not_there_is_not_found(name: str, filled: Archive) -> None:
    with pytest.raises(StructureNotFoundError):
        Fetcher().get_sequence(name)


def test_a_withdrawn_entry_has_an_empty_sequence_and_its_record_says_why(filled: Archive) -> None:
    reason = {"inactiveReasonType": "DEMERGED", "mergeDemergeTo": ["P63151", "P63150"]}
    filled.add_uniprot("Q00007", {"entryType": "Inactive", "inactiveReason": reason})

    with pytest.raises(InactiveAccessionError, match="P63151 or P63150"):
        Fetcher().get_sequence("Q00007")

    filled.add_record("obsolete", "9OLD", {"date": "01-JAN-20", "successors": ["1JK9"]})
    assert Fetcher().get_sequence("9old", chain="A").id == "1JK9_A"


@pytest.mark.parametrize(
    ("successors", "reason"),
    [
        (["9OL2"], "no sequence of 9ol1"),  # and the list says that 9OL1 took the place of that
        (["1AAA", "2BBB"], r"withdrawn \(01-JAN-20\); ask for 1AAA or 2BBB"),
        ([], r"withdrawn \(01-JAN-20\)$"),
    ],
)
def test_a_withdrawn_entry_without_one_successor_is_explained(
    successors: list[str], reason: str, archive: Archive
) -> None:
    archive.add_record("obsolete", "9OL1", {"date": "01-JAN-20", "successors": successors})
    archive.add_record("obsolete", "9OL2", {"date": "01-JAN-21", "successors": ["9OL1"]})

    with pytest.raises(StructureNotFoundError, match=reason):
        Fetcher().get_sequence("9ol1")


def test_what_is_no_sequence_is_not_believed(filled: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    filled.add_fault("html", match="*fasta*", times=None)

    for name in ("P05067", "1jk9"):
        with pytest.raises(DamagedFileError, match="no sequence in FASTA format"):
            Fetcher().get_sequence(name)
    with pytest.raises(InvalidIdError):
        Fetcher().get_sequences(["P05067", "wrong!"])


def test_the_command_prints_fasta_that_biopython_reads(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from Bio import SeqIO

    with pytest.raises(SystemExit) as ended:
        main(["sequence", "P05067", "1jk9", "P99999", "--cleave-signal", "-o", str(tmp_path / "all.fasta")])

    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (1, "")
    assert "UniProt has no entry P99999" in err
    with (tmp_path / "all.fasta").open() as file:
        records = list(SeqIO.parse(file, "fasta"))  # type: ignore[no-untyped-call]
    assert [len(record) for record in records] == [63, 43, 46, 53]
    main(["sequence", "P05067", "--json"])
    assert json.loads(capsys.readouterr().out)["sequence"] == SEQUENCE
    main(["sequence", "P40202"])
    text = capsys.readouterr().out
    assert text.startswith(">sp|P40202|")
    assert max(map(len, text.splitlines()[1:])) <= 60


@pytest.mark.real_data
def test_real_sequences_are_those_of_the_recorded_entries(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = real_data / "profet"
    with Archive(real_data=real_data, ftp=False) as archive:
        for name, value in archive.settings().items():
            monkeypatch.setenv(name, value)
        fetcher = Fetcher()
        entry = json.loads(gzip.decompress((folder / "uniprot_P05067.json.gz").read_bytes()))
        canonical = str(fetcher.get_sequence("P05067").seq)
        assert canonical == entry["sequence"]["value"] == str(fetcher.get_sequence("P05067-1").seq)
        assert str(fetcher.get_sequence("P05067", cleave_signal=True).seq) == canonical[17:]
        for model in json.loads((folder / "alphafold_prediction_P05067.json").read_bytes()):
            assert str(fetcher.get_sequence(model["uniprotAccession"]).seq) == model["sequence"]
        assert str(fetcher.get_sequence("P05067-2", cleave_signal=True).seq)[:9] == canonical[17:26]
        with pytest.raises(RefusedError, match="P05067-11 does not begin like P05067"):
            fetcher.get_sequence("P05067-11", cleave_signal=True)
        lysozyme = fetcher.get_sequence("1aki")
        assert (lysozyme.id, len(lysozyme), str(lysozyme.seq)[:9]) == ("1AKI_A", 129, "KVFGRCELA")
        assert [record.id for record in fetcher.get_sequences("1jk9")] == [
            "1JK9_A", "1JK9_C", "1JK9_B", "1JK9_D",
        ]  # fmt: skip
