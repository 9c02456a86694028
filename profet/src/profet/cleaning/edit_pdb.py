"""Takes atoms, and the records that depend on them, out of a PDB-format file; every other byte stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import BinaryIO

from profet.cleaning.chains_pdb import Facts
from profet.cleaning.options import CleanOptions, Reason
from profet.cleaning.report import Tally
from profet.cleaning.residues import WATERS, is_hydrogen
from profet.formats import pdb

Lines = Callable[[], Iterable[bytes]]
"""Reads the file from its beginning."""


def edit(lines: Lines, out: BinaryIO, options: CleanOptions, facts: Facts, cut: Collection[bytes]) -> Tally:
    """Write the file without the atoms that `options` and `cut` name.

    ANISOU and its like go with their atom, bonds in CONECT with either of theirs; TER goes with the last atom
    of its chain or takes the name of the residue that is now the last; MASTER counts anew what it counted.

    Parameters
    ----------
    lines
        The file.
    out
        Where to write to.
    options
        What to take out.
    facts
        What the file says of its chains.
    cut
        Residues of signal peptides, as chain, number and insertion code (`profet.formats.pdb.RESIDUE_KEY`).

    Returns
    -------
    Tally
        The atoms that stayed and went.
    """
    editor = _Editor(options, facts, cut)
    for line in lines():
        out.write(editor.take(line))
    return editor.tally


class _Editor:
    def __init__(self, options: CleanOptions, facts: Facts, cut: Collection[bytes]) -> None:
        self._options, self._facts, self._cut = options, facts, cut
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
        name = line[pdb.NAME].rstrip(b"\r\n").ljust(6)
        if name in pdb.ATOM_RECORDS:
            return line if self._atom(line, name) else b""
        if name in pdb.DEPENDENT_RECORDS:
            follows = line[12:27] == self._last_atom
            return b"" if follows and not self._last_stays else line
        if name[:3] == b"TER" and not name[3:].strip():
            return self._ter(line)
        if name == b"CONECT":
            return self._conect(line)
        if name == b"MASTER":
            return self._master(line)
        if name in (b"MODEL ", b"ENDMDL"):
            self._end = None
            if name == b"ENDMDL":
                self._before.is_first_model = self._after.is_first_model = False
        return line

    def _atom(self, line: bytes, name: bytes) -> bool:
        residue = line[pdb.RESIDUE]
        is_hydrogen_atom = is_hydrogen(
            line[pdb.ELEMENT].strip().upper(), line[pdb.ATOM_NAME], residue[:3].strip()
        )
        reason = self._reason(residue, name, is_hydrogen_atom)
        self._last_atom, self._last_stays = line[12:27], reason is None
        if residue[4:5] != self._end_was[4:5]:
            self._end = None  # another chain: what stays of the one before does not count for its TER
        self._end_was = residue
        self._before.atom(line, is_hydrogen_atom)
        if reason is None:
            self._end = residue
            self._after.atom(line, is_hydrogen_atom)
            self._kept_serials.add(line[pdb.SERIAL])
            self.tally.keep(residue)
            return True
        self._removed_serials.add(line[pdb.SERIAL])
        self.tally.remove(reason, residue[4:5].decode("ascii", "replace").strip(), residue)
        return False

    def _reason(self, residue: bytes, name: bytes, is_hydrogen_atom: bool) -> Reason | None:
        is_polymer = name == b"ATOM  " or residue in self._facts.polymer_hetatms
        if residue[:3].strip() in WATERS:
            if self._options.water:
                return "water"
        elif is_polymer:
            if residue[4:] in self._cut:
                return "signal_peptides"
        elif self._options.hetatoms:
            return "hetatoms"
        return "hydrogens" if is_hydrogen_atom and self._options.hydrogens else None

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
