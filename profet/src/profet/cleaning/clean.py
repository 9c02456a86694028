"""Cleaning one file: look at it, decide, write the result beside."""

from __future__ import annotations

import logging
import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path

from profet import settings
from profet.access import Access
from profet.cleaning import chains_pdb, edit_mmcif, edit_pdb, facts_mmcif, sifts
from profet.cleaning.chains_pdb import PdbFacts
from profet.cleaning.facts import Facts
from profet.cleaning.facts_mmcif import MmcifFacts
from profet.cleaning.numbering import Chain, NumberedChain, number_chains
from profet.cleaning.options import PEPTIDES, CleanOptions, Peptide, Reason, suffix
from profet.cleaning.report import ChainNumbering, CleanReport, Tally
from profet.cleaning.rules import Rules
from profet.cleaning.structure_file import StructureFile
from profet.enums import FileType
from profet.errors import InvalidIdError, RefusedError
from profet.formats import compressed
from profet.ids import UniProtId, parse_id, shown
from profet.uniprot import find_entry
from profet.whole_files import whole_file

_logger = logging.getLogger(__name__)

_NOTHING = CleanOptions()
Found = dict[Peptide, dict[str, tuple[tuple[int, int], ...]]]
"""What UniProt states: by kind and accession."""


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
        A file in mmCIF or PDB format, gzipped or not; which of them, its beginning tells.
    output
        Where to write, gzipped if the name ends in ``.gz``. None: beside the input, under its name with a
        suffix that says what was taken out, and gzipped if the input is; a folder that is there: in it, under
        that name. Never over the input.
    options
        What to take out; nothing by default.
    accession
        The protein whose signal peptide is meant (transit peptide, propeptide). None: every protein that
        the file names.

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
        If a peptide should go, but nobody knows where it ends or which residues it is; if a chain or model
        to keep is not there; if confidence counts in a file that is no predicted model; if the file is
        BinaryCIF; or if nothing would be left. No file is written then.
    StructureNotFoundError
        If UniProt does not know the protein.
    ServiceError
        If UniProt has to be asked for the signal peptide and cannot be.

    Notes
    -----
    Only peptides need the network: UniProt states them, and PDBe is asked for the numbering of a PDB entry
    whose file does not have it. The cache answers for both for a week.
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

    Raises
    ------
    ProfetError
        As `clean`.
    """
    file = StructureFile(settings.absolute(path))
    facts = _read_facts(file, options)
    found, numbered = _peptides(access, facts, options, accession, ranges, origin=file.path.name)
    cut = {**_low_confidence(facts, options, origin=file.path.name), **_cut(found, numbered)}
    target = _target(file, output, suffix(options, {kind: _distinct(found[kind]) for kind in found}))
    tally = _write(file, target, facts, Rules(options, cut, facts.alternatives))
    return CleanReport(
        source=file.path,
        path=target,
        atoms_before=tally.atoms,
        atoms_removed=tally.atoms_removed(),
        residues_removed=tally.residues_removed(),
        peptides=found,
        numbering=tuple(map(_described, numbered)),
    )


def _read_facts(file: StructureFile, options: CleanOptions) -> MmcifFacts | PdbFacts:
    if file.type is FileType.cif:
        return facts_mmcif.read_facts(file.lines, options, origin=str(file.path))
    return chains_pdb.read_facts(file.lines(), options, origin=str(file.path))


def _write(file: StructureFile, target: Path, facts: MmcifFacts | PdbFacts, rules: Rules) -> Tally:
    """Write what stays, or nothing at all."""
    with whole_file(target) as whole, compressed.writing(whole, gzip=target.suffix == ".gz") as out:
        if isinstance(facts, MmcifFacts):
            tally = edit_mmcif.edit(file.lines, out, rules, facts)
        else:
            tally = edit_pdb.edit(file.lines, out, rules, facts)
        if missing := rules.not_found():
            raise RefusedError(f"{file.path} has {missing[0]}, so nothing was written")
        if tally.atoms and not tally.has_left_something:
            raise RefusedError(f"nothing would be left of {file.path}, so nothing was written")
    return tally


def _peptides(
    access: Access,
    facts: Facts,
    options: CleanOptions,
    accession: str | None,
    ranges: Sequence[tuple[int, int]] | None,
    *,
    origin: str,
) -> tuple[Found, list[NumberedChain]]:
    """Look up what UniProt states, and number the chains of those proteins that have something to lose."""
    found: Found = {kind: {} for kind in options.peptides()}
    numbered: list[NumberedChain] = []
    if not found:
        return found, numbered
    if not facts.chains:
        raise RefusedError(
            f"{origin} has no chain with numbered residues, so no peptide of a protein is known"
        )
    ask = sifts.asking(access, facts.pdb_id)
    for identity in _proteins(facts.chains, accession, origin):
        entry = find_entry(access, identity)
        for kind in found:
            name = PEPTIDES[kind]
            found[kind][entry.accession] = entry.ranges(name) if ranges is None else tuple(ranges)
            if ranges is None and not entry.is_certain(name):
                _logger.warning("UniProt is not sure of the %s of %s", name.lower(), entry.accession)
        if any(stated[entry.accession] for stated in found.values()):
            numbered += number_chains(facts.chains, entry, origin=origin, ask=ask)
    return found, numbered


def _cut(found: Found, numbered: Iterable[NumberedChain]) -> dict[Hashable, Reason]:
    """Residues of the peptides; one that is of two kinds counts as the first of them."""
    cut: dict[Hashable, Reason] = {}
    for kind, stated in found.items():
        for chain in numbered:
            for key, number in chain.numbers.items():
                if any(_start(first) <= number <= last for first, last in stated[chain.accession]):
                    cut.setdefault(key, kind)
    return cut


def _start(first: int) -> int:
    """Where the cut begins: an initiator methionine, which UniProt counts apart, cannot stay behind."""
    return 1 if first == 2 else first


def _low_confidence(facts: Facts, options: CleanOptions, *, origin: str) -> dict[Hashable, Reason]:
    if options.minimum_plddt is None:
        return {}
    if facts.plddt is None:
        raise RefusedError(
            f"{origin} does not say that it is a predicted model with a confidence (pLDDT) of each residue; "
            "an experimental structure has none"
        )
    return {key: "minimum_plddt" for key, plddt in facts.plddt.items() if plddt < options.minimum_plddt}


def _distinct(stated: Mapping[str, Iterable[tuple[int, int]]]) -> list[tuple[int, int]]:
    return list(dict.fromkeys(pair for pairs in stated.values() for pair in pairs))


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
        if not accessions and not chain.names_a_database and chain.has_amino_acids:
            raise RefusedError(
                f"{origin} does not say which protein chain {chain.name or '(without a name)'} is; "
                "name it with accession=, or leave its peptides in"
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


def _target(file: StructureFile, output: str | os.PathLike[str] | None, ending: str) -> Path:
    source = file.path
    extension = "".join(source.suffixes[-2:]) if source.suffix == ".gz" else source.suffix
    name = f"{source.name.removesuffix(extension)}_{ending}{extension}"
    if output is None:
        return source.with_name(name)
    target = settings.absolute(output)
    if target.is_dir():
        target /= name
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
