"""One entry of UniProt answers most questions: which databases hold structures, the sequence, the signal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from profet import settings
from profet.access import Access
from profet.errors import (
    DamagedFileError,
    InactiveAccessionError,
    InvalidIdError,
    RefusedError,
    StructureNotFoundError,
)
from profet.hits import residues_in
from profet.ids import PdbId, UniProtId, parse_id
from profet.store import Key

SOURCE = "uniprot"
"""Folder of the cache that holds what UniProt sent."""

SIGNAL_PEPTIDE = "Signal"
"""UniProt's name of the feature."""

_CHAINS_PART = re.compile(r"\s*([^=]+)=(\d+)-(\d+)\s*")
_RESOLUTION = re.compile(r"([0-9]*\.?[0-9]+)\s*A")
_LONGEST_SEQUENCE = 100_000  # titin has 35,000 residues


@dataclass(frozen=True, kw_only=True)
class PdbReference:
    """What a UniProt entry says of one PDB entry.

    Attributes
    ----------
    resolution_angstrom
        None where the method has none, as NMR.
    segments
        ``(chains, first, last)`` in UniProt numbering, both ends included. This is the range of the
        *construct* that was put into the experiment; residues that were not seen are part of it.
    """

    pdb_id: str
    method: str
    resolution_angstrom: float | None
    segments: tuple[tuple[str, int, int], ...]

    @property
    def residues_covered(self) -> int:
        """How many residues of the protein the construct holds, whichever chain has them."""
        return residues_in(self.segments)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A stretch of the sequence: 1-based, both ends included; an end that UniProt does not know is None."""

    type: str
    first: int | None
    last: int | None
    is_certain: bool = True


@dataclass(frozen=True, kw_only=True)
class UniProtEntry:
    """The part of a UniProt entry that profet uses."""

    accession: str
    other_accessions: tuple[str, ...]
    sequence: str
    features: tuple[Feature, ...]
    pdb_references: tuple[PdbReference, ...]
    is_in_alphafold: bool
    isoforms: tuple[int, ...] = ()
    canonical_isoform: int | None = None

    def is_named(self, accession: str) -> bool:
        """Whether a file that says `accession` means the canonical sequence of this entry."""
        base, _, isoform = accession.upper().partition("-")
        if base != self.accession and base not in self.other_accessions:
            return False
        return not isoform or isoform == str(self.canonical_isoform)

    def ranges(self, kind: str = SIGNAL_PEPTIDE) -> tuple[tuple[int, int], ...]:
        """Where the features of a kind lie, as ``(first, last)`` in the canonical sequence.

        Raises
        ------
        RefusedError
            If UniProt knows that there is one, but not where it begins or ends.
        """
        found = []
        for feature in self.features:
            if feature.type == kind:
                if feature.first is None or feature.last is None:
                    missing = "begins" if feature.first is None else "ends"
                    name = "signal peptide" if kind == SIGNAL_PEPTIDE else kind.lower()
                    raise RefusedError(
                        f"UniProt says that {self.accession} has a {name}, but not where it {missing}, so it "
                        "cannot be cut off"
                    )
                found.append((feature.first, feature.last))
        return tuple(sorted(found))

    def is_certain(self, kind: str = SIGNAL_PEPTIDE) -> bool:
        """Whether UniProt is sure of where the features of a kind begin and end."""
        return all(feature.is_certain for feature in self.features if feature.type == kind)


def find_entry(access: Access, identity: UniProtId) -> UniProtEntry:
    """Get the entry of an accession (of an isoform too), asking UniProt at most once a week.

    Raises
    ------
    StructureNotFoundError
        If there is no such entry, or no such isoform in it.
    InactiveAccessionError
        If UniProt has withdrawn it. (Merged entries are followed to the one that holds them now.)
    """
    accession = identity.accession
    url = f"{settings.service_url('UNIPROT')}/uniprotkb/{quote(accession)}.json"
    record = access.record(entry_key(accession), url)
    if record is None:
        raise StructureNotFoundError(
            f"UniProt has no entry {accession}", accession=accession, asked=(SOURCE,)
        )
    return read_entry(record, identity)


def entry_key(accession: str) -> Key:
    """Where the cache keeps the whole record of an entry."""
    return Key(source=SOURCE, id=accession, extension="json")


def read_entry(record: Any, identity: UniProtId) -> UniProtEntry:
    """Read the record that UniProt sent for an identity; see `parse_entry`.

    Raises
    ------
    StructureNotFoundError
        If there is no such isoform in it.
    """
    entry = parse_entry(record)
    if identity.isoform and identity.isoform not in entry.isoforms:
        known = ", ".join(f"{entry.accession}-{number}" for number in entry.isoforms)
        raise StructureNotFoundError(
            f"UniProt has no isoform {identity.text}; it has {known}",
            accession=identity.text,
            asked=(SOURCE,),
        )
    return entry


def parse_entry(record: Any) -> UniProtEntry:
    """Read the JSON record of an entry.

    Parameters
    ----------
    record
        As ``json.loads`` gives it. Parts that are not there count as empty.

    Raises
    ------
    InactiveAccessionError
        If the entry is deleted, or has been split into others.
    DamagedFileError
        If it is not a record of UniProt.
    """
    try:
        if record["entryType"] == "Inactive":
            raise _inactive(record)
        return _parse_active(record)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        if isinstance(error, DamagedFileError):
            raise
        raise DamagedFileError(f"UniProt sent a record that cannot be understood ({error!r})") from None


def _parse_active(record: Mapping[str, Any]) -> UniProtEntry:
    references = record.get("uniProtKBCrossReferences") or ()
    sequence = str((record.get("sequence") or {}).get("value", ""))
    if len(sequence) > _LONGEST_SEQUENCE:
        raise DamagedFileError(f"UniProt sent a sequence of {len(sequence)} residues; no protein is so long")
    accession = str(record["primaryAccession"])
    isoforms, canonical = _isoforms(record.get("comments") or (), accession)
    return UniProtEntry(
        accession=accession,
        other_accessions=tuple(map(str, record.get("secondaryAccessions") or ())),
        sequence=sequence,
        features=tuple(
            _feature(feature)
            for feature in record.get("features") or ()
            # A feature that names an isoform is counted along that isoform, not along this sequence.
            if "sequence" not in feature["location"]
        ),
        pdb_references=tuple(
            _pdb_reference(item)
            for item in references
            if item["database"] == "PDB" and _is_pdb_id(str(item["id"]))
        ),
        is_in_alphafold=any(item["database"] == "AlphaFoldDB" for item in references),
        isoforms=isoforms,
        canonical_isoform=canonical,
    )


def _feature(feature: Mapping[str, Any]) -> Feature:
    start, end = (feature["location"][side] for side in ("start", "end"))
    # OUTSIDE means "before this" at the start and "behind this" at the end. What begins before the known
    # sequence begins, as far as a structure goes, with its first residue; what ends behind a position has
    # no known end.
    first = None if start["modifier"] == "UNKNOWN" else start["value"]
    last = None if end["modifier"] in ("UNKNOWN", "OUTSIDE") else end["value"]
    return Feature(
        type=str(feature["type"]),
        first=None if first is None else int(first),
        last=None if last is None else int(last),
        is_certain="UNSURE" not in (start["modifier"], end["modifier"]),
    )


def _pdb_reference(item: Mapping[str, Any]) -> PdbReference:
    properties = {entry["key"]: str(entry["value"]) for entry in item.get("properties") or ()}
    resolution = _RESOLUTION.fullmatch(properties.get("Resolution", ""))
    parts = (_CHAINS_PART.fullmatch(part) for part in properties.get("Chains", "").split(","))
    return PdbReference(
        pdb_id=str(item["id"]),
        method=properties.get("Method", ""),
        resolution_angstrom=float(resolution[1]) if resolution else None,
        segments=tuple((part[1], int(part[2]), int(part[3])) for part in parts if part),
    )


def _is_pdb_id(text: str) -> bool:
    try:
        return isinstance(parse_id(text), PdbId)
    except InvalidIdError:
        return False


def _isoforms(comments: Sequence[Mapping[str, Any]], accession: str) -> tuple[tuple[int, ...], int | None]:
    """Numbers of the isoforms, and which of them is the sequence that the entry shows."""
    numbers, canonical = set(), None
    for isoform in (isoform for comment in comments for isoform in comment.get("isoforms") or ()):
        for name in isoform.get("isoformIds") or ():
            base, _, number = str(name).rpartition("-")
            if base == accession:  # an "external" isoform has an entry of its own
                numbers.add(int(number))
                if isoform.get("isoformSequenceStatus") == "Displayed":
                    canonical = int(number)
    # An entry that lists none has one sequence, which goes by the number 1 as well as by none.
    return (tuple(sorted(numbers)), canonical) if numbers else ((1,), 1)


def _inactive(record: Mapping[str, Any]) -> InactiveAccessionError:
    accession = str(record["primaryAccession"])
    reason = record.get("inactiveReason") or {}
    successors = tuple(map(str, reason.get("mergeDemergeTo") or ()))
    kind = str(reason.get("inactiveReasonType", "inactive")).lower()
    if successors:
        hint = f"ask for {' or '.join(successors)} instead"
    else:
        hint = str(reason.get("deletedReason") or "it has no successor")
        hint += f"; AlphaFold DB may still have a model, AF-{accession}-F1"
    return InactiveAccessionError(
        f"UniProt has withdrawn {accession} ({kind}): {hint}", accession=accession, replaced_by=successors
    )
