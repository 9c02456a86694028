"""Takes rows of atoms, and those that depend on them, out of an mmCIF file; every other byte stays."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from operator import itemgetter
from typing import BinaryIO

from profet.cleaning.chains_mmcif import ATOMS, Facts
from profet.cleaning.options import CleanOptions, Reason
from profet.cleaning.report import Tally
from profet.cleaning.residues import COMMON_ELEMENTS, WATERS, is_hydrogen
from profet.errors import DamagedFileError
from profet.formats import mmcif
from profet.formats.mmcif import Table

ANISOTROPIC = "_atom_site_anisotrop"
OBSERVED = "_pdbx_sifts_xref_db"
"""PDBe's list of observed residues; gemmi does not read a file in which it names one without atoms."""

Lines = Callable[[], Iterable[bytes]]
"""Reads the file from its beginning."""


def edit(
    lines: Lines, out: BinaryIO, options: CleanOptions, facts: Facts, cut: Collection[tuple[bytes, bytes]]
) -> Tally:
    """Write the file without the atoms that `options` and `cut` name.

    Parameters
    ----------
    lines
        The file; read twice if its anisotropic displacements stand before its atoms.
    out
        Where to write to.
    options
        What to take out.
    facts
        What the file says of its entities.
    cut
        Residues of signal peptides, as ``(label_asym_id, label_seq_id)``.

    Returns
    -------
    Tally
        The atoms that stayed and went.
    """
    editor = _Editor(out, options, facts, cut)
    for piece in mmcif.scan(lines(), (ATOMS, ANISOTROPIC, OBSERVED)):
        if not editor.take(*piece):
            # Rare: the rows that depend on the atoms come first, so the atoms are looked at in advance.
            judge = _Editor(None, options, facts, cut)
            for early in mmcif.scan(lines(), (ATOMS,)):
                judge.take(*early)
            editor.removed_ids, editor.has_seen_atoms = judge.removed_ids, True
            editor.take(*piece)
    editor.flush()
    return editor.tally


class _Editor:
    def __init__(
        self,
        out: BinaryIO | None,
        options: CleanOptions,
        facts: Facts,
        cut: Collection[tuple[bytes, bytes]],
    ) -> None:
        self._write = out.write if out is not None else lambda data: len(data)
        self._options, self._facts, self._cut = options, facts, cut
        self._atoms: Table | None = None
        self._judge: _Judge | None = None
        self._held: list[bytes] = []  # header of a loop of which no row has stayed yet, and what follows it
        self._pairs: list[bytes] = []  # a category of one row, written as pairs
        self._pairs_id = b""
        self._last_written = b"\n"
        self.tally = Tally()
        self.removed_ids: set[bytes] = set()
        self.has_seen_atoms = False

    def take(self, raw: bytes, table: Table | None, values: list[bytes] | None) -> bool:
        """Take one piece; False if it cannot be judged before the atoms have been seen."""
        if table is None:
            self._pass(raw)
        elif table.category == ANISOTROPIC and not self.has_seen_atoms:
            return False
        elif values is None:
            self._edge_of_loop(raw, table)
        elif not table.is_loop:
            self._pair(raw, table, values)
        elif self._stays(table, values):
            if self._held:
                self._emit_held()
            self._emit(raw)
        elif raw.endswith(b"\n") and not self._last_written.endswith(b"\n"):
            self._emit(b"\n")  # the row that went had shared its line with one that stays
        return True

    def flush(self) -> None:
        """End the file."""
        self._end_pairs()
        self._drop_header()

    def _stays(self, table: Table, values: list[bytes]) -> bool:
        if table is self._atoms and self._judge is not None:
            return self._judge.stays(values)
        if table.category == ANISOTROPIC:
            column = table.column("id")
            return column is None or values[column] not in self.removed_ids
        if table.category == OBSERVED:
            asym, place = table.column("asym_id"), table.column("seq_id")
            return asym is None or place is None or (values[asym], values[place]) not in self._cut
        self._atoms = table
        self._judge = _Judge(table, self._options, self._facts, self._cut, self.tally, self.removed_ids)
        return self._judge.stays(values)

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
            self.has_seen_atoms |= table.category == ATOMS
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
            self.has_seen_atoms |= table.category == ATOMS
            self._pass(raw)  # a structure of one atom, or one residue: to take it out would leave nothing
            return
        self._pairs.append(raw)
        if table.items == ["id"]:
            self._pairs_id = values[0]

    def _end_pairs(self) -> None:
        pairs, self._pairs = self._pairs, []
        if self._pairs_id not in self.removed_ids:
            for raw in pairs:
                self._emit(raw)


class _Judge:
    """Decides row by row which atoms stay."""

    def __init__(
        self,
        table: Table,
        options: CleanOptions,
        facts: Facts,
        cut: Collection[tuple[bytes, bytes]],
        tally: Tally,
        removed_ids: set[bytes],
    ) -> None:
        def column(*items: str) -> int:
            for item in items:
                position = table.column(item)
                if position is not None:
                    return position
            raise DamagedFileError(f"the atoms of this mmCIF file have no item {items[0]}")

        self._id = column("id")
        self._component = column("label_comp_id", "auth_comp_id")
        self._name = column("label_atom_id", "auth_atom_id")
        self._asym = column("label_asym_id", "auth_asym_id")
        self._author_chain = column("auth_asym_id", "label_asym_id")
        self._author_number = column("auth_seq_id", "label_seq_id")
        self._place = table.column("label_seq_id")
        self._element = table.column("type_symbol")
        self._entity = table.column("label_entity_id")
        self._group = table.column("group_PDB")
        self._options, self._facts, self._cut = options, facts, cut
        self._tally, self._removed_ids = tally, removed_ids
        # A place in the sequence tells residues apart that differ by insertion code only.
        place = self._asym if self._place is None else self._place
        self._residue_of = itemgetter(self._asym, self._author_number, self._component, place)
        self._last: tuple[bytes, ...] | None = None
        self._last_reason: Reason | None = None

    def stays(self, values: list[bytes]) -> bool:
        residue = self._residue_of(values)
        if residue != self._last:
            self._last, self._last_reason = residue, self._reason_for_residue(values)
        reason = self._last_reason
        if reason is None and self._options.hydrogens and self._is_hydrogen(values):
            reason = "hydrogens"
        if reason is None:
            self._tally.keep(residue)
            return True
        self._tally.remove(reason, mmcif.text(values[self._author_chain]), residue)
        self._removed_ids.add(values[self._id])
        return False

    def _reason_for_residue(self, values: list[bytes]) -> Reason | None:
        if self._cut and self._place is not None and (values[self._asym], values[self._place]) in self._cut:
            return "signal_peptides"
        entity = self._entity_of(values)
        if values[self._component] in WATERS or entity in self._facts.waters:
            return "water" if self._options.water else None
        return "hetatoms" if self._options.hetatoms and not self._is_polymer(entity, values) else None

    def _entity_of(self, values: list[bytes]) -> bytes:
        if self._entity is not None:
            return values[self._entity]
        return self._facts.entity_of.get(values[self._asym], b"")

    def _is_polymer(self, entity: bytes, values: list[bytes]) -> bool:
        if entity in self._facts.polymers:
            return True
        if entity in self._facts.others:
            return False
        if self._place is not None:  # only the residues of a polymer have a place in a sequence
            return values[self._place] not in (b".", b"?")
        return self._group is None or values[self._group] != b"HETATM"

    def _is_hydrogen(self, values: list[bytes]) -> bool:
        element = values[self._element] if self._element is not None else b""
        if element in COMMON_ELEMENTS:  # nearly every atom
            return False
        return is_hydrogen(element.upper(), b" " + values[self._name], values[self._component])
