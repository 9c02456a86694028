"""What an mmCIF file says of its entities and chains, as far as cleaning needs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from profet.cleaning.numbering import Chain, Reference, Residue
from profet.cleaning.residues import letter_of
from profet.formats import mmcif
from profet.formats.mmcif import Table

ATOMS = "_atom_site"

_ENTITY, _ASYM = "_entity", "_struct_asym"
_SEQUENCE = "_entity_poly_seq"
_REFERENCE, _RANGE = "_struct_ref", "_struct_ref_seq"
_FACTS = (_ENTITY, _ASYM, _SEQUENCE, _REFERENCE, _RANGE)
_UNSTATED = ("", ".", "?")

ResidueKey = tuple[bytes, bytes]
"""``label_asym_id`` and ``label_seq_id`` of a polymer's residue."""


@dataclass(kw_only=True)
class Facts:
    """Read in one pass over the file.

    Attributes
    ----------
    polymers, waters, others
        Entities by type. One that the file does not describe is in none of them.
    entity_of
        Entity of each ``label_asym_id``.
    chains
        Polymer chains; empty unless they were asked for.
    """

    polymers: frozenset[bytes]
    waters: frozenset[bytes]
    others: frozenset[bytes]
    entity_of: dict[bytes, bytes]
    chains: list[Chain] = field(default_factory=list)


def read_facts(lines: Iterable[bytes], *, with_chains: bool) -> Facts:
    """Read entities and, if asked for, polymer chains with their residues.

    Parameters
    ----------
    lines
        The file.
    with_chains
        Chains take a look at every atom, and only signal peptides need them.
    """
    tables: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    observed: _Observed | None = None
    for _, table, values in mmcif.scan(lines, (*_FACTS, ATOMS) if with_chains else _FACTS):
        if table is None or values is None:
            continue
        if table.category == ATOMS:
            if table.is_loop:
                if observed is None:
                    observed = _Observed(table)
                observed.see(values)
        else:
            row = dict(zip(table.items, map(mmcif.text, values), strict=True))
            rows = tables[table.category]
            if table.is_loop or not rows:
                rows.append(row)
            else:
                rows[-1].update(row)
    facts = _facts(tables)
    if observed is not None:
        facts.chains = _chains(observed, tables, facts)
    return facts


def _facts(tables: defaultdict[str, list[dict[str, str]]]) -> Facts:
    by_type: defaultdict[str, set[bytes]] = defaultdict(set)
    for row in tables[_ENTITY]:
        by_type[row.get("type", "").lower()].add(row.get("id", "").encode())
    polymers, waters = by_type.pop("polymer", set()), by_type.pop("water", set())
    others = (entities for kind, entities in by_type.items() if kind not in _UNSTATED)
    return Facts(
        polymers=frozenset(polymers),
        waters=frozenset(waters),
        others=frozenset().union(*others),
        entity_of={row.get("id", "").encode(): row.get("entity_id", "").encode() for row in tables[_ASYM]},
    )


class _Observed:
    """Residues with coordinates, in the order of their first atom."""

    def __init__(self, table: Table) -> None:
        self._asym = table.column("label_asym_id")
        self._place = table.column("label_seq_id")
        self._component = table.column("label_comp_id")
        self._entity = table.column("label_entity_id")
        self._author_chain = table.column("auth_asym_id")
        self._sifts = [table.column(f"pdbx_sifts_xref_db_{item}") for item in ("name", "acc", "num")]
        self._last: ResidueKey | None = None
        self.residues: dict[ResidueKey, tuple[str, tuple[str, int] | None]] = {}
        self.author_chains: dict[bytes, str] = {}
        self.entities: dict[bytes, bytes] = {}

    def see(self, values: list[bytes]) -> None:
        if self._asym is None or self._place is None or self._component is None:
            return
        key = values[self._asym], values[self._place]
        if key == self._last:
            return
        self._last = key
        if not key[1].isdigit():
            return  # no residue of a polymer
        if key not in self.residues:
            self.residues[key] = mmcif.text(values[self._component]), self._sifts_of(values)
            author = values[self._author_chain] if self._author_chain is not None else key[0]
            self.author_chains.setdefault(key[0], mmcif.text(author))
            if self._entity is not None:
                self.entities.setdefault(key[0], values[self._entity])

    def _sifts_of(self, values: list[bytes]) -> tuple[str, int] | None:
        name, accession, number = (
            "" if column is None else mmcif.text(values[column]) for column in self._sifts
        )
        if name != "UNP" or accession in _UNSTATED or not number.isdecimal():
            return None
        return accession.upper(), int(number)


def _chains(observed: _Observed, tables: defaultdict[str, list[dict[str, str]]], facts: Facts) -> list[Chain]:
    sequences = _sequences(tables[_SEQUENCE])
    chains: dict[bytes, Chain] = {}
    for (asym, number), (component, sifts) in observed.residues.items():
        if asym not in chains:
            entity = mmcif.text(observed.entities.get(asym) or facts.entity_of.get(asym, b""))
            name = observed.author_chains[asym]
            chains[asym] = Chain(
                name=name,
                sequence=sequences.get(entity, ""),
                references=_references(tables, entity, name),
            )
        chain = chains[asym]
        place = int(number) - 1
        chain.residues.append(
            Residue(
                key=(asym, number),
                letter=letter_of(component),
                number=place + 1,
                place=place if 0 <= place < len(chain.sequence) else None,
                sifts=sifts,
            )
        )
    return list(chains.values())


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


def _references(
    tables: defaultdict[str, list[dict[str, str]]], entity: str, author_chain: str
) -> list[Reference]:
    headings = {row.get("id", ""): row for row in tables[_REFERENCE]}
    found = []
    for row in tables[_RANGE]:
        heading = headings.get(row.get("ref_id", ""), {})
        chain = row.get("pdbx_strand_id", "")
        is_here = chain == author_chain if chain not in _UNSTATED else heading.get("entity_id") == entity
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
                    accession=accession.upper() if is_uniprot and accession not in _UNSTATED else None,
                    first=ends[0],
                    last=ends[1],
                    database_first=ends[2],
                    database_last=ends[3],
                )
            )
    return found
