"""Sequences of proteins by UniProt id, isoform or PDB id, as records of Biopython.

A title is ``>sp|P05067|A4_HUMAN …`` at UniProt and ``>1PPE_1|Chain A[auth E]|TRYPSIN|Bos taurus (9913)`` at
the RCSB, which answers with a sentence, and status 200, where it has nothing.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from profet import settings
from profet.access import Access
from profet.databases.rcsb_data import Alignment, find_facts
from profet.errors import (
    DamagedFileError,
    InvalidChoiceError,
    RefusedError,
    StructureNotFoundError,
)
from profet.ids import PdbId, UniProtId, parse_id, shown
from profet.obsolete import find_withdrawn
from profet.records import ask_for_many
from profet.store import Key
from profet.uniprot import SOURCE, UniProtEntry, find_entry
from profet.uniprot_batch import batch_urls

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

_logger = logging.getLogger(__name__)

SIGNAL = "signal_peptide"
"""Annotation of a record whose signal peptide was cut off: as ``1-17`` in UniProt numbering."""

_NOTHING = ("No fasta files were found.", "No valid PDB IDs were submitted.")
_RCSB_TITLE = re.compile(r"(?P<entity>\w+)\|Chains? (?P<chains>[^|]*)\|(?P<name>[^|]*)\|?(?P<organism>.*)")
_CHAIN = re.compile(r"(?P<label>[^\s,\[]+)(?:\[auth (?P<author>[^\]]+)\])?")


class Sequences:
    """Gets sequences.

    Parameters
    ----------
    access
        The way to services, through the cache.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    def one(self, typed: str, *, chain: str | None = None, cleave_signal: bool = False) -> SeqRecord:
        """Get the sequence of an id; see `profet.Fetcher.get_sequence`."""
        records = self.all_of(typed, cleave_signal=cleave_signal)
        if chain is not None:
            records = [record for record in records if record.annotations.get("chain") == chain]
            if not records:
                raise InvalidChoiceError(f"{shown(typed)} has no chain {shown(chain)} with a sequence")
        if len({str(record.seq) for record in records}) > 1:
            chains = ", ".join(str(record.annotations["chain"]) for record in records)
            raise InvalidChoiceError(
                f"{shown(typed)} has several sequences; choose a chain ({chains}) or get them all"
            )
        return records[0]

    def all_of(self, typed: str, *, cleave_signal: bool = False) -> list[SeqRecord]:
        """Get the sequences of an id: one, or of a PDB id one for each chain."""
        identity = parse_id(typed)
        if isinstance(identity, PdbId):
            return self._of_entry(identity, cleave_signal=cleave_signal)
        return [self._of_protein(identity, cleave_signal=cleave_signal)]

    def all_of_many(self, ids: Iterable[str], *, cleave_signal: bool = False) -> list[SeqRecord]:
        """Get the sequences of many ids, in their order."""
        wanted = list(ids)
        self.prepare(wanted)
        return [record for typed in wanted for record in self.all_of(typed, cleave_signal=cleave_signal)]

    def prepare(self, ids: Iterable[str]) -> None:
        """Put the sequences of many accessions into the cache, in as few requests as possible.

        Raises
        ------
        InvalidIdError
            If one of the ids is none. Nothing has been asked then.
        """
        identities = [parse_id(typed) for typed in ids]
        missing = dict.fromkeys(
            identity.accession
            for identity in identities
            if isinstance(identity, UniProtId)
            and not (identity.isoform or identity.is_entry_name)
            and self._access.kept(_key(identity.accession)) is None
        )
        if len(missing) > 1 and not settings.is_offline():
            for url in batch_urls(missing, "format=fasta"):
                ask_for_many(self._access, url, _split)

    def _of_protein(self, identity: UniProtId, *, cleave_signal: bool) -> SeqRecord:
        name = quote(identity.text)
        url = f"{settings.service_url('UNIPROT')}/uniprotkb/{name}.fasta"
        text = self._access.text(_key(identity.text), url, _check_fasta)
        if not text:
            # An entry that was withdrawn has an empty sequence; its record says why.
            entry = find_entry(self._access, identity)
            if identity.isoform and identity.isoform == entry.canonical_isoform:
                # The only sequence of the entry, which goes by no number here.
                plain = UniProtId(typed=identity.typed, accession=entry.accession)
                return self._of_protein(plain, cleave_signal=cleave_signal)
            raise StructureNotFoundError(
                f"UniProt has no sequence of {identity.typed}", accession=identity.text, asked=(SOURCE,)
            )
        (record,) = _parse(text)
        if cleave_signal:
            entry = find_entry(self._access, identity)
            return _cleaved(record, _signal_in(str(record.seq), entry, identity))
        return record

    def _of_entry(self, pdb_id: PdbId, *, cleave_signal: bool) -> list[SeqRecord]:
        text = self._fasta_of_entry(pdb_id)
        if not text:
            pdb_id = self._successor(pdb_id)
            text = self._fasta_of_entry(pdb_id)
        if not text:
            raise _nothing_of(pdb_id)
        records = [chain for record in _parse(text) for chain in _by_chain(record)]
        return list(self._without_signals(pdb_id, records)) if cleave_signal else records

    def _fasta_of_entry(self, pdb_id: PdbId) -> str:
        url = f"{settings.service_url('RCSB')}/fasta/entry/{pdb_id.text}"
        text = self._access.text(Key(source="pdb", id=pdb_id.text, extension="fasta"), url, _check_fasta)
        return "" if text is None or text.startswith(_NOTHING) else text

    def _successor(self, pdb_id: PdbId) -> PdbId:
        withdrawn = find_withdrawn(self._access, pdb_id)
        if withdrawn is None:
            raise _nothing_of(pdb_id)
        if len(withdrawn.successors) != 1:
            hint = f"; ask for {' or '.join(withdrawn.successors)}" if withdrawn.successors else ""
            raise _nothing_of(pdb_id, f": it was withdrawn ({withdrawn.date}){hint}")
        _logger.warning("the PDB has withdrawn %s; %s took its place", pdb_id.text, withdrawn.successors[0])
        return PdbId(typed=pdb_id.typed, text=withdrawn.successors[0])

    def _without_signals(self, pdb_id: PdbId, records: Iterable[SeqRecord]) -> Iterator[SeqRecord]:
        """Cut from each chain what its alignment with UniProt says is a signal peptide."""
        facts = find_facts(self._access, [pdb_id]).get(pdb_id.text)
        entities = {} if facts is None else {entity.id: entity.alignments for entity in facts.entities}
        for record in records:
            yield self._without_signal(record, entities.get(str(record.annotations["entity"]), ()))

    def _without_signal(self, record: SeqRecord, alignments: Sequence[Alignment]) -> SeqRecord:
        for alignment in alignments:
            identity = parse_id(alignment.accession)
            if isinstance(identity, UniProtId):
                for first, last in find_entry(self._access, identity).ranges():
                    cut = residues_up_to(alignment, last)
                    if cut:
                        return _cleaved(record, (first, last), length=cut)
        return record


def _nothing_of(pdb_id: PdbId, hint: str = "") -> StructureNotFoundError:
    return StructureNotFoundError(
        f"the PDB has no sequence of {pdb_id.typed}{hint}", accession=pdb_id.text, asked=("pdb",)
    )


def to_fasta(records: Iterable[SeqRecord]) -> str:
    """Write records in FASTA format, 60 letters a line as UniProt does."""
    return "".join(format(record, "fasta") for record in records)


def to_record(record: SeqRecord) -> dict[str, Any]:
    """Return what JSON can hold of a record."""
    return {
        "id": record.id,
        "description": record.description,
        "length": len(record),
        "sequence": str(record.seq),
        **record.annotations,
    }


def _key(name: str) -> Key:
    return Key(source=SOURCE, id=name, extension="fasta")


def _split(answer: bytes) -> dict[Key, str]:
    """Sequences by accession; what UniProt has withdrawn is not among them."""
    _check_fasta(answer)
    parts = answer.decode("utf-8", errors="replace").split(">")[1:]
    return {_key(part.split("|")[1]): f">{part}" for part in parts}


def _check_fasta(data: bytes) -> str | None:
    text = data.decode("utf-8", errors="replace")
    if text and not text.startswith((">", *_NOTHING)):
        raise DamagedFileError(f"this is no sequence in FASTA format: it begins with {text[:20]!a}")
    return None


def _parse(text: str) -> list[SeqRecord]:
    from Bio import SeqIO  # half a second, so only when it is needed

    return list(SeqIO.parse(io.StringIO(text), "fasta"))  # type: ignore[no-untyped-call]


def _by_chain(record: SeqRecord) -> Iterator[SeqRecord]:
    """One record for each chain that has the sequence, called after the chain's name in the file."""
    from Bio.SeqRecord import SeqRecord as Record

    title = _RCSB_TITLE.fullmatch(record.description)
    if title is None:
        raise DamagedFileError(f"the RCSB sent a sequence titled {record.description[:60]!a}")
    pdb_id, _, entity = title["entity"].rpartition("_")
    for chain in _CHAIN.finditer(title["chains"]):
        author = chain["author"] or chain["label"]
        yield Record(
            record.seq,
            id=f"{pdb_id}_{author}",
            name=f"{pdb_id}_{author}",
            description=" ".join(filter(None, [title["name"], title["organism"]])),
            annotations={
                "molecule_type": "protein",
                "entity": entity,
                "chain": author,
                "label_chain": chain["label"],
                "organism": title["organism"],
            },
        )


def _signal_in(letters: str, entry: UniProtEntry, identity: UniProtId) -> tuple[int, int] | None:
    """Signal peptide of a sequence, which may be that of an isoform; None if there is none."""
    ranges = entry.ranges()
    if not ranges:
        return None
    first, last = ranges[0]
    # UniProt counts along the canonical sequence; many isoforms begin like it, and then the count is theirs.
    if letters[:last] != entry.sequence[:last]:
        raise RefusedError(
            f"{identity.text} does not begin like {entry.accession}, whose signal peptide is known, so "
            "nothing can be cut off"
        )
    return first, last


def residues_up_to(alignment: Alignment, last: int) -> int:
    """How many residues an entity has up to residue `last` of UniProt, 0 if it begins behind that.

    What stands before the signal peptide, as a tag, goes with it.

    Raises
    ------
    RefusedError
        If a part of the mature protein stands before it, as in a chain that holds the protein twice.
    """
    found = [
        begin + min(last, ref + length - 1) - ref for begin, ref, length in alignment.regions if ref <= last
    ]
    end = max(found, default=0)
    mature = (
        begin + max(0, last + 1 - ref) for begin, ref, length in alignment.regions if ref + length > last + 1
    )
    if any(start <= end for start in mature):
        raise RefusedError(
            f"a chain has a mature part of {alignment.accession} in front of the signal peptide, so nothing "
            "can be cut off"
        )
    return end


def _cleaved(record: SeqRecord, signal: tuple[int, int] | None, *, length: int | None = None) -> SeqRecord:
    if signal is None:
        return record
    mature = record[signal[1] if length is None else length :]
    mature.annotations = {**record.annotations, SIGNAL: f"{signal[0]}-{signal[1]}"}
    mature.description = f"{record.description} (without signal peptide {signal[0]}-{signal[1]})"
    return mature
