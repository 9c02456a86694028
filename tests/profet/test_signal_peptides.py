"""Signal peptides of real structures: what author numbers would take away, and what truly goes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import gemmi
import pytest

from perc_archive import Archive
from profet import CleanOptions, CleanReport, Fetcher, clean
from profet_oracles import atom_rows, check_mmcif
from profet_samples import uniprot_record

pytestmark = pytest.mark.real_data

SIGNAL = CleanOptions(signal_peptides=True)
LYSOZYME = (
    "MRSLLILVLCFLPLAALGKVFGRCELAAAMKRHGLDNYRGYSLGNWVCAAKFESNFNTQATNRNTDGSTDYGILQINSRWWCNDGRTPGSRNLCNIPC"
    "SALLSSDITASVNCAKKIVSDGNGMNAWVAWRNRCKGTDVQAWIRGCRL"
)
# Where UniProt's sequence is not recorded, it is put together from the file's own sequence; the signal
# peptides are those that UniProt states (P00791: inferred from where the mature protein starts).
STATED = {"P00698": (1, 18), "P00791": (1, 15), "P01308": (1, 24), "P00760": (1, 17)}


def unpack(real_data: Path, name: str, folder: Path) -> Path:
    """A real file, unpacked."""
    path = folder / name
    path.write_bytes(gzip.decompress((real_data / "profet" / f"{name}.gz").read_bytes()))
    return path


def sequences(path: Path) -> dict[str, str]:
    """Whole sequence of each chain, as gemmi reads it from the file."""
    structure = gemmi.read_structure(str(path))
    structure.setup_entities()
    found = {}
    for chain in structure[0]:
        entity = structure.get_entity_of(chain.get_polymer())
        if entity is not None:
            found[chain.name] = gemmi.one_letter_code(
                [item.split(",")[0] for item in entity.full_sequence]
            ).upper()
    return found


def add_p05067(archive: Archive, real_data: Path) -> None:
    """The recorded entry, whose signal peptide is 1-17."""
    record = gzip.decompress((real_data / "profet" / "uniprot_P05067.json.gz").read_bytes())
    archive.add_uniprot("P05067", json.loads(record))


def protein_of(name: str, path: Path) -> tuple[str, str]:
    """Accession and sequence of the protein of a file whose entry is not recorded."""
    letters = sequences(path)["A"]
    if name.startswith("1aki"):
        return "P00698", LYSOZYME
    if name.startswith("3psg"):  # SIFTS: 1-370 are 16-385 of UniProt, with two conflicts
        return "P00791", f"MKWLLLLSLVVLSEC{letters[:18]}N{letters[19:306]}N{letters[307:]}"
    if name.startswith("4xoj"):
        return "P00760", letters
    return "P01308", letters


@pytest.mark.parametrize(
    ("name", "by_author_numbers", "method"),
    [
        ("1aki.cif", 18, "reference"),
        ("1aki.pdb", 18, "reference"),
        ("3psg_updated.cif", 30, "SIFTS"),
        ("3psg.pdb", 30, "alignment"),
        ("1amb_updated.cif", 17, "SIFTS"),
        ("2y29_updated.cif", 6, "SIFTS"),
        ("2y29.cif", 6, "reference"),
        ("2BEG.cif", 5, "reference"),
        ("4xoj.pdb", 2, "reference"),
    ],
)
def test_a_structure_without_its_signal_peptide_loses_nothing(
    name: str, by_author_numbers: int, method: str, archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, name, tmp_path)
    accession, end = "P05067", 17
    add_p05067(archive, real_data)
    if name[:4] in ("1aki", "3psg", "4xoj"):
        accession, sequence = protein_of(name, path)
        end = STATED[accession][1]
        archive.add_uniprot(accession, uniprot_record(accession, sequence, signal=STATED[accession]))

    report = clean(path, options=SIGNAL, accession=accession)

    assert report.path.read_bytes() == path.read_bytes()
    assert report.path.stem == f"{path.stem}_nosignal1to{end}"
    assert report.signal_peptides == {accession: ((1, end),)}
    assert {chain.method for chain in report.numbering} == {method}
    assert min(chain.first or 0 for chain in report.numbering) > end
    chains = {chain.chain for chain in report.numbering}
    assert _residues_numbered_up_to(path, end, chains) == by_author_numbers


def _residues_numbered_up_to(path: Path, end: int, chains: set[str]) -> int:
    """What comparing author numbers with UniProt numbers would take away."""
    return sum(
        1 <= int(residue.seqid.num or 0) <= end
        for chain in gemmi.read_structure(str(path))[0]
        if chain.name in chains
        for residue in chain.first_conformer()
        if gemmi.find_tabulated_residue(residue.name).is_amino_acid()
    )


@pytest.mark.parametrize(
    ("name", "end", "atoms", "residues"),
    [
        ("AF-P05067-F1-model_v6.cif", 17, 124, 17),
        ("AF-P05067-F1-model_v6.pdb", 17, 124, 17),
        ("AF-P05067-2-F1-model_v6.cif", 17, 124, 17),
        ("AF-P01308-F1-model_v4.pdb", 24, 182, 24),
    ],
)
def test_a_model_loses_exactly_its_signal_peptide(
    name: str, end: int, atoms: int, residues: int, archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, name, tmp_path)
    add_p05067(archive, real_data)
    archive.add_uniprot("P01308", uniprot_record("P01308", sequences(path)["A"], signal=(1, 24)))

    report = clean(path, options=SIGNAL)

    assert report.atoms_removed == {"signal_peptides": {"A": atoms}}
    assert report.residues_removed == {"signal_peptides": {"A": residues}}
    before, after = (gemmi.read_structure(str(file))[0]["A"] for file in (path, report.path))
    assert [residue.seqid.num for residue in after] == list(range(end + 1, len(before) + 1))
    assert report.path.stem == f"{path.stem}_nosignal1to{end}"


def test_an_isoform_is_numbered_along_the_canonical_sequence(
    archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, "AF-P05067-2-F1-model_v6.cif", tmp_path)
    add_p05067(archive, real_data)

    (numbering,) = clean(path, options=SIGNAL, accession="P05067-2").numbering

    assert (numbering.accession, numbering.method, numbering.first) == ("P05067", "alignment", 1)


def removed(report: CleanReport) -> dict[str, int]:
    """Residues of signal peptides by chain."""
    return dict(report.residues_removed.get("signal_peptides", {}))


def test_of_two_proteins_only_the_chains_of_the_one_named_are_considered(
    archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    """1JK9 holds P00445 (chains A, C; its stated range is off by one) and P40202 (B, D)."""
    path = unpack(real_data, "1jk9_updated.cif", tmp_path)
    letters = sequences(path)
    archive.add_uniprot("P00445", uniprot_record("P00445", "M" + letters["A"], signal=(1, 11)))
    archive.add_uniprot("P40202", uniprot_record("P40202", letters["B"], signal=(1, 12)))

    one = clean(path, options=SIGNAL, accession="P00445")
    other = clean(path, options=SIGNAL, accession="P40202")
    both = clean(path, options=SIGNAL)

    # Residue 1 of either protein was not seen.
    assert removed(one) == {"A": 10, "C": 10}
    assert {chain.chain for chain in one.numbering} == {"A", "C"}
    assert set(removed(other)) == {"B", "D"}
    assert max(removed(other).values()) <= 12
    assert removed(both) == {**removed(one), **removed(other)}
    assert both.path.stem == "1jk9_updated_nosignal1to11_1to12"
    for report in (one, other, both):
        assert sum(map(len, gemmi.read_structure(str(report.path))[0])) > 700


def test_the_stated_range_of_1jk9_is_not_believed_without_sifts(
    archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, "1jk9_updated.cif", tmp_path)
    letters = sequences(path)
    archive.add_uniprot("P00445", uniprot_record("P00445", "M" + letters["A"], signal=(1, 11)))
    expected = clean(path, options=SIGNAL, accession="P00445").path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"pdbx_sifts", b"another"))

    report = clean(path, options=SIGNAL, accession="P00445")

    assert {chain.method for chain in report.numbering} == {"alignment"}
    assert {row["id"] for row in atom_rows(report.path.read_bytes())} == {
        row["id"] for row in atom_rows(expected)
    }


def test_in_pdb_format_too_only_the_chain_of_the_protein_is_considered(
    archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    """4XOJ: trypsin (chain A) and the inhibitor Q4GWU5, residues 40 to 52 (chain B)."""
    path = unpack(real_data, "4xoj.pdb", tmp_path)
    letters = sequences(path)
    inhibitor = "A" * 39 + letters["B"] + "AAAA"
    archive.add_uniprot("Q4GWU5", uniprot_record("Q4GWU5", inhibitor, signal=(1, 42)))
    archive.add_uniprot("P00760", uniprot_record("P00760", letters["A"], signal=(1, 25)))

    assert removed(clean(path, options=SIGNAL, accession="Q4GWU5")) == {"B": 3}
    assert removed(clean(path, options=SIGNAL, accession="P00760")) == {"A": 2}
    assert removed(clean(path, options=SIGNAL)) == {"A": 2, "B": 3}


def test_both_formats_lose_the_same_residues(archive: Archive, real_data: Path, tmp_path: Path) -> None:
    cif, pdb = (unpack(real_data, name, tmp_path) for name in ("3psg_updated.cif", "3psg.pdb"))
    accession, sequence = protein_of("3psg", cif)
    # As if the signal peptide reached into what was seen: 16 to 70 are 1P to 44P and 1 to 11.
    archive.add_uniprot(accession, uniprot_record(accession, sequence, signal=(1, 70)))

    reports = [clean(path, options=SIGNAL) for path in (cif, pdb)]

    left = [
        {str(residue.seqid) for residue in gemmi.read_structure(str(report.path))[0]["A"]}
        for report in reports
    ]
    assert left[0] == left[1]
    assert [removed(report)["A"] for report in reports] == [55, 55]
    before, after = cif.read_bytes(), reports[0].path.read_bytes()
    gone = {row["id"] for row in atom_rows(before)} - {row["id"] for row in atom_rows(after)}
    check_mmcif(before, after, gone, {("A", str(number)) for number in range(1, 56)})
    assert "12" in left[0]
    assert not {"1P", "44P", "1", "11"} & left[0]


@pytest.mark.parametrize(
    ("name", "residue", "atoms"),
    [("1A8O.pdb", "MSE", 32), ("1qup_updated.cif", "MSE", 32), ("5eil.cif", "BP5", 3)],
)
def test_modified_residues_of_the_chain_stay(
    name: str, residue: str, atoms: int, real_data: Path, tmp_path: Path
) -> None:
    path = unpack(real_data, name, tmp_path)

    report = clean(path, options=CleanOptions(hydrogens=True, water=True, hetatoms=True))

    left, before = (
        sum(
            not atom.is_hydrogen()
            for chain in gemmi.read_structure(str(file))[0]
            for item in chain
            if item.name == residue
            for atom in item
        )
        for file in (report.path, path)
    )
    assert left == before >= atoms


def test_remove_does_it_for_a_fetched_model_under_the_published_name(
    archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    add_p05067(archive, real_data)
    model = gzip.decompress((real_data / "profet/AF-P05067-F1-model_v6.pdb.gz").read_bytes())
    archive.add_alphafold("P05067", pdb=model)
    fetcher = Fetcher("alphafold", save_directory=tmp_path)
    fetcher.get_file("P05067", "pdb", True)

    path = fetcher.remove("P05067")

    assert path == str(tmp_path / "p05067_nosignal1to17_nohydrogens_nowater_nohetatm.pdb")
    assert Path(path).read_text().count("\nATOM") == 6091 - 124
