"""Cleaning one file: look at it, decide, write the result beside."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from profet import settings
from profet.access import Access
from profet.cleaning import chains_mmcif, chains_pdb, edit_mmcif, edit_pdb
from profet.cleaning.numbering import Chain, NumberedChain, number_chains
from profet.cleaning.options import CleanOptions, suffix
from profet.cleaning.report import ChainNumbering, CleanReport, Tally
from profet.enums import FileType
from profet.errors import CacheError, DamagedFileError, InvalidIdError, MissingFileError, RefusedError
from profet.formats.sniff import file_type_of
from profet.ids import UniProtId, parse_id, shown
from profet.uniprot import find_entry
from profet.whole_files import whole_file

_logger = logging.getLogger(__name__)

_NOTHING = CleanOptions()
_HEAD_BYTES = 4096

Ranges = dict[str, tuple[tuple[int, int], ...]]
"""Signal peptides by accession."""


def clean(
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    options: CleanOptions = _NOTHING,
    accession: str | None = None,
) -> CleanReport:
    """Take out of a structure file what is not wanted, and leave every other byte as it is.

    Parameters
    ----------
    path
        A file in mmCIF or PDB format; which of the two, its beginning tells.
    output
        Where to write. None: beside the input, under its name with a suffix that says what was taken out.
        Never over the input.
    options
        What to take out; nothing by default.
    accession
        The protein whose signal peptide is meant. None: every protein that the file names.

    Returns
    -------
    CleanReport
        What was removed from which chain, and by which map residues were found.

    Raises
    ------
    MissingFileError
        If there is no such file.
    DamagedFileError
        If it is no structure file, or not a whole one.
    RefusedError
        If a signal peptide should go, but nobody knows where it ends or which residues it is; or if nothing
        would be left. No file is written then.
    StructureNotFoundError
        If UniProt does not know the protein.
    ServiceError
        If UniProt has to be asked for the signal peptide and cannot be.

    Notes
    -----
    Only `CleanOptions.signal_peptides` needs the network, and the cache answers for UniProt for a week.
    """
    return clean_with(Access(), path, output=output, options=options, accession=accession)


def clean_with(
    access: Access,
    path: str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None,
    options: CleanOptions,
    accession: str | None,
    ranges: Sequence[tuple[int, int]] | None = None,
) -> CleanReport:
    """Do what `clean` does, with a given way to UniProt.

    Parameters
    ----------
    ranges
        Signal peptides of the protein, where they are known already; None to take UniProt's.
    """
    file = _StructureFile(settings.absolute(path))
    chains = file.read_chains(with_chains=options.signal_peptides)
    found: Ranges = {}
    numbered: list[NumberedChain] = []
    if options.signal_peptides:
        found, numbered = _signal_peptides(access, chains, accession, ranges, origin=file.path.name)
    cut = {
        key
        for chain in numbered
        for key, number in chain.numbers.items()
        if any(first <= number <= last for first, last in found[chain.accession])
    }
    stated = dict.fromkeys(pair for pairs in found.values() for pair in pairs)
    target = _target(file.path, output, suffix(options, stated))
    tally = file.write(target, options, cut)
    return CleanReport(
        source=file.path,
        path=target,
        atoms_before=tally.atoms,
        atoms_removed=tally.atoms_removed(),
        residues_removed=tally.residues_removed(),
        signal_peptides=found,
        numbering=tuple(map(_described, numbered)),
    )


class _StructureFile:
    """One input file, in either format."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
        except FileNotFoundError:
            raise MissingFileError(f"there is no file {path}") from None
        except OSError as error:
            raise CacheError(f"cannot read {path}: {error.strerror or error}") from error
        if head.startswith(b"\x1f\x8b"):
            raise DamagedFileError(f"{path} is compressed; unpack it with gunzip first", origin=str(path))
        try:
            self._type = file_type_of(head)
        except DamagedFileError as error:
            raise DamagedFileError(f"{path}: {error}", origin=str(path)) from None
        if self._type is FileType.bcif:
            raise RefusedError(f"{path} is BinaryCIF, which has no lines to take out; fetch it as cif")
        self._facts: Any = None

    def lines(self) -> Iterator[bytes]:
        """Read the file from its beginning."""
        with self.path.open("rb") as file:
            yield from file

    def read_chains(self, *, with_chains: bool) -> list[Chain]:
        """Look through the file once; the polymer chains in it, if they are asked for."""
        if self._type is FileType.cif:
            self._facts = chains_mmcif.read_facts(self.lines(), with_chains=with_chains)
        else:
            self._facts = chains_pdb.read_facts(self.lines(), with_chains=with_chains)
        chains: list[Chain] = self._facts.chains
        return chains

    def write(self, target: Path, options: CleanOptions, cut: set[Any]) -> Tally:
        """Write what stays."""
        with whole_file(target) as out:
            if self._type is FileType.cif:
                tally = edit_mmcif.edit(self.lines, out, options, self._facts, cut)
            else:
                tally = edit_pdb.edit(self.lines, out, options, self._facts, cut)
            if tally.atoms and not tally.has_left_something:
                raise RefusedError(f"nothing would be left of {self.path}, so nothing was written")
        return tally


def _signal_peptides(
    access: Access,
    chains: list[Chain],
    accession: str | None,
    ranges: Sequence[tuple[int, int]] | None,
    *,
    origin: str,
) -> tuple[Ranges, list[NumberedChain]]:
    found: Ranges = {}
    numbered: list[NumberedChain] = []
    for identity in _proteins(chains, accession, origin):
        entry = find_entry(access, identity)
        found[entry.accession] = entry.ranges() if ranges is None else tuple(ranges)
        if ranges is None and not entry.is_certain():
            _logger.warning("UniProt is not sure where the signal peptide of %s ends", entry.accession)
        if found[entry.accession]:
            numbered += number_chains(chains, entry, origin=origin)
    return found, numbered


def _proteins(chains: Iterable[Chain], accession: str | None, origin: str) -> list[UniProtId]:
    """Whose signal peptides to look for."""
    if accession is not None:
        identity = parse_id(accession)
        if not isinstance(identity, UniProtId):
            raise InvalidIdError(f"{shown(accession)} is a PDB id; the accession of a protein is needed here")
        return [identity]
    named: dict[str, UniProtId] = {}
    for chain in chains:
        accessions = chain.accessions()
        if not accessions and not chain.names_a_database:
            raise RefusedError(
                f"{origin} does not say which protein chain {chain.name or '(without a name)'} is; "
                "name it with accession=, or keep signal peptides"
            )
        for name in accessions:
            try:
                identity = parse_id(name)
            except InvalidIdError:
                _logger.warning("%s names %s as if it were a UniProt accession", origin, shown(name))
                continue
            if isinstance(identity, UniProtId):
                named.setdefault(identity.accession, identity)
    return list(named.values())


def _target(source: Path, output: str | os.PathLike[str] | None, ending: str) -> Path:
    if output is None:
        return source.with_name(f"{source.stem}_{ending}{source.suffix}")
    target = settings.absolute(output)
    if target == source or (target.exists() and target.samefile(source)):
        raise RefusedError(f"{target} is the input itself; write the cleaned structure to another file")
    return target


def _described(chain: NumberedChain) -> ChainNumbering:
    numbers = chain.numbers.values()
    return ChainNumbering(
        chain=chain.chain,
        accession=chain.accession,
        method=chain.method,
        first=min(numbers, default=None),
        last=max(numbers, default=None),
    )
