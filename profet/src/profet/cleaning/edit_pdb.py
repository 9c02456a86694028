"""Takes atoms, and the records that depend on them, out of a PDB-format file; every other byte stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import BinaryIO

from profet.cleaning.chains_pdb import PdbFacts, is_hydrogen_atom, model_number
from profet.cleaning.options import Reason
from profet.cleaning.report import Tally
from profet.cleaning.rules import Rules
from profet.formats import pdb

Lines = Callable[[], Iterable[bytes]]
"""Reads the file from its beginning."""


def edit(lines: Lines, out: BinaryIO, rules: Rules, facts: PdbFacts) -> Tally:
    """Write the file without the atoms that the rules name.

    ANISOU and its like go with their atom, bonds in CONECT with either of theirs, MODEL and ENDMDL with their
    model; TER goes with the last atom of its chain or takes the name of the residue that is now the last;
    MASTER and NUMMDL count anew what they counted.

    Parameters
    ----------
    lines
        The file.
    out
        Where to write to.
    rules
        What to take out.
    facts
        What the file says of its chains.

    Returns
    -------
    Tally
        The atoms that stayed and went.
    """
    editor = _Editor(rules, facts)
    for line in lines():
        out.write(editor.take(line))
    return editor.tally


class _Editor:
    def __init__(self, rules: Rules, facts: PdbFacts) -> None:
        self._rules, self._facts = rules, facts
        self._model = "1"
        self._model_goes = False
        self._run = b""  # record and residue of the last atom
        self._reason: Reason | None = None  # why that residue goes
        self._is_polymer = False
        self._last_atom = b""  # name, residue: what the records behind an atom repeat of it
        self._last_stays = True
        self._end: bytes | None = None  # residue of the last atom that stays, since the last TER
        self._end_was = b""  # the same, of those that were there
        self._removed_serials: set[bytes] = set()
        self._kept_serials: set[bytes] = set()
        self._before, self._after = _Count(), _Count()
        self.tally = Tally()

    def take(self, line: bytes) -> bytes:
        """Return what becomes of a line: itself, another, or nothing."""
        name = line[pdb.NAME]
        if name not in pdb.ATOM_RECORDS:  # as nearly every line is
            name = pdb.record_of(line)
        if name in pdb.ATOM_RECORDS:
            return line if self._atom(line, name) else b""
        if name in pdb.DEPENDENT_RECORDS:
            follows = line[12:27] == self._last_atom
            return b"" if follows and not self._last_stays else line
        if name == b"TER   ":
            return self._ter(line)
        if name in (b"MODEL ", b"ENDMDL"):
            return self._edge_of_model(line, name)
        if self._model_goes:
            return b""
        if name == b"CONECT":
            return self._conect(line)
        if name == b"MASTER":
            return self._master(line)
        return self._nummdl(line) if name == b"NUMMDL" else line

    def _edge_of_model(self, line: bytes, name: bytes) -> bytes:
        self._end, self._run = None, b""
        if name == b"MODEL ":
            self._model = model_number(line)
            self._model_goes = self._rules.for_model(self._model) is not None
            return b"" if self._model_goes else line
        goes, self._model_goes = self._model_goes, False
        self._before.is_first_model = False
        if not goes:
            self._after.is_first_model = False
        return b"" if goes else line

    def _nummdl(self, line: bytes) -> bytes:
        models = self._facts.models
        left = sum(self._rules.for_model(model) is None for model in models)
        field = line[10:14].rstrip()
        if field.strip() != b"%d" % len(models):
            return line
        return line[:10] + (b"%d" % left).rjust(len(field)) + line[10 + len(field) :]

    def _atom(self, line: bytes, name: bytes) -> bool:
        residue = line[pdb.RESIDUE]
        if name + residue != self._run:
            self._run = name + residue
            self._begin_residue(residue, name)
        hydrogen = is_hydrogen_atom(line)
        reason = self._reason
        if reason is None and self._rules.looks_at_atoms:
            reason = self._rules.for_atom(
                place=(self._model, line[pdb.RESIDUE_KEY]),
                component=residue[:3].strip(),
                atom=line[pdb.ATOM_NAME],
                letter=line[pdb.ALTERNATIVE].strip(),
                is_polymer=self._is_polymer,
                is_hydrogen=hydrogen,
            )
        self._last_atom, self._last_stays = line[12:27], reason is None
        if residue != self._end_was:
            chain = self._facts.columns.chain
            if chain(residue) != chain(self._end_was):
                self._end = None  # another chain: what stays of the one before does not count for its TER
            self._end_was = residue
        self._before.atom(line, hydrogen)
        if reason is None:
            self._end = residue
            self._after.atom(line, hydrogen)
            self._kept_serials.add(line[pdb.SERIAL])
            self.tally.keep((residue,))
            return True
        self._removed_serials.add(line[pdb.SERIAL])
        self.tally.remove(reason, self._name_of_chain(residue), (residue,))
        return False

    def _begin_residue(self, residue: bytes, name: bytes) -> None:
        facts = self._facts
        is_water = facts.columns.name(residue) in facts.water_names
        is_in_chain = residue not in facts.strays if name == b"ATOM  " else residue in facts.polymer_hetatms
        self._is_polymer = is_in_chain and not is_water
        self._reason = self._rules.for_kind(
            model=self._model,
            chain=self._name_of_chain(residue),
            is_water=is_water,
            is_polymer=self._is_polymer,
        )
        if self._reason is None and self._is_polymer:
            self._reason = self._rules.for_residue(residue[3:])

    def _name_of_chain(self, residue: bytes) -> str:
        return self._facts.columns.chain(residue).decode("ascii", "replace").strip()

    def _ter(self, line: bytes) -> bytes:
        end, self._end = self._end, None
        self._before.ters += 1
        if end is None:
            return b""  # nothing is left of the chain that ended here
        self._after.ters += 1
        stated = line[pdb.RESIDUE]
        if end == self._end_was or not stated.strip():
            return line
        return line[: pdb.RESIDUE.start] + end + line[pdb.RESIDUE.stop :]

    def _conect(self, line: bytes) -> bytes:
        self._before.conects += 1
        serials = [line[field].strip(b"\r\n") for field in pdb.CONECT_FIELDS]
        if not any(map(self._is_gone, serials)):
            self._after.conects += 1
            return line
        bonds = [serial for serial in serials[1:] if serial.strip() and not self._is_gone(serial)]
        if self._is_gone(serials[0]) or not bonds:
            return b""
        self._after.conects += 1
        end = pdb.end_of_line(line)
        rest = line[31 : len(line) - len(end)]
        return b"".join((line[:6], serials[0], *bonds)).ljust(31) + rest + end

    def _is_gone(self, serial: bytes) -> bool:
        # Models repeat serial numbers, and past 99,999 some programs write stars: one that stays outweighs.
        return serial in self._removed_serials and serial not in self._kept_serials

    def _master(self, line: bytes) -> bytes:
        atoms = self._before.recounted(line[50:55], self._after)
        ters, conects = (
            b"%5d" % after if field.strip() == b"%d" % before else field
            for field, before, after in (
                (line[55:60], self._before.ters, self._after.ters),
                (line[60:65], self._before.conects, self._after.conects),
            )
        )
        return line[:50] + atoms + ters + conects + line[65:]


class _Count:
    """Counts atoms in the ways in which MASTER counts them, depending on who wrote the file.

    The format wants all atoms. wwPDB's own files leave out hydrogens, all models but the first, and all but
    one of the alternative positions of an atom (1L2Y states 154 of 304, 4XOJ 2,116 of 2,322).
    """

    def __init__(self) -> None:
        self.is_first_model = True
        self.ters = self.conects = 0
        self._ways: Counter[str] = Counter()
        self._last_atoms: set[bytes] = set()
        self._last_residue = b""

    def atom(self, line: bytes, is_hydrogen_atom: bool) -> None:
        self._ways["all"] += 1
        if not self.is_first_model:
            return
        self._ways["first model"] += 1
        residue = line[pdb.RESIDUE]
        if residue != self._last_residue:
            self._last_residue = residue
            self._last_atoms.clear()
        atom = line[pdb.ATOM_NAME]
        if not is_hydrogen_atom and atom not in self._last_atoms:
            self._last_atoms.add(atom)
            self._ways["heavy atoms, once each"] += 1

    def recounted(self, field: bytes, other: _Count) -> bytes:
        """Return the other count, made in the way that gave `field` here; `field` itself if none did."""
        for way, number in self._ways.items():
            if field.strip() == b"%d" % number:
                return b"%5d" % other._ways[way]
        return field
