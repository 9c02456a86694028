"""What an mmCIF file says of its entities and chains, as far as cleaning needs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from profet.cleaning.alternatives import Alternatives, Position
from profet.cleaning.atoms_mmcif import UNSTATED, AtomColumns, ResidueKey
from profet.cleaning.facts import Facts, as_number, pdb_id_of
from profet.cleaning.numbering import Chain, Reference, Residue, Segment
from profet.cleaning.options import CleanOptions
from profet.cleaning.residues import WATERS, letter_of
from profet.errors import DamagedFileError, RefusedError
from profet.formats import mmcif
from profet.formats.mmcif import Table

ATOMS = "_atom_site"

_ENTRY, _ENTITY, _ASYM = "_entry", "_entity", "_struct_asym"
_SEQUENCE = "_entity_poly_seq"
_REFERENCE, _RANGE = "_struct_ref", "_struct_ref_seq"
_SEGMENTS, _RESIDUES = "_pdbx_sifts_unp_segments", "_pdbx_sifts_xref_db"
_METRIC, _LOCAL = "_ma_qa_metric", "_ma_qa_metric_local"
_ALWAYS = (_ENTITY, _ASYM)
_FOR_CHAINS = (_ENTRY, _SEQUENCE, _REFERENCE, _RANGE, _SEGMENTS, _RESIDUES)
_FOR_PLDDT = (_METRIC, _LOCAL)
_UNSTATED = ("", ".", "?")

Tables = defaultdict[str, list[dict[str, str]]]


@dataclass(kw_only=True)
class MmcifFacts(Facts):
    """Read in one pass over the file.

    Attributes
    ----------
    block
        The data block that holds the atoms, counted from 1.
    polymers, waters, others
        Entities by type. One that the file does not describe is in none of them.
    entity_of
        Entity of each ``label_asym_id``.
    """

    block: int
    polymers: frozenset[bytes]
    waters: frozenset[bytes]
    others: frozenset[bytes]
    entity_of: dict[bytes, bytes]


def read_facts(lines: Iterable[bytes], options: CleanOptions, *, origin: str) -> MmcifFacts:
    """Read what the options need: entities always, chains and positions only for those that ask for them.

    Parameters
    ----------
    lines
        The file.
    options
        What is to be taken out.
    origin
        Name of the file, for messages.

    Raises
    ------
    DamagedFileError
        If the file holds no atoms.
    RefusedError
        If several of its data blocks hold atoms.
    """
    peptides, selection = options.peptides(), options.selection("altlocs")
    wanted = {*_ALWAYS, *(_FOR_CHAINS if peptides else ()), *(_FOR_PLDDT if _asks_plddt(options) else ())}
    wanted |= {ATOMS} if peptides or selection else set()
    tables: defaultdict[int, Tables] = defaultdict(lambda: defaultdict(list))
    blocks: dict[int, Table] = {}
    observed: _Observed | None = None
    alternatives = Alternatives(selection) if selection else None
    for _, table, rows in mmcif.scan(lines, wanted, noted={ATOMS}, block=None):
        if table is None:
            continue
        if table.category == ATOMS:
            blocks.setdefault(table.block, table)
            if table.is_loop and rows is not None:
                if observed is None:
                    observed = _Observed(table, alternatives)
                for row in rows:
                    observed.see(row)
        else:
            for row in rows or ():
                _add_row(tables[table.block][table.category], table, row)
    if not blocks:
        raise DamagedFileError(f"{origin} is mmCIF, but it holds no atoms", origin=origin)
    if len(blocks) > 1:
        raise RefusedError(f"{len(blocks)} data blocks of {origin} hold atoms; make each a file of its own")
    (block,) = blocks
    facts = _facts(tables[block], block)
    facts.alternatives = alternatives
    if observed is not None and peptides:
        facts.chains = _chains(observed, tables[block], facts)
    if _asks_plddt(options):
        facts.plddt = _plddt(tables[block], options, origin)
    return facts


def _asks_plddt(options: CleanOptions) -> bool:
    return options.minimum_plddt is not None


def _add_row(rows: list[dict[str, str]], table: Table, values: list[bytes]) -> None:
    row = dict(zip((item.lower() for item in table.items), map(mmcif.text, values), strict=True))
    if table.is_loop or not rows:
        rows.append(row)
    else:
        rows[-1].update(row)


def _facts(tables: Tables, block: int) -> MmcifFacts:
    by_type: defaultdict[str, set[bytes]] = defaultdict(set)
    for row in tables[_ENTITY]:
        by_type[row.get("type", "").lower()].add(row.get("id", "").encode())
    polymers, waters = by_type.pop("polymer", set()), by_type.pop("water", set())
    others = (entities for kind, entities in by_type.items() if kind not in _UNSTATED)
    entry = tables[_ENTRY][0].get("id", "") if tables[_ENTRY] else ""
    return MmcifFacts(
        pdb_id=pdb_id_of(entry),
        block=block,
        polymers=frozenset(polymers),
        waters=frozenset(waters),
        others=frozenset().union(*others),
        entity_of={row.get("id", "").encode(): row.get("entity_id", "").encode() for row in tables[_ASYM]},
    )


def _plddt(tables: Tables, options: CleanOptions, origin: str) -> dict[Hashable, float] | None:
    """Confidence of residues; None if the file has no such measure.

    Source: ModelCIF dictionary, items ``_ma_qa_metric.type`` (its scale) and ``.mode``.
    """
    kinds = {
        row.get("id"): 100.0 if "[0,1]" in row["type"] else 1.0
        for row in tables[_METRIC]
        if row.get("mode") == "local" and row.get("type", "").lower().startswith("plddt")
    }
    models = options.selection("models")
    rows = [
        row
        for row in tables[_LOCAL]
        if row.get("metric_id") in kinds and (models is None or row.get("model_id", "1") in models)
    ]
    if len({(row.get("model_id"), row.get("metric_id")) for row in rows}) > 1:
        raise RefusedError(
            f"{origin} states the confidence of residues in several ways; choose one of models="
        )
    return {
        (row.get("label_asym_id", "").encode(), row.get("label_seq_id", "").encode()): kinds[row["metric_id"]]
        * as_number(row.get("metric_value", ""), otherwise=100.0)
        for row in rows
    } or None


@dataclass(slots=True)
class _Seen:
    """A residue of a polymer, by its first atom."""

    chain: str
    entity: bytes
    component: str
    number: int | None
    sifts: tuple[str, int] | None


class _Observed:
    """Residues with coordinates, in the order of their first atom."""

    def __init__(self, table: Table, alternatives: Alternatives | None) -> None:
        self.columns = AtomColumns(table)
        self._alternatives = alternatives
        self._last: object = None
        self.residues: dict[ResidueKey, _Seen] = {}

    def see(self, values: list[bytes]) -> None:
        columns = self.columns
        place = columns.place_of(values)
        if self._alternatives is not None and (letter := columns.alternative(values)):
            position = Position(
                component=values[columns.component],
                atom=values[columns.name],
                letter=letter,
                occupancy=columns.occupancy(values),
                is_hydrogen=columns.is_hydrogen(values),
            )
            self._alternatives.see(place, position)
        if place == self._last:
            return
        self._last = place
        key = columns.key(values)
        if key in self.residues or key[1] in UNSTATED or values[columns.component] in WATERS:
            return
        if not columns.has_places and columns.group is not None and values[columns.group] == b"HETATM":
            return
        self.residues[key] = _Seen(
            chain=columns.chain(values),
            entity=values[columns.entity] if columns.entity is not None else b"",
            component=mmcif.text(values[columns.component]),
            number=int(key[1]) if columns.has_places and key[1].isdigit() else columns.author_number(values),
            sifts=columns.sifts(values),
        )


def _chains(observed: _Observed, tables: Tables, facts: MmcifFacts) -> list[Chain]:
    sequences = _sequences(tables[_SEQUENCE])
    by_residue = _sifts_of_residues(tables[_RESIDUES])
    chains: dict[bytes, Chain] = {}
    for (asym, place), seen in observed.residues.items():
        if asym not in chains:
            entity = mmcif.text(seen.entity or facts.entity_of.get(asym, b""))
            chains[asym] = Chain(
                name=seen.chain,
                sequence=sequences.get(entity, ""),
                references=_references(tables, entity, seen.chain),
                segments=_segments(tables[_SEGMENTS], mmcif.text(asym)),
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
        if row.get("unp_acc", "") not in _UNSTATED and row.get("unp_num", "").isdecimal()
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
