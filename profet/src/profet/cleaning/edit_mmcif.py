"""Takes rows of atoms, and those that depend on them, out of an mmCIF file; every other byte stays.

What depends on an atom is what says something of that one atom: its anisotropic displacement, and its residue
in PDBe's list of observed residues (gemmi does not read a file in which that names one without atoms). What
the file says of the entry as it was deposited - sequences, secondary structure, bonds of note, sites, remarks
of validation - stays, as the like records of a PDB file do; readers pass over the names of atoms that are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import BinaryIO

from profet.cleaning.atoms_mmcif import AtomColumns, ResidueKey
from profet.cleaning.chains_mmcif import ATOMS, MmcifFacts
from profet.cleaning.options import Reason
from profet.cleaning.report import Tally
from profet.cleaning.residues import WATERS
from profet.cleaning.rules import Rules
from profet.formats import mmcif
from profet.formats.mmcif import Table

ANISOTROPIC = "_atom_site_anisotrop"
OBSERVED = "_pdbx_sifts_xref_db"

Lines = Callable[[], Iterable[bytes]]
"""Reads the file from its beginning."""


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
            early = _Atoms(rules, facts)
            for _, table, values in mmcif.scan(lines(), (ATOMS,), block=facts.block):
                if table is not None and table.is_loop and values is not None:
                    early.stays(table, values)
            editor.gone = early
            editor.take(*piece)
    editor.flush()
    return editor.atoms.tally


class _Editor:
    def __init__(self, out: BinaryIO, atoms: _Atoms) -> None:
        self._write = out.write
        self._held: list[bytes] = []  # header of a loop of which no row has stayed yet, and what follows it
        self._pairs: list[bytes] = []  # a category of one row, written as pairs
        self._pairs_id = b""
        self._last_written = b"\n"
        self.atoms = atoms
        self.gone: _Atoms | None = None  # who knows which atoms are gone; nobody before they have been seen

    def take(self, raw: bytes, table: Table | None, values: list[bytes] | None) -> bool:
        """Take one piece; False if it cannot be judged before the atoms have been seen."""
        if table is None:
            self._pass(raw)
        elif values is None:
            self._edge_of_loop(raw, table)
        elif table.category == ATOMS:
            self.gone = self.atoms
            self._row(raw, self.atoms.stays(table, values)) if table.is_loop else self._pass(raw)
        elif self.gone is None:
            return False
        elif not table.is_loop:
            self._pair(raw, table, values)
        else:
            self._row(raw, self._depends_on_nothing_gone(table, values, self.gone))
        return True

    def flush(self) -> None:
        """End the file."""
        self._end_pairs()
        self._drop_header()

    def _row(self, raw: bytes, stays: bool) -> None:
        if stays:
            if self._held:
                self._emit_held()
            self._emit(raw)
        elif raw.endswith(b"\n") and not self._last_written.endswith(b"\n"):
            self._emit(b"\n")  # the row that went had shared its line with one that stays

    def _depends_on_nothing_gone(self, table: Table, values: list[bytes], gone: _Atoms) -> bool:
        if table.category == ANISOTROPIC:
            column = table.column("id")
            return column is None or values[column] not in gone.ids
        asym, place = table.column("asym_id"), table.column("seq_id")
        return asym is None or place is None or not gone.has_lost((values[asym], values[place]))

    def _pass(self, raw: bytes) -> None:
        self._end_pairs()
        if self._held:
            self._held.append(raw)
        else:
            self._emit(raw)

    def _edge_of_loop(self, raw: bytes, table: Table) -> None:
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

    def _pair(self, raw: bytes, table: Table, values: list[bytes]) -> None:
        if table.category != ANISOTROPIC:
            self._pass(raw)  # a list of one residue: if that were gone, nothing would be left
            return
        self._pairs.append(raw)
        if [item.lower() for item in table.items] == ["id"]:
            self._pairs_id = values[0]

    def _end_pairs(self) -> None:
        pairs, self._pairs = self._pairs, []
        if self.gone is None or self._pairs_id not in self.gone.ids:
            for raw in pairs:
                self._emit(raw)


class _Atoms:
    """Decides row by row which atoms stay."""

    def __init__(self, rules: Rules, facts: MmcifFacts) -> None:
        self._rules, self._facts = rules, facts
        self._table: Table | None = None
        self._run: object = None  # what the rows of one residue have in common
        self.ids: set[bytes] = set()  # of atoms that are gone
        self._gone: set[ResidueKey] = set()
        self._staying: set[ResidueKey] = set()
        self.tally = Tally()

    def has_lost(self, key: ResidueKey) -> bool:
        """Whether a residue had atoms and has none now."""
        return key in self._gone and key not in self._staying

    def stays(self, table: Table, values: list[bytes]) -> bool:
        """Judge one row."""
        if table is not self._table:
            self._table, self._columns, self._run = table, AtomColumns(table), None
        run = self._columns.run_of(values)
        if run != self._run:
            self._run = run
            self._begin_residue(values)
        reason = self._reason
        if reason is None:
            if self._looks_at_atoms:
                reason = self._reason_for_atom(values)
            if reason is None:
                self._staying.add(self._key)
                self.tally.keep(self._residue)
                return True
        self._gone.add(self._key)
        self.ids.add(values[self._columns.id])
        self.tally.remove(reason, self._chain, self._residue)
        return False

    def _begin_residue(self, values: list[bytes]) -> None:
        columns = self._columns
        entity = self._entity_of(values)
        self._is_polymer = self._judge_polymer(entity, values)
        self._key, self._residue, self._chain = (
            columns.key(values), columns.residue(values), columns.chain(values),
        )  # fmt: skip
        self._reason: Reason | None = self._rules.for_residue(
            model=columns.model_number(values),
            chain=self._chain,
            key=self._key,
            is_water=values[columns.component] in WATERS or entity in self._facts.waters,
            is_polymer=self._is_polymer,
        )
        self._looks_at_atoms = self._rules.looks_at_atoms

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

    def _entity_of(self, values: list[bytes]) -> bytes:
        if self._columns.entity is not None:
            return values[self._columns.entity]
        return self._facts.entity_of.get(values[self._columns.asym], b"")

    def _judge_polymer(self, entity: bytes, values: list[bytes]) -> bool:
        if entity in self._facts.polymers:
            return True
        if entity in self._facts.others:
            return False
        if self._columns.has_places:  # only the residues of a polymer have a place in a sequence
            return values[self._columns.place] not in (b".", b"?")
        return self._columns.group is None or values[self._columns.group] != b"HETATM"
