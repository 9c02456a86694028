"""What an mmCIF file says of its entities and of a model's confidence, before its atoms are judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from profet.cleaning.alternatives import Alternatives
from profet.cleaning.atoms_mmcif import ATOMS, UNSTATED_TEXT, AtomColumns
from profet.cleaning.backbones import Backbones, matters
from profet.cleaning.chains_mmcif import FOR_CHAINS, Observed, Tables, chains_of
from profet.cleaning.facts import Facts, as_number, pdb_id_of
from profet.cleaning.options import CleanOptions
from profet.cleaning.residues import WaterNames
from profet.errors import DamagedFileError, RefusedError
from profet.formats import mmcif
from profet.formats.mmcif import Table

_ENTRY, _ENTITY, _ASYM = "_entry", "_entity", "_struct_asym"
_METRIC, _LOCAL = "_ma_qa_metric", "_ma_qa_metric_local"
_ALWAYS = (_ENTITY, _ASYM)
_FOR_PLDDT = (_METRIC, _LOCAL)

Lines = Callable[[], Iterable[bytes]]
"""Reads the file from its beginning."""


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
    bonded, whole
        In a file that describes no entity at all: residues (`AtomColumns.label`) whose backbone is bonded to
        that of another one, and those that have a backbone. None in all others.
    has_places
        Whether the atoms of polymers have a ``label_seq_id``.
    """

    block: int
    polymers: frozenset[bytes]
    waters: frozenset[bytes]
    others: frozenset[bytes]
    entity_of: dict[bytes, bytes]
    bonded: frozenset[Hashable] | None = None
    whole: frozenset[Hashable] | None = None
    has_places: bool = True

    @property
    def describes_entities(self) -> bool:
        """Whether the file says of any entity what it is."""
        return bool(self.polymers or self.waters or self.others)


def read_facts(lines: Lines, options: CleanOptions, *, origin: str) -> MmcifFacts:
    """Read what the options need: entities always, chains and positions only for those that ask for them.

    Parameters
    ----------
    lines
        The file; read again if it describes no entities, as files that programs write.
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
    facts = _read(lines(), options, origin, has_places=True)
    if facts.describes_entities:
        return facts
    atoms = _look_at_atoms(lines(), facts.block)
    if not atoms.has_places:
        facts = _read(lines(), options, origin, has_places=False)
    facts.bonded, facts.whole, facts.has_places, facts.water_names = atoms
    return facts


def _read(lines: Iterable[bytes], options: CleanOptions, origin: str, *, has_places: bool) -> MmcifFacts:
    peptides, selection = options.peptides(), options.selection("altlocs")
    wanted = {*_ALWAYS, *(FOR_CHAINS if peptides else ()), *(_FOR_PLDDT if _asks_plddt(options) else ())}
    wanted |= {ATOMS} if peptides or selection else set()
    tables: defaultdict[int, Tables] = defaultdict(lambda: defaultdict(list))
    blocks: dict[int, Table] = {}
    observed: Observed | None = None
    alternatives = Alternatives(selection) if selection else None
    for _, table, rows in mmcif.scan(lines, wanted, noted={ATOMS}, block=None):
        if table is None:
            continue
        if table.category == ATOMS:
            blocks.setdefault(table.block, table)
            if table.is_loop and rows is not None:
                if observed is None:
                    observed = Observed(AtomColumns(table, has_places=has_places), alternatives)
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
        facts.chains = chains_of(observed, tables[block], facts.entity_of)
    if _asks_plddt(options):
        facts.plddt = _plddt(tables[block], options, origin)
    return facts


class _ToldByAtoms(NamedTuple):
    """What nothing but the atoms tells where no entity is described; see the attributes of `MmcifFacts`."""

    bonded: frozenset[Hashable]
    whole: frozenset[Hashable]
    has_places: bool
    water_names: frozenset[bytes]


def _look_at_atoms(lines: Iterable[bytes], block: int) -> _ToldByAtoms:
    backbones, waters, has_places = Backbones(), WaterNames(), False
    columns: AtomColumns | None = None
    for _, table, rows in mmcif.scan(lines, (ATOMS,), block=block):
        if table is None or rows is None or not table.is_loop:
            continue
        columns = columns or AtomColumns(table)
        for row in rows:
            has_places = has_places or columns.has_place(row)
            waters.see(row[columns.component], row[columns.name])
            if not matters(row[columns.name], is_hetatm=columns.is_hetatm(row)):
                continue
            if (position := columns.position(row)) is not None:
                backbones.see(columns.label(row), row[columns.name], position)
    return _ToldByAtoms(backbones.bonded(), backbones.whole(), has_places, waters.found())


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
    others = (entities for kind, entities in by_type.items() if kind not in UNSTATED_TEXT)
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
