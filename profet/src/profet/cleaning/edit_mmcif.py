"""Takes rows of atoms, and those that depend on them, out of an mmCIF file; every other byte stays.

What depends on an atom is what says something of that one atom: its anisotropic displacement, and its residue
in PDBe's list of observed residues (gemmi does not read a file in which that names one without atoms). What
the file says of the entry as it was deposited - sequences, secondary structure, bonds of note, sites, remarks
of validation - stays, as the like records of a PDB file do; readers pass over
the names of atoms that are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import compress, count, pairwise
from operator import ne
from typing import BinaryIO

from profet.cleaning.atoms_mmcif import ATOMS, UNSTATED, AtomColumns, ResidueKey
from profet.cleaning.facts_mmcif import Lines, MmcifFacts
from profet.cleaning.options import Reason
from profet.cleaning.report import Tally
from profet.cleaning.residues import COMMON_ELEMENTS, MODIFIED, OF_CHAINS
from profet.cleaning.rules import Rules
from profet.formats import mmcif
from profet.formats.mmcif import Row, Table

ANISOTROPIC = "_atom_site_anisotrop"
OBSERVED = "_pdbx_sifts_xref_db"


def edit(lines: Lines, out: BinaryIO, rules: Rules, facts: MmcifFacts) -> Tally:
    """Write the file without the atoms that the rules name.

    Parameters
    ----------
    lines
        The file; read twice if rows that depend on the atoms stand before them.
    out
        Where to write to.
    rules
        What to take out.
    facts
        What the file says of its entities.

    Returns
    -------
    Tally
        The atoms that stayed and went.
    """
    editor = _Editor(out, _Atoms(rules, facts))
    for piece in mmcif.scan(lines(), (ATOMS, ANISOTROPIC, OBSERVED), block=facts.block):
        if not editor.take(*piece):
            # Rare: the rows that depend on the atoms come first, so the atoms are looked at in advance.
            editor.gone = _judge_all(lines, rules, facts)
            editor.take(*piece)
    editor.flush()
    return editor.atoms.tally


def _judge_all(lines: Lines, rules: Rules, facts: MmcifFacts) -> _Atoms:
    atoms = _Atoms(rules, facts)
    for _, table, rows in mmcif.scan(lines(), (ATOMS,), block=facts.block):
        if table is not None and table.is_loop and rows is not None:
            atoms.judge(table, rows)
    return atoms


class _Editor:
    """Writes pieces one after the other, but for those that go."""

    def __init__(self, out: BinaryIO, atoms: _Atoms) -> None:
        self._write = out.write
        self._held: list[bytes] = []  # header of a loop of which no row has stayed yet, and what follows it
        self._pairs: list[tuple[bytes, Table, bytes]] = []  # a category of one row, written as pairs
        self._last_written = b"\n"
        self.atoms = atoms
        self.gone: _Atoms | None = None  # who knows which atoms are gone; nobody before they have been seen

    def take(self, raws: list[bytes], table: Table | None, rows: list[Row] | None) -> bool:
        """Take one piece; False if it cannot be judged before the atoms have been seen."""
        if table is None:
            self._pass(raws[0])
        elif rows is None:
            self._edge_of_loop(raws[0])
        elif table.category == ATOMS:
            self.gone = self.atoms
            if table.is_loop:
                self._rows(raws, self.atoms.judge(table, rows))
            else:
                self._pass(raws[0])  # a structure of one atom: to take it out would leave nothing
        elif self.gone is None:
            return False
        elif not table.is_loop:
            self._pair(raws[0], table, rows[0][0])
        else:
            self._rows(raws, _independent(table, rows, self.gone))
        return True

    def flush(self) -> None:
        """End the file."""
        self._end_pairs()
        self._drop_header()

    def _rows(self, raws: list[bytes], stays: Sequence[bool]) -> None:
        """Write those rows of a loop that stay."""
        left = b"".join(compress(raws, stays))
        if left:
            if self._held:
                self._emit_held()
            self._emit(left)
        if not stays[-1] and raws[-1].endswith(b"\n") and not self._last_written.endswith(b"\n"):
            self._emit(b"\n")  # the row that went had shared its line with one that stays

    def _pass(self, raw: bytes) -> None:
        self._end_pairs()
        if self._held:
            self._held.append(raw)
        else:
            self._emit(raw)

    def _edge_of_loop(self, raw: bytes) -> None:
        self._end_pairs()
        if raw:
            self._held = [raw]
        else:
            self._drop_header()

    def _emit(self, raw: bytes) -> None:
        self._write(raw)
        self._last_written = raw

    def _emit_held(self) -> None:
        held, self._held = self._held, []
        for raw in held:
            self._emit(raw)

    def _drop_header(self) -> None:
        """A loop without rows is no CIF, so its header goes with its last row."""
        self._held = self._held[1:]
        self._emit_held()

    def _pair(self, raw: bytes, table: Table, value: bytes) -> None:
        if self._pairs and self._pairs[0][1].category != table.category:
            self._end_pairs()
        self._pairs.append((raw, table, value))

    def _end_pairs(self) -> None:
        pairs, self._pairs = self._pairs, []
        if not pairs or self.gone is None:
            return
        items = [item for _, table, _ in pairs for item in table.items]
        row = Table(pairs[0][1].category, items, is_loop=False)
        if all(_independent(row, [[value for _, _, value in pairs]], self.gone)):
            for raw, _, _ in pairs:
                self._emit(raw)


def _independent(table: Table, rows: list[Row], gone: _Atoms) -> list[bool]:
    """Tell which rows of a category depend on nothing that is gone."""
    if table.category == ANISOTROPIC:
        column = table.column("id")
        return [column is None or row[column] not in gone.ids for row in rows]
    asym, place = table.column("asym_id"), table.column("seq_id")
    return [asym is None or place is None or (row[asym], row[place]) not in gone.lost for row in rows]


class _Atoms:
    """Decides which atoms stay.

    The rows of one residue mostly follow one another, so whatever holds for a residue is found out once, and
    rows are looked at one by one only where a hydrogen or an alternative position is among them.
    """

    def __init__(self, rules: Rules, facts: MmcifFacts) -> None:
        self._rules, self._facts = rules, facts
        self._table: Table | None = None
        self._run: object = None  # what the rows of one residue have in common
        self._kinds: dict[object, tuple[Reason | None, bool, str]] = {}
        self.ids: set[bytes] = set()  # of atoms that are gone
        self.tally = Tally()

    @cached_property
    def lost(self) -> frozenset[ResidueKey]:
        """Residues that had atoms and have none now; to be asked for behind the last atom."""
        staying = {(asym, place) for asym, place, *_ in self.tally.staying}
        return frozenset((asym, place) for asym, place, *_ in self.tally.gone) - staying

    def judge(self, table: Table, rows: list[Row]) -> list[bool]:
        """Tell which rows stay."""
        if table is not self._table:
            self._table, self._run = table, None
            self._columns = AtomColumns(table, has_places=self._facts.has_places)
            self._kinds.clear()
        runs = list(map(self._columns.run_of, rows))
        starts = compress(count(1), map(ne, runs, runs[1:]))
        stays = [True] * len(rows)
        for start, end in pairwise([0, *starts, len(rows)]):
            if runs[start] != self._run:
                self._run = runs[start]
                self._begin_residue(rows[start])
            self._judge_residue(rows, stays, start, end)
        return stays

    def _judge_residue(self, rows: list[Row], stays: list[bool], start: int, end: int) -> None:
        """Judge rows that follow one another and are of one residue."""
        kept = end - start
        for position in self._doubtful(rows, start, end):
            row = rows[position]
            reason = self._reason or self._reason_for_atom(row)
            if reason is not None:
                kept -= 1
                stays[position] = False
                self.ids.add(row[self._columns.id])
                self.tally.remove(reason, self._chain, self._residue)
        if kept:
            self.tally.keep(self._residue, atoms=kept)

    def _doubtful(self, rows: list[Row], start: int, end: int) -> Iterable[int]:
        """Rows of which it takes a closer look to see whether they stay."""
        if self._reason is not None:
            return range(start, end)
        if not self._rules.looks_at_atoms:
            return ()
        element = self._columns.element
        if element is None or self._rules.alternatives is not None:
            return range(start, end)
        # Nearly every atom is of one of a few elements, none of which is hydrogen.
        return [at for at in range(start, end) if rows[at][element] not in COMMON_ELEMENTS]

    def _begin_residue(self, row: Row) -> None:
        columns = self._columns
        kind = columns.kind_of(row), row[columns.place] in UNSTATED, self._has_backbone(row)
        if kind not in self._kinds:
            self._kinds[kind] = self._judge_kind(row)
        self._reason, self._is_polymer, self._chain = self._kinds[kind]
        self._residue = columns.residue(row)
        if self._reason is None and self._is_polymer:
            self._reason = self._rules.for_residue(columns.key(row))

    def _judge_kind(self, row: Row) -> tuple[Reason | None, bool, str]:
        """Reason, whether it is a polymer, and chain, of residues that differ in their number only."""
        columns, facts = self._columns, self._facts
        entity = (
            facts.entity_of.get(row[columns.asym], b"") if columns.entity is None else row[columns.entity]
        )
        is_water = row[columns.component] in facts.water_names or entity in facts.waters
        is_polymer = not is_water and self._judge_polymer(entity, row)
        chain = columns.chain(row)
        model = columns.model_number(row)
        reason = self._rules.for_kind(model=model, chain=chain, is_water=is_water, is_polymer=is_polymer)
        return reason, is_polymer, chain

    def _reason_for_atom(self, values: list[bytes]) -> Reason | None:
        columns = self._columns
        return self._rules.for_atom(
            place=columns.place_of(values),
            component=values[columns.component],
            atom=values[columns.name],
            letter=columns.alternative(values),
            is_polymer=self._is_polymer,
            is_hydrogen=columns.is_hydrogen(values),
        )

    def _judge_polymer(self, entity: bytes, values: list[bytes]) -> bool:
        if entity in self._facts.polymers:
            return True
        if entity in self._facts.others:
            return False
        if self._facts.bonded is not None:
            is_hetatm = self._columns.is_hetatm(values)
            names = MODIFIED if is_hetatm else OF_CHAINS
            is_in_chain = values[self._columns.component] in names or self._has_backbone(values)
            if is_hetatm or not is_in_chain:
                return is_in_chain
        if self._columns.has_places:  # only the residues of a polymer have a place in a sequence
            return values[self._columns.place] not in UNSTATED
        return not self._columns.is_hetatm(values)

    def _has_backbone(self, values: list[bytes]) -> bool:
        """Whether, in a file that describes no entities, a residue's atoms say that it is part of a chain."""
        facts = self._facts
        if facts.bonded is None or facts.whole is None:
            return False
        label = self._columns.label(values)
        return label in facts.bonded or (label in facts.whole and not self._columns.is_hetatm(values))
