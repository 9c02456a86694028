"""What an mmCIF file says of its chains: sequences, residues with coordinates, which protein each is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from profet.cleaning.alternatives import Alternatives, Position
from profet.cleaning.atoms_mmcif import UNSTATED, UNSTATED_TEXT, AtomColumns, ResidueKey
from profet.cleaning.numbering import Chain, Reference, Residue, Segment
from profet.cleaning.residues import WATERS, letter_of
from profet.formats import mmcif
from profet.formats.mmcif import Row

_SEQUENCE = "_entity_poly_seq"
_REFERENCE, _RANGE = "_struct_ref", "_struct_ref_seq"
_SEGMENTS, _RESIDUES = "_pdbx_sifts_unp_segments", "_pdbx_sifts_xref_db"

FOR_CHAINS = ("_entry", _SEQUENCE, _REFERENCE, _RANGE, _SEGMENTS, _RESIDUES)
"""Categories that tell of chains."""

Tables = defaultdict[str, list[dict[str, str]]]
"""Rows by category; names of items in lower case."""


@dataclass(slots=True)
class _Seen:
    """A residue of a polymer, by its first atom."""

    chain: str
    entity: bytes
    component: str
    number: int | None
    sifts: tuple[str, int] | None


class Observed:
    """Residues with coordinates, in the order of their first atom."""

    def __init__(self, columns: AtomColumns, alternatives: Alternatives | None) -> None:
        self.columns = columns
        self._alternatives = alternatives
        self._last: object = None
        self.residues: dict[ResidueKey, _Seen] = {}
        self._with_ca: set[Hashable] = set()
        self.repeated: dict[bytes, str] = {}  # by chain, a number that two of its residues go by

    def see(self, values: Row) -> None:
        """Take note of an atom."""
        columns = self.columns
        place = columns.place_of(values)
        if letter := columns.alternative(values):
            self._see_alternative(place, letter, values)
        elif (
            values[columns.name] == b"CA"
            and values[columns.component] != b"CA"  # calcium
            and not columns.is_hetatm(values)
        ):
            if place in self._with_ca:
                self.repeated.setdefault(values[columns.asym], mmcif.text(values[columns.place]))
            self._with_ca.add(place)
        if place == self._last:
            return
        self._last = place
        key = columns.key(values)
        if key in self.residues or key[1] in UNSTATED or values[columns.component] in WATERS:
            return
        if not columns.has_places and columns.is_hetatm(values):
            return
        self.residues[key] = _Seen(
            chain=columns.chain(values),
            entity=values[columns.entity] if columns.entity is not None else b"",
            component=mmcif.text(values[columns.component]),
            number=int(key[1]) if columns.has_places and key[1].isdigit() else columns.author_number(values),
            sifts=columns.sifts(values),
        )

    def _see_alternative(self, place: Hashable, letter: bytes, values: Row) -> None:
        if self._alternatives is not None:
            position = Position(
                component=values[self.columns.component],
                atom=values[self.columns.name],
                letter=letter,
                occupancy=self.columns.occupancy(values),
                is_hydrogen=self.columns.is_hydrogen(values),
            )
            self._alternatives.see(place, position)


def chains_of(observed: Observed, tables: Tables, entity_of: Mapping[bytes, bytes]) -> list[Chain]:
    """Polymer chains with coordinates, in the order of their first atom.

    Parameters
    ----------
    observed
        Residues that were seen.
    tables
        Categories of `FOR_CHAINS`, as far as the file has them.
    entity_of
        Entity of each ``label_asym_id``.
    """
    sequences = _sequences(tables[_SEQUENCE])
    by_residue = _sifts_of_residues(tables[_RESIDUES])
    chains: dict[bytes, Chain] = {}
    for (asym, place), seen in observed.residues.items():
        if asym not in chains:
            entity = mmcif.text(seen.entity or entity_of.get(asym, b""))
            chains[asym] = Chain(
                name=seen.chain,
                sequence=sequences.get(entity, ""),
                references=_references(tables, entity, seen.chain),
                segments=_segments(tables[_SEGMENTS], mmcif.text(asym)),
                repeated=observed.repeated.get(asym, ""),
            )
        chain = chains[asym]
        seq_id = int(place) if observed.columns.has_places and place.isdigit() else None
        chain.residues.append(
            Residue(
                key=(asym, place),
                letter=letter_of(seen.component),
                number=seen.number,
                seq_id=seq_id,
                place=seq_id - 1 if seq_id and seq_id <= len(chain.sequence) else None,
                sifts=seen.sifts or by_residue.get((mmcif.text(asym), mmcif.text(place))),
            )
        )
    return list(chains.values())


def _sifts_of_residues(rows: list[dict[str, str]]) -> dict[tuple[str, str], tuple[str, int]]:
    """Accession and UniProt number by ``label_asym_id`` and ``label_seq_id``."""
    return {
        (row.get("asym_id", ""), row.get("seq_id", "")): (row["unp_acc"].upper(), int(row["unp_num"]))
        for row in rows
        if row.get("unp_acc", "") not in UNSTATED_TEXT and row.get("unp_num", "").isdecimal()
    }


def _segments(rows: list[dict[str, str]], asym: str) -> list[Segment]:
    items = ("seq_id_start", "seq_id_end", "unp_start", "unp_end")
    found = []
    for row in rows:
        ends = [row.get(item, "") for item in items]
        if row.get("asym_id") == asym and all(end.isdecimal() for end in ends):
            first, last, unp_first, unp_last = map(int, ends)
            found.append(
                Segment(
                    accession=row.get("unp_acc", "").upper(),
                    first=first,
                    last=last,
                    database_first=unp_first,
                    database_last=unp_last,
                )
            )
    return found


def _sequences(rows: list[dict[str, str]]) -> dict[str, str]:
    """Letters by entity. A place with several residues (microheterogeneity) counts with its first."""
    letters: defaultdict[str, dict[int, str]] = defaultdict(dict)
    for row in rows:
        number = row.get("num", "")
        if number.isdecimal():
            letters[row.get("entity_id", "")].setdefault(int(number), letter_of(row.get("mon_id", "")))
    return {
        entity: "".join(by_number[number] for number in sorted(by_number))
        for entity, by_number in letters.items()
        if sorted(by_number) == list(range(1, len(by_number) + 1))
    }


def _references(tables: Tables, entity: str, author_chain: str) -> list[Reference]:
    headings = {row.get("id", ""): row for row in tables[_REFERENCE]}
    found = []
    for row in tables[_RANGE]:
        heading = headings.get(row.get("ref_id", ""), {})
        chain = row.get("pdbx_strand_id", "")
        is_here = chain == author_chain if chain not in UNSTATED_TEXT else heading.get("entity_id") == entity
        is_uniprot = heading.get("db_name", "").upper() in ("UNP", "SWS", "TREMBL")
        accession = row.get("pdbx_db_accession") or heading.get("pdbx_db_accession", "")
        try:
            ends = [
                int(row[item]) for item in ("seq_align_beg", "seq_align_end", "db_align_beg", "db_align_end")
            ]
        except (KeyError, ValueError):
            ends = [0, -1, 0, 0]  # a range that cannot be read is one that is not consistent
        if is_here:
            found.append(
                Reference(
                    accession=accession.upper() if is_uniprot and accession not in UNSTATED_TEXT else None,
                    first=ends[0],
                    last=ends[1],
                    database_first=ends[2],
                    database_last=ends[3],
                )
            )
    return found
