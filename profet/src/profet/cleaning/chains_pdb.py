"""What a PDB-format file says of its chains: which residues are polymer, which protein each chain is."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from profet.cleaning.alternatives import Alternatives, Position
from profet.cleaning.backbones import Backbones, matters
from profet.cleaning.facts import Facts, as_number, pdb_id_of
from profet.cleaning.numbering import Chain, Residue
from profet.cleaning.options import CleanOptions
from profet.cleaning.place_runs import place_runs
from profet.cleaning.references_pdb import REFERENCE_RECORDS, References
from profet.cleaning.residues import MODIFIED, OF_CHAINS, WaterNames, is_hydrogen, letter_of
from profet.errors import DamagedFileError
from profet.formats import pdb

# Titles of models whose B column is the confidence of residues. Source: files of AlphaFold DB and ESM Atlas.
_PREDICTED = re.compile(r"(?:ALPHAFOLD|ESMFOLD)\b.*\bPREDICTION\b", re.IGNORECASE)


@dataclass(kw_only=True)
class PdbFacts(Facts):
    """Read in one pass over the file.

    Attributes
    ----------
    polymer_hetatms
        Residues (`profet.formats.pdb.RESIDUE`) that are written as HETATM and belong to a polymer, as
        selenomethionine does.
    strays
        Residues that are written as ATOM, as programs of molecular dynamics write ions and lipids, and that
        no name, sequence or backbone makes part of a chain.
    columns
        Where the name of a residue ends and its chain begins.
    models
        Numbers of the models; ``["1"]`` where the file does not count.
    """

    polymer_hetatms: frozenset[bytes] = frozenset()
    strays: frozenset[bytes] = frozenset()
    columns: pdb.ResidueColumns = field(default_factory=pdb.ResidueColumns)
    models: list[str] = field(default_factory=list)


def read_facts(lines: Iterable[bytes], options: CleanOptions, *, origin: str) -> PdbFacts:
    """Read what cleaning needs to know before the first atom is judged.

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
    """
    reader = _Reader(options)
    for line in lines:
        reader.take(line)
    if not reader.has_atoms:
        raise DamagedFileError(f"{origin} is in PDB format, but it holds no atoms", origin=origin)
    return reader.facts(with_chains=bool(options.peptides()))


class _Reader:
    def __init__(self, options: CleanOptions) -> None:
        self._sequences: defaultdict[bytes, list[bytes]] = defaultdict(list)
        self._references = References()
        self._modified: set[bytes] = set()
        self._pdb_id = self._title = self._experiment = ""
        self._model = "1"
        self._models: dict[str, None] = {}
        self._ended: set[bytes] = set()  # chains that a TER record has ended, in this model
        self._has_ter: set[bytes] = set()
        self._residues: dict[bytes, bool] = {}  # whether it stands before the TER of its chain
        self._written_as_atom: set[bytes] = set()
        self._with_ca: set[bytes] = set()  # places in chains, in this model
        self._repeated: dict[bytes, bytes] = {}  # number that two residues of a chain go by
        self._in_part: set[bytes] = set()  # residues with alternative positions
        self._backbones = Backbones()
        self._water_names = WaterNames()
        self._last_chain = self._last_residue = b""
        self._is_stated = False  # whether the sequence of its chain names that residue
        selection = options.selection("altlocs")
        self._alternatives = Alternatives(selection) if selection else None
        self._asked_models = options.selection("models")
        self._b_factors: defaultdict[bytes, list[float]] | None = None
        if options.minimum_plddt is not None:
            self._b_factors = defaultdict(list)

    @property
    def has_atoms(self) -> bool:
        return bool(self._residues)

    def take(self, line: bytes) -> None:
        name = line[pdb.NAME]
        if name not in pdb.ATOM_RECORDS:  # as nearly every line is
            name = pdb.record_of(line)
        if name in pdb.ATOM_RECORDS:
            self._atom(line, name)
        elif name == b"SEQRES":
            self._sequences[line[10:12]] += line[19:70].split()
        elif name == b"MODRES":
            self._modified.add(line[12:17] + line[18:23])
        elif name in REFERENCE_RECORDS:
            self._references.take(line, name)
        elif name == b"TER   ":
            self._ended.add(self._last_chain)
            self._has_ter.add(self._last_chain)
        elif name == b"MODEL ":
            self._model = model_number(line)
            self._models[self._model] = None
            self._ended.clear()
            self._with_ca.clear()
        elif name == b"ENDMDL":
            self._with_ca.clear()
        elif name in (b"HEADER", b"TITLE ", b"EXPDTA"):
            self._head(line, name)

    def _head(self, line: bytes, name: bytes) -> None:
        words = line.decode("ascii", "replace")
        if name == b"HEADER":
            self._pdb_id = words[62:66]
        elif name == b"TITLE ":
            self._title += words[10:80].rstrip()
        else:
            self._experiment += words[10:79].strip()

    def _atom(self, line: bytes, name: bytes) -> None:
        residue = line[pdb.RESIDUE]
        chain = line[pdb.CHAIN]
        self._last_chain = chain
        self._residues.setdefault(residue, chain not in self._ended)
        if name == b"ATOM  ":
            self._written_as_atom.add(residue)
        atom = line[pdb.ATOM_NAME].strip()
        self._water_names.see(residue[:3], atom)
        if residue != self._last_residue:
            self._last_residue = residue
            self._is_stated = residue[:3].strip() in self._sequences.get(chain, ())
        if not self._is_stated and matters(atom, is_hetatm=name == b"HETATM"):
            with contextlib.suppress(ValueError):
                x, y, z = (float(line[axis]) for axis in pdb.COORDINATES)
                self._backbones.see(residue, atom, (x, y, z))
        letter = line[pdb.ALTERNATIVE].strip()
        if letter:
            self._in_part.add(residue)
        elif atom == b"CA" and name == b"ATOM  " and residue[:3].strip() != b"CA":
            if residue[3:] in self._with_ca:
                self._repeated.setdefault(residue[3:5], residue[5:].strip())
            self._with_ca.add(residue[3:])
        if letter and self._alternatives is not None:
            position = Position(
                component=residue[:3].strip(),
                atom=line[pdb.ATOM_NAME],
                letter=letter,
                occupancy=as_number(line[pdb.OCCUPANCY].decode("ascii", "replace"), otherwise=1.0),
                is_hydrogen=is_hydrogen_atom(line),
            )
            self._alternatives.see((self._model, line[pdb.RESIDUE_KEY]), position)
        if self._b_factors is not None and (self._asked_models is None or self._model in self._asked_models):
            value = as_number(line[pdb.B_FACTOR].decode("ascii", "replace"), otherwise=100.0)
            self._b_factors[line[pdb.RESIDUE_KEY]].append(value)

    def facts(self, *, with_chains: bool) -> PdbFacts:
        hetatms = [residue for residue in self._residues if residue not in self._written_as_atom]
        bonded = self._backbones.bonded() if hetatms else frozenset()
        polymer_hetatms = self._with_others_in_place(
            hetatms, {residue for residue in hetatms if self._is_polymer(residue, bonded)}
        )
        facts = PdbFacts(
            pdb_id=pdb_id_of(self._pdb_id),
            polymer_hetatms=polymer_hetatms,
            strays=frozenset(self._strays()),
            columns=pdb.ResidueColumns.of(self._residues),
            models=list(self._models) or ["1"],
            alternatives=self._alternatives,
            plddt=self._plddt(),
            water_names=self._water_names.found(),
        )
        if with_chains:
            by_chain: defaultdict[bytes, list[bytes]] = defaultdict(list)
            in_chains = self._written_as_atom - facts.strays | polymer_hetatms
            for residue in self._residues:
                if residue in in_chains and facts.columns.name(residue) not in facts.water_names:
                    by_chain[facts.columns.chain(residue)].append(residue)
            facts.chains = [self._chain(name, residues) for name, residues in by_chain.items()]
        return facts

    def _plddt(self) -> dict[Hashable, float] | None:
        """Mean of the B column of each residue, if the title says that it is a confidence."""
        if not self._b_factors or self._experiment not in ("", "THEORETICAL MODEL"):
            return None
        if not _PREDICTED.match(self._title):
            return None
        means = {residue: sum(values) / len(values) for residue, values in self._b_factors.items()}
        scale = 100.0 if max(means.values()) <= 1 else 1.0  # ESM Atlas counts to 1
        return {residue: scale * mean for residue, mean in means.items()}

    def _is_polymer(self, residue: bytes, bonded: Container[Hashable]) -> bool:
        """Judge a residue written as HETATM."""
        name, chain = residue[:3].strip(), residue[3:5]
        stands_in_chain = self._stands_in_chain(residue)
        if chain in self._sequences:
            return (stands_in_chain or residue in self._modified) and name in self._sequences[chain]
        if residue in self._modified:
            return True
        # There is no sequence, as in files that programs write.
        return stands_in_chain and (name in MODIFIED or residue in bonded)

    def _strays(self) -> Iterator[bytes]:
        """Residues written as ATOM that are of no chain."""
        doubtful = [residue for residue in self._written_as_atom if residue[:3].strip() not in OF_CHAINS]
        backbones = self._backbones.bonded() | self._backbones.whole() if doubtful else frozenset()
        for residue in doubtful:
            sequence = self._sequences.get(residue[3:5], ())
            is_stated = residue in self._modified or residue[:3].strip() in sequence
            if not (is_stated or residue in backbones):
                yield residue

    def _with_others_in_place(self, hetatms: Iterable[bytes], polymer: set[bytes]) -> frozenset[bytes]:
        """Add what shares its place in the chain: the sequence names only one of them."""
        places = {residue[3:] for residue in (*self._written_as_atom, *polymer)}
        return frozenset(polymer).union(
            residue
            for residue in self._in_part.intersection(hetatms)
            if residue[3:] in places and self._stands_in_chain(residue)
        )

    def _stands_in_chain(self, residue: bytes) -> bool:
        return self._residues[residue] or residue[3:5] not in self._has_ter

    def _chain(self, name: bytes, residues: list[bytes]) -> Chain:
        sequence = "".join(letter_of(word.decode("ascii", "replace")) for word in self._sequences[name])
        # A residue may have several names (microheterogeneity); the first counts.
        by_key = {residue[3:]: residue for residue in reversed(residues)}
        ordered = [by_key[key] for key in dict.fromkeys(residue[3:] for residue in residues)]
        letters = "".join(letter_of(residue[:3].strip().decode("ascii", "replace")) for residue in ordered)
        numbers = [_number(residue) for residue in ordered]
        insertions = [residue[9:10].strip().decode("ascii", "replace") for residue in ordered]
        found = place_runs(letters, list(zip(numbers, insertions, strict=True)), sequence)
        places: Sequence[int | None] = found if found is not None else [None] * len(ordered)
        return Chain(
            name=name.decode("ascii", "replace").strip(),
            sequence=sequence,
            references=self._references.by_chain[name],
            repeated=self._repeated.get(name, b"").decode("ascii", "replace"),
            residues=[
                Residue(
                    key=residue[3:],
                    letter=letter,
                    number=None if insertion else number,
                    seq_id=None if place is None else place + 1,
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


def model_number(line: bytes) -> str:
    """Number in a MODEL record, wherever a program has put it; 1 if there is none."""
    words = line[6:].split()
    return words[0].decode("ascii", "replace") if words else "1"


def is_hydrogen_atom(line: bytes) -> bool:
    """Tell hydrogen and deuterium."""
    element = line[pdb.ELEMENT].strip().upper()
    return is_hydrogen(element, line[pdb.ATOM_NAME], line[pdb.RESIDUE_NAME].strip())
