"""The molecules of the examples: the same 2,160 atoms as a cage, a rod, a star and a ring.

Each stands in the embedded archive under an id that exists, so that the examples read as they would against
the real services, and says in its title that it is synthetic. They have what cleaning is about: a signal
peptide (in the predicted model only), hydrogens, waters, a sulfate, and a modified residue of the chain.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .geometry import BACKBONE, HELICES, RESIDUES_PER_HELIX, Coordinates, ideal_helix, place_helices

if TYPE_CHECKING:
    import gemmi

__all__ = ["MOLECULES", "Molecule"]

LOOP = 4  # residues between two helices that the sequence has and the model does not
THREE_LETTERS = {
    "A": "ALA",
    "E": "GLU",
    "L": "LEU",
    "K": "LYS",
    "R": "ARG",
    "Q": "GLN",
    "M": "MET",
    "I": "ILE",
    "V": "VAL",
}


@dataclass(frozen=True, kw_only=True)
class Molecule:
    """One synthetic molecule and the ids it goes by.

    Parameters
    ----------
    query
        Id that the examples ask profet for: a PDB id or a UniProt accession.
    accession
        UniProt accession of its chains.
    pdb_id
        Id of the structure; None for a molecule that exists as a predicted model only.
    shape
        Key of :data:`perc_simulation.geometry.SHAPES`.
    chains
        Number of identical chains that share the 24 helices.
    signal_length
        Length of the signal peptide at the start of the UniProt sequence, 0 for none.
    """

    query: str
    accession: str
    pdb_id: str | None
    shape: str
    chains: int
    signal_length: int = 0

    @property
    def label(self) -> str:
        """Class name in the examples: the query in lower case."""
        return self.query.lower()

    @property
    def title(self) -> str:
        """Title that every file and record of this molecule carries."""
        return f"SYNTHETIC example molecule, {self.shape} of {HELICES} ideal alpha helices"

    @property
    def sequence(self) -> str:
        """UniProt sequence: signal peptide, then helices joined by loops; fixed by the accession."""
        per_chain = HELICES // self.chains
        length = self.signal_length + per_chain * RESIDUES_PER_HELIX + (per_chain - 1) * LOOP
        letters = random.Random(self.accession).choices("".join(THREE_LETTERS), k=length)
        letters[0] = letters[self.signal_length + 6] = "M"
        return "".join(letters)

    def uniprot_record(self) -> dict[str, object]:
        """Entry as ``rest.uniprot.org`` would give it in JSON, as far as the examples need it."""
        mature = f"{self.signal_length + 1}-{len(self.sequence)}"
        names = "/".join("ABCDEFGH"[: self.chains])
        references: list[dict[str, object]] = [{"database": "AlphaFoldDB", "id": self.accession}]
        if self.pdb_id is not None:
            details = {"Method": "EM", "Resolution": "3.00 A", "Chains": f"{names}={mature}"}
            references.append(
                {
                    "database": "PDB",
                    "id": self.pdb_id.upper(),
                    "properties": [{"key": key, "value": value} for key, value in details.items()],
                }
            )
        features: list[dict[str, object]] = []
        if self.signal_length:
            ends = {"start": 1, "end": self.signal_length}
            location = {end: {"value": value, "modifier": "EXACT"} for end, value in ends.items()}
            features.append({"type": "Signal", "location": location, "description": ""})
        return {
            "entryType": "UniProtKB unreviewed (TrEMBL)",
            "primaryAccession": self.accession,
            "uniProtkbId": f"{self.accession}_SYNTH",
            "proteinDescription": {"recommendedName": {"fullName": {"value": self.title}}},
            "organism": {"scientificName": "synthetic construct", "taxonId": 32630},
            "features": features,
            "uniProtKBCrossReferences": references,
            "sequence": {"value": self.sequence, "length": len(self.sequence)},
        }

    def model(self) -> tuple[bytes, bytes]:
        """Predicted model of one chain with its signal peptide, as AlphaFold DB serves it: (mmCIF, PDB)."""
        structure = self._structure(chains=1, offset=0)
        if self.signal_length:
            signal = ideal_helix(self.signal_length) + np.array([0.0, 0.0, 60.0])
            residues = _residues(self.sequence[: self.signal_length], signal, first=1)
            for position, residue in enumerate(residues):
                structure[0][0].add_residue(residue, position)
        for residue in structure[0][0]:
            for atom in residue:
                atom.b_iso = 55.0 if (residue.seqid.num or 0) <= self.signal_length else 92.0
        _declare(structure, [THREE_LETTERS[letter] for letter in self.sequence])
        document = structure.make_mmcif_document()
        block = document.sole_block()
        block.name = f"AF-{self.accession}-F1"
        atoms = block.get_mmcif_category("_atom_site.")
        atoms["pdbx_sifts_xref_db_acc"] = [self.accession] * len(atoms["id"])
        atoms["pdbx_sifts_xref_db_name"] = ["UNP"] * len(atoms["id"])
        atoms["pdbx_sifts_xref_db_num"] = atoms["label_seq_id"]
        atoms["pdbx_sifts_xref_db_res"] = [self.sequence[int(number) - 1] for number in atoms["label_seq_id"]]
        block.set_mmcif_category("_atom_site.", atoms)
        self._add_reference(block, chains=1, first_in_chain=1, first_in_sequence=1)
        _add_confidence(block)
        return document.as_string().encode(), self._pdb(structure, chains=1, first=1)

    def entry(self) -> tuple[bytes, bytes]:
        """Experimental structure without the signal peptide, as the PDB would serve it: (mmCIF, PDB)."""
        structure = self._structure(chains=self.chains, offset=self.signal_length)
        _add_hydrogens(structure)
        modified = structure[0][0][6]
        modified.name, modified.het_flag = "MSE", "H"
        mature = [THREE_LETTERS[letter] for letter in self.sequence[self.signal_length :]]
        mature[6] = "MSE"
        _declare(structure, mature, chains=self.chains)
        _add_small_molecules(structure)
        document = structure.make_mmcif_document()
        block = document.sole_block()
        block.name = str(self.pdb_id).upper()
        block.set_pair("_entry.id", block.name)
        self._add_reference(
            block, chains=self.chains, first_in_chain=1, first_in_sequence=self.signal_length + 1
        )
        return document.as_string().encode(), self._pdb(
            structure, chains=self.chains, first=self.signal_length + 1
        )

    def _structure(self, *, chains: int, offset: int) -> gemmi.Structure:
        """First chains of the molecule; residue 1 is the one after the first ``offset`` of the sequence."""
        import gemmi

        structure = gemmi.Structure()
        structure.name = (self.pdb_id or f"AF-{self.accession}-F1").upper()
        structure.info["_struct.title"] = self.title
        structure.info["_exptl.method"] = "ELECTRON MICROSCOPY"
        model = gemmi.Model(1)
        helices = place_helices(self.shape).reshape(self.chains, -1, RESIDUES_PER_HELIX, len(BACKBONE), 3)
        for index, group in enumerate(helices[:chains]):
            chain = gemmi.Chain("ABCDEFGH"[index])
            for number, helix in enumerate(group):
                start = self.signal_length + number * (RESIDUES_PER_HELIX + LOOP)
                letters = self.sequence[start : start + RESIDUES_PER_HELIX]
                for residue in _residues(letters, helix, first=start + 1 - offset):
                    chain.add_residue(residue)
            model.add_chain(chain)
        structure.add_model(model)
        return structure

    def _add_reference(
        self, block: gemmi.cif.Block, *, chains: int, first_in_chain: int, first_in_sequence: int
    ) -> None:
        """Say which UniProt residues the chains are: ``_struct_ref`` and ``_struct_ref_seq``."""
        length = len(self.sequence) - first_in_sequence + 1
        block.set_mmcif_category(
            "_struct_ref.",
            {
                "id": ["1"],
                "entity_id": ["1"],
                "db_name": ["UNP"],
                "db_code": [f"{self.accession}_SYNTH"],
                "pdbx_db_accession": [self.accession],
                "pdbx_align_begin": [str(first_in_sequence)],
            },
        )
        names = list("ABCDEFGH"[:chains])
        block.set_mmcif_category(
            "_struct_ref_seq.",
            {
                "align_id": [str(i + 1) for i in range(chains)],
                "ref_id": ["1"] * chains,
                "pdbx_strand_id": names,
                "seq_align_beg": [str(first_in_chain)] * chains,
                "seq_align_end": [str(first_in_chain + length - 1)] * chains,
                "pdbx_db_accession": [self.accession] * chains,
                "db_align_beg": [str(first_in_sequence)] * chains,
                "db_align_end": [str(len(self.sequence))] * chains,
            },
        )

    def _pdb(self, structure: gemmi.Structure, *, chains: int, first: int) -> bytes:
        """PDB file with the DBREF records that gemmi does not write, before the first SEQRES."""
        text = structure.make_pdb_string()
        length = len(self.sequence) - first + 1
        code = structure.name[:4] if self.pdb_id else "    "
        lines = [
            f"DBREF  {code:4} {name} {1:4d}  {length:4d}  UNP    {self.accession:8} "
            f"{self.accession + '_SYN':12} {first:5d}  {len(self.sequence):5d}"
            for name in "ABCDEFGH"[:chains]
        ]
        references = "".join(f"{line:80}\n" for line in lines)
        before, marker, after = text.partition("SEQRES")
        return (before + references + marker + after).encode()


def _residues(letters: str, helix: Coordinates, *, first: int) -> list[gemmi.Residue]:
    """Residues of one helix, numbered from ``first``; side chains end at the Cβ."""
    import gemmi

    residues = []
    for index, (letter, places) in enumerate(zip(letters, helix, strict=True)):
        residue = gemmi.Residue()
        residue.name = THREE_LETTERS[letter]
        residue.seqid = gemmi.SeqId(first + index, " ")
        residue.label_seq = first + index
        residue.entity_type = gemmi.EntityType.Polymer
        for name, place in zip(BACKBONE, places, strict=True):
            residue.add_atom(_atom(name, name[0], place))
        residues.append(residue)
    return residues


def _atom(name: str, element: str, place: Coordinates) -> gemmi.Atom:
    import gemmi

    atom = gemmi.Atom()
    atom.name, atom.element, atom.occ, atom.b_iso = name, gemmi.Element(element), 1.0, 30.0
    atom.pos = gemmi.Position(*(round(float(x), 3) for x in place))  # what both formats can hold
    return atom


def _declare(structure: gemmi.Structure, sequence: list[str], *, chains: int = 1) -> None:
    """Entities, subchains and the full sequence of the polymer; all chains are the same entity."""
    import gemmi

    entity = gemmi.Entity("1")
    entity.entity_type = gemmi.EntityType.Polymer
    entity.polymer_type = gemmi.PolymerType.PeptideL
    entity.full_sequence = sequence
    entity.subchains = list("ABCDEFGH"[:chains])
    structure.entities.append(entity)
    for chain in structure[0]:
        for residue in chain:
            residue.subchain, residue.entity_id = chain.name, "1"
            residue.het_flag = "H" if residue.name == "MSE" else "A"


def _add_confidence(block: gemmi.cif.Block) -> None:
    """State the confidence of each residue, which the B column holds, as files of AlphaFold DB do."""
    metric = {"id": ["1"], "mode": ["local"], "name": ["pLDDT"], "type": ["pLDDT"]}
    block.set_mmcif_category("_ma_qa_metric.", metric)
    items = ["label_asym_id", "label_comp_id", "label_seq_id", "B_iso_or_equiv"]
    rows = list(dict.fromkeys(tuple(row) for row in block.find("_atom_site.", items)))
    loop = block.init_loop("_ma_qa_metric_local.", [*items[:3], "metric_id", "metric_value", "model_id"])
    for chain, residue, number, confidence in rows:
        loop.add_row([chain, residue, number, "1", confidence, "1"])


def _add_hydrogens(structure: gemmi.Structure) -> None:
    """Amide hydrogens, 1.01 Å from N, opposite to the middle of its two neighbours."""
    for chain in structure[0]:
        for before, residue in zip(list(chain)[:-1], list(chain)[1:], strict=True):
            if residue.label_seq != (before.label_seq or 0) + 1:
                continue
            n, ca, c = (
                np.array(atom.pos.tolist()) for atom in (residue["N"][0], residue["CA"][0], before["C"][0])
            )
            towards = (ca - n) / np.linalg.norm(ca - n) + (c - n) / np.linalg.norm(c - n)
            residue.add_atom(_atom("H", "H", n - 1.01 * towards / np.linalg.norm(towards)))


def _add_small_molecules(structure: gemmi.Structure) -> None:
    """One sulfate in chain A and twenty waters in chain B's name, well away from the protein."""
    import gemmi

    tetrahedron = 1.49 / np.sqrt(3) * np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    place = np.array([70.0, 70.0, 70.0])
    sulfate = gemmi.Residue()
    sulfate.name, sulfate.seqid, sulfate.het_flag = "SO4", gemmi.SeqId(900, " "), "H"
    sulfate.entity_type, sulfate.subchain, sulfate.entity_id = gemmi.EntityType.NonPolymer, "S", "2"
    sulfate.add_atom(_atom("S", "S", place))
    for number, offset in enumerate(tetrahedron, start=1):
        sulfate.add_atom(_atom(f"O{number}", "O", place + offset))
    structure[0][0].add_residue(sulfate)
    for number in range(20):
        water = gemmi.Residue()
        water.name, water.seqid, water.het_flag = "HOH", gemmi.SeqId(1001 + number, " "), "H"
        water.entity_type, water.subchain, water.entity_id = gemmi.EntityType.Water, "W", "3"
        water.add_atom(_atom("O", "O", np.array([-70.0, -70.0 + 7.0 * number, 70.0])))
        structure[0][0].add_residue(water)
    for name, kind, subchain in (("2", gemmi.EntityType.NonPolymer, "S"), ("3", gemmi.EntityType.Water, "W")):
        entity = gemmi.Entity(name)
        entity.entity_type, entity.subchains = kind, [subchain]
        structure.entities.append(entity)


MOLECULES = (
    Molecule(query="4v1w", accession="P02791", pdb_id="4v1w", shape="cage", chains=4),
    Molecule(query="7qk5", accession="P02794", pdb_id="7qk5", shape="rod", chains=4),
    Molecule(query="P05067", accession="P05067", pdb_id=None, shape="star", chains=1, signal_length=17),
    Molecule(query="P45523", accession="P45523", pdb_id="1q6u", shape="ring", chains=4, signal_length=25),
)
"""The four classes of the examples. Cleaned, each has 432 residues of 5 atoms: equal mass, other shape."""
