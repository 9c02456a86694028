"""What a PDB-format file says of its chains: which residues are polymer, which protein each chain is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from profet.cleaning.numbering import Chain, Reference, Residue
from profet.cleaning.place_runs import place_runs
from profet.cleaning.residues import WATERS, letter_of
from profet.formats import pdb

_BACKBONES = ({b"N", b"CA", b"C"}, {b"C3'", b"O3'"})


@dataclass(kw_only=True)
class Facts:
    """Read in one pass over the file.

    Attributes
    ----------
    polymer_hetatms
        Residues (`profet.formats.pdb.RESIDUE`) that are written as HETATM and belong to a polymer, as
        selenomethionine does.
    chains
        Polymer chains; empty unless they were asked for.
    """

    polymer_hetatms: frozenset[bytes] = frozenset()
    chains: list[Chain] = field(default_factory=list)


def read_facts(lines: Iterable[bytes], *, with_chains: bool) -> Facts:
    """Read what cleaning needs to know before the first atom is judged.

    Parameters
    ----------
    lines
        The file.
    with_chains
        Whether to put chains together, which only signal peptides need.
    """
    reader = _Reader()
    for line in lines:
        reader.take(line)
    return reader.facts(with_chains=with_chains)


class _Reader:
    def __init__(self) -> None:
        self._sequences: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._references: defaultdict[bytes, list[Reference]] = defaultdict(list)
        self._half_reference: tuple[str, int, int] | None = None
        self._modified: set[bytes] = set()
        self._is_first_model = True
        self._ended: set[bytes] = set()  # chains that a TER record has ended
        self._has_ter: set[bytes] = set()
        self._residues: dict[bytes, bool] = {}  # whether it stands before the TER of its chain
        self._written_as_atom: set[bytes] = set()
        self._atom_names: defaultdict[bytes, set[bytes]] = defaultdict(set)
        self._last_chain = b""

    def take(self, line: bytes) -> None:
        name = line[pdb.NAME].ljust(6)
        if name in pdb.ATOM_RECORDS:
            if self._is_first_model:
                self._atom(line, name)
        elif name == b"SEQRES":
            self._sequences[line[11:12]] += line[19:70].split()
        elif name == b"MODRES":
            self._modified.add(line[12:15] + b" " + line[16:17] + line[18:23])
        elif name in (b"DBREF ", b"DBREF1", b"DBREF2"):
            self._reference(line, name)
        elif name[:3] == b"TER" and self._is_first_model:
            self._ended.add(self._last_chain)
            self._has_ter.add(self._last_chain)
        elif name == b"ENDMDL":
            self._is_first_model = False

    def _atom(self, line: bytes, name: bytes) -> None:
        residue = line[pdb.RESIDUE]
        chain = line[pdb.CHAIN]
        self._last_chain = chain
        self._residues.setdefault(residue, chain not in self._ended)
        if name == b"ATOM  ":
            self._written_as_atom.add(residue)
        else:
            self._atom_names[residue].add(line[pdb.ATOM_NAME].strip())

    def _reference(self, line: bytes, name: bytes) -> None:
        words = line.decode("ascii", "replace").ljust(80)
        try:
            if name == b"DBREF2":
                if self._half_reference is None:
                    return
                database, first, last = self._half_reference
                accession, ends = words[18:40], (int(words[45:55]), int(words[57:67]))
            else:
                database, first, last = words[26:32], int(words[14:18]), int(words[20:24])
                if name == b"DBREF1":
                    self._half_reference = database, first, last
                    return
                accession, ends = words[33:41], (int(words[55:60]), int(words[62:67]))
        except ValueError:
            return
        is_uniprot = database.strip() in ("UNP", "SWS", "TREMBL")
        self._references[line[12:13]].append(
            Reference(
                accession=accession.strip().upper() if is_uniprot else None,
                first=first,
                last=last,
                database_first=ends[0],
                database_last=ends[1],
            )
        )

    def facts(self, *, with_chains: bool) -> Facts:
        hetatms = [residue for residue in self._residues if residue not in self._written_as_atom]
        polymer_hetatms = frozenset(filter(self._is_polymer, hetatms))
        if not with_chains:
            return Facts(polymer_hetatms=polymer_hetatms)
        by_chain: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for residue in self._residues:
            is_polymer = residue in polymer_hetatms or residue in self._written_as_atom
            if is_polymer and residue[:3].strip() not in WATERS:
                by_chain[residue[4:5]].append(residue)
        chains = [self._chain(name, residues) for name, residues in by_chain.items()]
        return Facts(polymer_hetatms=polymer_hetatms, chains=chains)

    def _is_polymer(self, residue: bytes) -> bool:
        """Judge a residue written as HETATM."""
        name, chain = residue[:3].strip(), residue[4:5]
        if residue in self._modified:
            return True
        stands_in_chain = self._residues[residue] or chain not in self._has_ter
        if chain in self._sequences:
            return stands_in_chain and name in self._sequences[chain]
        # Without a sequence, as in files that programs write, a residue of a polymer shows by its backbone.
        names = self._atom_names[residue]
        return stands_in_chain and any(backbone <= names for backbone in _BACKBONES)

    def _chain(self, name: bytes, residues: list[bytes]) -> Chain:
        sequence = "".join(letter_of(word.decode("ascii", "replace")) for word in self._sequences[name])
        # A residue may have several names (microheterogeneity); the first counts.
        by_key = {residue[4:]: residue for residue in reversed(residues)}
        ordered = [by_key[key] for key in dict.fromkeys(residue[4:] for residue in residues)]
        letters = "".join(letter_of(residue[:3].strip().decode("ascii", "replace")) for residue in ordered)
        numbers = [_number(residue) for residue in ordered]
        insertions = [residue[9:10].strip().decode("ascii", "replace") for residue in ordered]
        found = place_runs(letters, list(zip(numbers, insertions, strict=True)), sequence)
        places: Sequence[int | None] = found if found is not None else [None] * len(ordered)
        return Chain(
            name=name.decode("ascii", "replace").strip(),
            sequence=sequence,
            references=self._references[name],
            residues=[
                Residue(
                    key=residue[4:],
                    letter=letter,
                    number=None if insertion else number,
                    place=place,
                )
                for residue, letter, number, insertion, place in zip(
                    ordered, letters, numbers, insertions, places, strict=True
                )
            ],
        )


def _number(residue: bytes) -> int | None:
    try:
        return int(residue[5:9])
    except ValueError:
        return None
