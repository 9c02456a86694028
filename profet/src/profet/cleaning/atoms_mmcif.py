"""Columns of ``_atom_site``, whichever of them a program has written."""

from __future__ import annotations

import math
from operator import itemgetter

from profet.cleaning.residues import COMMON_ELEMENTS, is_hydrogen
from profet.errors import DamagedFileError
from profet.formats import mmcif
from profet.formats.mmcif import Row, Table

ATOMS = "_atom_site"

UNSTATED = frozenset({b"", b".", b"?"})
UNSTATED_TEXT = frozenset(map(mmcif.text, UNSTATED))

ResidueKey = tuple[bytes, bytes]
"""``label_asym_id`` and ``label_seq_id`` of a polymer's residue."""


class AtomColumns:
    """Reads rows of one table of atoms.

    The archives write names and numbers twice: ``label_`` as the file counts, ``auth_`` as its authors do.
    Where a program has written one of the two, that one serves for both.

    Parameters
    ----------
    table
        The table of atoms.
    has_places
        False where ``label_seq_id`` is there but empty, as some programs leave it: the authors' number serves
        as the place in the sequence then, too.

    Raises
    ------
    DamagedFileError
        If the table lacks what no atom can do without.
    """

    def __init__(self, table: Table, *, has_places: bool = True) -> None:
        def column(*items: str) -> int:
            found = next((at for item in items if (at := table.column(item)) is not None), None)
            if found is None:
                raise DamagedFileError(f"the atoms of this mmCIF file have no item {items[0]}")
            return found

        self.id = column("id")
        self.component = column("label_comp_id", "auth_comp_id")
        self.name = column("label_atom_id", "auth_atom_id")
        self.asym = column("label_asym_id", "auth_asym_id")
        self._author_chain = column("auth_asym_id", "label_asym_id")
        self._number = column("auth_seq_id", "label_seq_id")
        self.entity = table.column("label_entity_id")
        self.group = table.column("group_PDB")
        self.has_places = has_places and table.column("label_seq_id") is not None
        self.place = column("label_seq_id", "auth_seq_id") if self.has_places else self._number
        self.letter = table.column("label_alt_id")
        self._occupancy = table.column("occupancy")
        self.element = table.column("type_symbol")
        self.model = table.column("pdbx_PDB_model_num")
        self._insertion = table.column("pdbx_PDB_ins_code")
        self._coordinates = [table.column(f"Cartn_{axis}") for axis in "xyz"]
        self._sifts = [table.column(f"pdbx_sifts_xref_db_{item}") for item in ("name", "acc", "num")]
        # A place in the sequence tells residues apart that differ by insertion code only, and an insertion
        # code tells those apart that have no place. Models are told apart, too.
        columns = (self.asym, self._number, self.place, self._insertion, self.model)
        stated = [at for at in columns if at is not None]
        self.place_of = itemgetter(*stated)
        self.run_of = itemgetter(*stated, self.component)
        kind = (self.asym, self._author_chain, self.entity, self.group, self.model, self.component)
        self.kind_of = itemgetter(*(at for at in kind if at is not None))

    def key(self, values: Row) -> ResidueKey:
        """What residues of polymers are known by."""
        if self.has_places or self._insertion is None or values[self._insertion] in UNSTATED:
            return values[self.asym], values[self.place]
        return values[self.asym], values[self.place] + values[self._insertion]

    def residue(self, values: Row) -> tuple[bytes, ...]:
        """Return what is the same for all atoms of a residue, in all models: chain and place, then more."""
        insertion = values[self._insertion] if self._insertion is not None else b""
        return values[self.asym], values[self.place], values[self._number], insertion, values[self.component]

    def label(self, values: Row) -> tuple[bytes, ...]:
        """Return what people know a residue by: chain, number, insertion code, and name."""
        insertion = values[self._insertion] if self._insertion is not None else b""
        return values[self._author_chain], values[self._number], insertion, values[self.component]

    def chain(self, values: Row) -> str:
        """Name that the authors gave the chain."""
        author = values[self._author_chain]
        return mmcif.text(values[self.asym] if author in UNSTATED else author)

    def model_number(self, values: Row) -> str:
        """Number of the model, 1 where the file does not count."""
        return mmcif.text(values[self.model]) if self.model is not None else "1"

    def is_hetatm(self, values: Row) -> bool:
        """Whether it is written as HETATM."""
        return self.group is not None and values[self.group] == b"HETATM"

    def has_place(self, values: Row) -> bool:
        """Whether it is an atom of a polymer with a place in the sequence."""
        return self.has_places and values[self.place] not in UNSTATED and not self.is_hetatm(values)

    def position(self, values: Row) -> tuple[float, float, float] | None:
        """Coordinates in Å; None where they are not stated."""
        try:
            x, y, z = (math.nan if at is None else float(values[at]) for at in self._coordinates)
        except ValueError:
            return None
        return (x, y, z) if math.isfinite(x + y + z) else None

    def alternative(self, values: Row) -> bytes:
        """Letter of an alternative position; empty if the atom has one position only."""
        letter = values[self.letter] if self.letter is not None else b""
        return b"" if letter in UNSTATED else letter

    def occupancy(self, values: Row) -> float:
        """Occupancy; 1 where it is not stated."""
        try:
            return float(values[self._occupancy]) if self._occupancy is not None else 1.0
        except ValueError:
            return 1.0

    def author_number(self, values: Row) -> int | None:
        """The authors' number; None if there is an insertion code, or it is no number."""
        insertion = values[self._insertion] if self._insertion is not None else b""
        try:
            return int(values[self._number]) if insertion in UNSTATED else None
        except ValueError:
            return None

    def is_hydrogen(self, values: Row) -> bool:
        """Tell hydrogen and deuterium."""
        element = values[self.element] if self.element is not None else b""
        if element in COMMON_ELEMENTS:  # nearly every atom
            return False
        return is_hydrogen(element.upper(), b" " + values[self.name], values[self.component])

    def sifts(self, values: Row) -> tuple[str, int] | None:
        """Accession and number in UniProt, where SIFTS has put them."""
        name, accession, number = (b"" if column is None else values[column] for column in self._sifts)
        if name != b"UNP" or accession in UNSTATED or not number.isdigit():
            return None
        return mmcif.text(accession).upper(), int(number)
