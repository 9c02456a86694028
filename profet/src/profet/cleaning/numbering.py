"""UniProt numbers for the residues of a chain: the most trustworthy map that the file allows.

Author numbers are not UniProt numbers: lysozyme 1AKI counts the mature protein from 1 to 129, which are
residues 19 to 147 of P00698. Even the range that a file states (``struct_ref_seq``, ``DBREF``) may follow a
sequence that UniProt has changed since. So, in this order:

1. numbers of SIFTS in the file, atom by atom, residue by residue or as segments (``pdbx_sifts_*``);
2. SIFTS as PDBe's service states it, for a file that says which PDB entry it is;
3. the range that the file states, if it is as long in either count and every letter agrees with UniProt;
4. an alignment of the chain's sequence with UniProt's.

Numbers of the first two count only where the letters at them agree, but for some mutations, and segments only
where each is as long in either count: a file may have been renumbered since, and UniProt's sequence may have
changed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from profet.cleaning.alignment import align
from profet.errors import RefusedError
from profet.uniprot import UniProtEntry

SIFTS, PDBE, REFERENCE, ALIGNMENT = "SIFTS", "PDBe", "reference", "alignment"

_LEAST_IDENTITY_STATED = 0.8  # the file says which protein it is; mutants and strains differ a little
_LEAST_IDENTITY_UNSTATED = 0.95
_ENOUGH_RESIDUES = 20  # equal ones; of a shorter chain or protein, half of it
_LEAST_RESIDUES_UNSTATED = 8  # equal ones: any three or four are found in a protein by chance


@dataclass(frozen=True, kw_only=True)
class Residue:
    """A residue with coordinates.

    Attributes
    ----------
    key
        What the editor finds its atoms by.
    letter
        One-letter code, X if unknown.
    number
        Its number in the count that `Reference` uses; None if that count does not reach it.
    seq_id
        Its 1-based number in the chain's sequence, which `Segment` uses; None if unknown.
    place
        Its 0-based place in the chain's sequence; None if unknown.
    sifts
        Accession and UniProt number in the file.
    """

    key: Hashable
    letter: str
    number: int | None
    seq_id: int | None = None
    place: int | None = None
    sifts: tuple[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A range that the file says belongs to a protein. `accession` is None for other databases."""

    accession: str | None
    first: int
    last: int
    database_first: int
    database_last: int

    @property
    def is_consistent(self) -> bool:
        """Whether both ranges are of the same length."""
        return self.last - self.first == self.database_last - self.database_first


@dataclass(frozen=True, kw_only=True)
class Segment(Reference):
    """A range of the chain's sequence that SIFTS gives to a protein."""

    accession: str


Segments = Mapping[str, Sequence[Segment]]
"""By the authors' name of the chain."""

Ask = Callable[[], Segments]
"""Asks PDBe for the segments of the file's entry; there are none where it cannot tell."""


@dataclass(kw_only=True)
class Chain:
    """A polymer chain: residues with coordinates, the whole sequence if the file has it, stated ranges.

    `repeated` is a number that several residues of the chain go by, as where a program has written two chains
    under one name; empty if there is none.
    """

    name: str
    residues: list[Residue] = field(default_factory=list)
    sequence: str = ""
    references: list[Reference] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    repeated: str = ""

    def accessions(self) -> list[str]:
        """UniProt accessions that the file gives this chain."""
        stated = [reference.accession for reference in (*self.segments, *self.references)]
        named = [residue.sifts[0] for residue in self.residues if residue.sifts] + stated
        return list(dict.fromkeys(accession for accession in named if accession))

    @property
    def names_a_database(self) -> bool:
        """Whether the file says of this chain what it is, be it UniProt or another database."""
        return bool(self.references or self.segments) or any(residue.sifts for residue in self.residues)

    @property
    def has_amino_acids(self) -> bool:
        """Whether it is a protein; a chain of nucleotides, or of residues that nobody knows, is none."""
        return any(residue.letter != "X" for residue in self.residues)


@dataclass(frozen=True, kw_only=True)
class NumberedChain:
    """UniProt numbers by residue key, and how they were found."""

    chain: str
    accession: str
    method: str
    numbers: dict[Hashable, int]


def number_chains(
    chains: Sequence[Chain], entry: UniProtEntry, *, origin: str, ask: Ask = dict
) -> list[NumberedChain]:
    """Number the residues of a protein in those chains that are this protein.

    Parameters
    ----------
    chains
        All polymer chains of the file.
    entry
        The protein.
    origin
        Name of the file, for messages.
    ask
        Called if the file has no numbers of SIFTS for a chain.

    Raises
    ------
    RefusedError
        If no chain is that protein, or one that claims to be it cannot be matched with it, or the number of a
        residue in it does not tell which one is meant.
    """
    found = _number(chains, entry, origin, ask)
    repeated = {chain.name: chain.repeated for chain in chains if chain.repeated}
    for numbered in found:
        if numbered.chain in repeated:
            raise RefusedError(
                f"chain {numbered.chain or '(without a name)'} of {origin} has several residues of the "
                f"number {repeated[numbered.chain]}, so it is several chains; give each a name of its own"
            )
    return found


def _number(chains: Sequence[Chain], entry: UniProtEntry, origin: str, ask: Ask) -> list[NumberedChain]:
    own = {entry.accession, *entry.other_accessions}
    stated = [chain for chain in chains if own & {name.partition("-")[0] for name in chain.accessions()}]
    if stated:
        return [_number_stated(chain, entry, origin, ask) for chain in stated]
    found = [numbered for chain in chains if (numbered := _by_service(chain, entry, ask)) is not None]
    if not found:
        unknown = [chain for chain in chains if not chain.accessions()]
        found = [numbered for chain in unknown if (numbered := _align_unstated(chain, entry)) is not None]
    if not found:
        names = ", ".join(dict.fromkeys(name for chain in chains for name in chain.accessions()))
        holds = f"it names {names}" if names else "it names no protein, and no sequence in it fits"
        raise RefusedError(f"no chain of {origin} is {entry.accession}: {holds}")
    return found


def _number_stated(chain: Chain, entry: UniProtEntry, origin: str, ask: Ask) -> NumberedChain:
    for find in (_by_sifts, partial(_by_service, ask=ask), _by_reference):
        if (numbered := find(chain, entry)) is not None:
            return numbered
    aligned = _by_alignment(chain, entry, least_identity=_LEAST_IDENTITY_STATED)
    if aligned is None:
        raise RefusedError(
            f"chain {chain.name} of {origin} says it is {entry.accession}, but its sequence does not fit "
            "UniProt's, so its residues cannot be numbered"
        )
    return _numbered(chain, entry, ALIGNMENT, aligned)


def _by_sifts(chain: Chain, entry: UniProtEntry) -> NumberedChain | None:
    """Numbers in the file, of single residues if it has them, else of segments."""
    single = {
        residue.key: residue.sifts[1]
        for residue in chain.residues
        if residue.sifts and entry.is_named(residue.sifts[0])
    }
    numbers = single or _by_segments(chain, entry, chain.segments)
    return _numbered(chain, entry, SIFTS, numbers) if _is_credible(chain, entry, numbers) else None


def _by_service(chain: Chain, entry: UniProtEntry, ask: Ask) -> NumberedChain | None:
    numbers = _by_segments(chain, entry, ask().get(chain.name, ()))
    return _numbered(chain, entry, PDBE, numbers) if _is_credible(chain, entry, numbers) else None


def _by_segments(chain: Chain, entry: UniProtEntry, segments: Sequence[Segment]) -> dict[Hashable, int]:
    """Numbers by the segments of the protein; none if one of them is not as long in either count."""
    own = [segment for segment in segments if entry.is_named(segment.accession)]
    if not all(segment.is_consistent for segment in own):
        return {}
    return {
        residue.key: residue.seq_id - segment.first + segment.database_first
        for segment in own
        for residue in chain.residues
        if residue.seq_id is not None and segment.first <= residue.seq_id <= segment.last
    }


def _is_credible(chain: Chain, entry: UniProtEntry, numbers: Mapping[Hashable, int]) -> bool:
    """Whether most of the letters at the numbers are UniProt's."""
    numbered = [residue for residue in chain.residues if residue.key in numbers and residue.letter != "X"]
    agreeing = sum(_agrees(residue.letter, entry.sequence, numbers[residue.key]) for residue in numbered)
    return bool(numbered) and agreeing >= _LEAST_IDENTITY_STATED * len(numbered)


def _align_unstated(chain: Chain, entry: UniProtEntry) -> NumberedChain | None:
    aligned = _by_alignment(
        chain, entry, least_identity=_LEAST_IDENTITY_UNSTATED, least_residues=_LEAST_RESIDUES_UNSTATED
    )
    return None if aligned is None else _numbered(chain, entry, ALIGNMENT, aligned)


def _numbered(chain: Chain, entry: UniProtEntry, method: str, numbers: dict[Hashable, int]) -> NumberedChain:
    return NumberedChain(chain=chain.name, accession=entry.accession, method=method, numbers=numbers)


def _by_reference(chain: Chain, entry: UniProtEntry) -> NumberedChain | None:
    """Numbers by the stated ranges, or None if any letter disagrees or any residue is not in the count."""
    references = [item for item in chain.references if item.accession and entry.is_named(item.accession)]
    if not references or not all(reference.is_consistent for reference in references):
        return None
    numbers: dict[Hashable, int] = {}
    for residue in chain.residues:
        if residue.number is None:
            return None  # an insertion code: the count is not one of steps of one
        for reference in references:
            if reference.first <= residue.number <= reference.last:
                number = residue.number - reference.first + reference.database_first
                if not _agrees(residue.letter, entry.sequence, number):
                    return None
                numbers[residue.key] = number
    return _numbered(chain, entry, REFERENCE, numbers) if numbers else None


def _agrees(letter: str, sequence: str, number: int) -> bool:
    return 1 <= number <= len(sequence) and letter in ("X", sequence[number - 1])


def _by_alignment(
    chain: Chain, entry: UniProtEntry, *, least_identity: float, least_residues: int = 0
) -> dict[Hashable, int] | None:
    """Numbers by alignment; None if too few letters are equal for it to mean anything."""
    if not entry.sequence:
        raise RefusedError(f"UniProt gives no sequence of {entry.accession} to number residues by")
    residues = chain.residues
    sequence = chain.sequence
    if not sequence or any(residue.place is None for residue in residues):
        sequence = "".join(residue.letter for residue in residues)
        places: Sequence[int] = range(len(residues))
    else:
        places = [residue.place for residue in residues if residue.place is not None]
    numbers = align(sequence, entry.sequence)
    pairs = [
        (sequence[place], entry.sequence[number - 1])
        for place, number in enumerate(numbers)
        if number is not None and sequence[place] != "X"
    ]
    equal = sum(one == other for one, other in pairs)
    enough = max(least_residues, min(_ENOUGH_RESIDUES, len(sequence) / 2, len(entry.sequence) / 2))
    if not pairs or equal < enough or equal / len(pairs) < least_identity:
        return None
    return {
        residue.key: number
        for residue, place in zip(residues, places, strict=True)
        if place < len(numbers) and (number := numbers[place]) is not None
    }
