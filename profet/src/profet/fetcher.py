"""The main class: structures by UniProt or PDB id."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from profet import settings
from profet.access import Access
from profet.cache import PDBFileCache
from profet.cleaning.options import CleanOptions
from profet.databases import ALWAYS_ASKED, check_database
from profet.databases.alphafold import Document
from profet.enums import FileType
from profet.fetching import Fetching, Wish
from profet.hits import ORDER, StructureHit, parse_order
from profet.result import FetchResult
from profet.sequences import Sequences
from profet.whole_files import write_whole

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

_logger = logging.getLogger(__name__)


class Fetcher:
    """Fetches structures from the PDB and AlphaFold DB.

    Whatever was fetched is kept in a verified cache, and is not asked for again. `get_file` with ``filesave``
    places a copy under its published name (``4v1w.cif``, ``p45523_1q6u.pdb``) in `save_directory`.

    Parameters
    ----------
    main_db
        Database that is asked first: ``"pdb"``, ``"alphafold"``, or another one that
        `profet.databases.names` knows. If it holds nothing, those two are asked.
    save_directory
        Where files are saved; ``~`` is expanded. None: the cache folder, ``~/.cache/pdb``.
    order
        What decides which of several structures of a protein comes; see `find`.

    Raises
    ------
    InvalidChoiceError
        If there is no such database or order.

    Examples
    --------
    >>> fetcher = Fetcher("pdb", save_directory="~/.pdb/")
    >>> fetcher.get_default_db()
    'pdb'
    """

    def __init__(
        self,
        main_db: str = "pdb",
        save_directory: str | os.PathLike[str] | None = None,
        *,
        order: str | Sequence[str] = ORDER,
    ) -> None:
        self._main_db = check_database(main_db)
        self.save_directory: str | None = None
        if save_directory is not None:
            self.set_directory(save_directory)
        access = Access()
        self._fetching = Fetching(access, parse_order(order))
        self._sequences = Sequences(access)

    def get_file(
        self,
        uniprot_id: str | StructureHit,
        filetype: str = FileType.cif,
        filesave: bool = False,
        db: str | None = None,
        *,
        assembly: int | None = None,
        refresh: bool = False,
    ) -> tuple[str | None, bytes]:
        """Get a structure.

        Parameters
        ----------
        uniprot_id
            UniProt accession, isoform, name of an entry, PDB id, or name of an AlphaFold model, in any case;
            or one of the hits that `find` returned.
        filetype
            ``"cif"`` or ``"pdb"``; ``"cif.gz"`` and ``"pdb.gz"`` for the same compressed; ``"bcif"`` for
            BinaryCIF. If the structure does not exist in it, it comes as ``cif`` or ``pdb``, and a warning in
            the log says so.
        filesave
            Whether to place the file in the save directory, over one of the same name.
        db
            Database to ask first; None for the default one. If it has no structure, the PDB and AlphaFold DB
            are asked, and a warning in the log says so.
        assembly
            Number of the biological assembly to get, counted from 1, instead of the deposited unit.
        refresh
            Ask the services also for what the cache holds. They send only what has changed.

        Returns
        -------
        tuple
            Path of the saved file, or None if it was not to be saved; and the bytes of the file.

        Raises
        ------
        InvalidIdError, InvalidChoiceError
            If an argument is wrong. Nothing has been asked then.
        StructureNotFoundError
            If no database has it.
        ServiceError
            If a service could not be asked.
        DamagedFileError
            If what came was no structure, or not whole, several times over.
        CacheError
            If it cannot be kept or saved.
        """
        wish = self._wish(filetype, db, assembly)
        fetching = self._fetching.refreshing() if refresh else self._fetching
        structure = fetching.find(uniprot_id, wish)
        path = str(fetching.place(structure, uniprot_id, self.cache())) if filesave else None
        return path, structure.data

    def get_files(
        self,
        ids: str | Iterable[str],
        *,
        filetype: str = FileType.cif,
        db: str | None = None,
        workers: int = 8,
        progress: Callable[[FetchResult], object] | None = None,
        refresh: bool = False,
        clean: CleanOptions | None = None,
        assembly: int | None = None,
    ) -> list[FetchResult]:
        """Get many structures at once and place them in the save directory.

        Parameters
        ----------
        ids
            As for `get_file`; one that occurs twice is fetched once. What UniProt has to say of all of them
            is asked for first, a thousand accessions at a time.
        filetype, db, refresh, assembly
            As for `get_file`.
        workers
            How many to fetch at a time. Of one service no more than 16 files at a time are asked for, and of
            the interfaces as many a second as they allow; whoever asks for a pause gets it.
        progress
            Called in this thread with each result, as it comes.
        clean
            What to take out of each structure, into a second file; None: nothing. See `profet.clean`.

        Returns
        -------
        list of FetchResult
            In the order of `ids`, without the files' contents. A failure is a result with an ``error``; the
            others go on, unless the disk is full or may not be written.
        """
        wish = self._wish(filetype, db, assembly)
        fetching = self._fetching.refreshing() if refresh else self._fetching
        return fetching.find_many(
            _several(ids), wish, self.cache(), workers=workers, progress=progress, clean=clean
        )

    def check_db(self, uniprot_id: str) -> list[str]:
        """Names of the databases that hold a structure of the id; empty if none does.

        One request at most: to UniProt for an accession, to the PDB for a PDB id.
        """
        return list(self._fetching.lookup.databases(uniprot_id))

    def file_from_db(
        self, prot_id: str, filetype: str = FileType.cif, db: str = "pdb"
    ) -> tuple[str, FileType, bytes]:
        """Get a structure from one database and no other.

        Returns
        -------
        tuple
            What the file is called after (``P45523_1Q6U``), its type, its bytes.
        """
        found, _ = self._fetching.chooser.find(prot_id, FileType(filetype), check_database(db), others=False)
        return found.identifier, found.filetype, found.data

    def find(
        self,
        uniprot_id: str,
        *,
        databases: str | Sequence[str] | None = None,
        order: str | Sequence[str] | None = None,
        observed: bool = False,
    ) -> list[StructureHit]:
        """List every known structure of a protein, the best one first.

        For an accession this is one request at most, to UniProt, which lists the entries of the PDB and the
        model of AlphaFold DB; for a PDB id one to the RCSB. No structure file is fetched.

        Parameters
        ----------
        uniprot_id
            As for `get_file`.
        databases
            Which to list, one name or several; None for the default one, the PDB and AlphaFold DB. Others
            that `profet.databases.names` knows take a request each.
        order
            What to compare first: ``"database"`` (in the order of `databases`), ``"coverage"``,
            ``"resolution"``, ``"method"``; words with commas between them, or a sequence. What is not named
            follows in this order.
        observed
            Count as covered only residues that were observed, as PDBe tells in one more request. Otherwise
            it is all that the construct had.

        Returns
        -------
        list of StructureHit
            Each says why it comes before the next. `get_file` takes any of them.

        Raises
        ------
        StructureNotFoundError
            If there is none.
        """
        names = _several(databases or dict.fromkeys([self._main_db, *ALWAYS_ASKED]))
        return self._fetching.lookup.hits(uniprot_id, databases=names, order=order, observed=observed)

    def get_sequence(
        self, uniprot_id: str, *, chain: str | None = None, cleave_signal: bool = False
    ) -> SeqRecord:
        """Get the sequence of a protein, or of a chain of a PDB entry.

        Parameters
        ----------
        uniprot_id
            UniProt accession, isoform, name of an entry, or PDB id.
        chain
            Which chain of a PDB entry, by the authors' name; needed if its chains differ.
        cleave_signal
            Leave out the signal peptide, where UniProt says that there is one. The annotation
            ``signal_peptide`` of the record then holds its range.

        Returns
        -------
        Bio.SeqRecord.SeqRecord
            That of a PDB entry is called ``1AKI_A`` and has the annotations ``chain``, ``label_chain``,
            ``entity`` and ``organism``.

        Raises
        ------
        StructureNotFoundError
            If there is no such protein or entry.
        InvalidChoiceError
            If the chains of a PDB entry differ and none was chosen.
        RefusedError
            If UniProt does not know where the signal peptide ends, or an isoform begins otherwise.
        """
        return self._sequences.one(uniprot_id, chain=chain, cleave_signal=cleave_signal)

    def get_sequences(self, ids: str | Iterable[str], *, cleave_signal: bool = False) -> list[SeqRecord]:
        """Get the sequences of one id or of several: one of a protein, one for each chain of a PDB entry.

        Raises
        ------
        StructureNotFoundError, RefusedError
            As `get_sequence`, for the first id that fails.
        """
        return self._sequences.all_of_many(_several(ids), cleave_signal=cleave_signal)

    def get_confidence(
        self, uniprot_id: str, kind: Document = "plddt", filesave: bool = False
    ) -> tuple[str | None, bytes]:
        """Get what AlphaFold DB says of how far its model can be trusted.

        Parameters
        ----------
        uniprot_id
            UniProt accession, isoform, name of an entry, or name of a model.
        kind
            ``"plddt"``: the confidence of each residue; ``"pae"``: the predicted aligned error of each pair.
        filesave
            Whether to place it in the save directory, as ``<id>.plddt.json`` or ``<id>.pae.json``.

        Returns
        -------
        tuple
            Path of the saved file, or None; and the document, JSON.

        Raises
        ------
        StructureNotFoundError
            If there is no model.
        """
        typed, stored = self._fetching.lookup.document(uniprot_id, kind)
        if not filesave:
            return None, stored.data
        path = Path(self.cache().directory, f"{typed.lower()}.{kind}.json")
        write_whole(path, stored.data)
        return str(path), stored.data

    def search_history(self) -> dict[str, list[str]]:
        """Ids that were fetched, as typed, each with every database that holds a structure of it.

        An id that no database holds has an empty list.
        """
        return self._fetching.history()

    def set_directory(self, new_dir: str | os.PathLike[str]) -> None:
        """Set where files are saved; ``~`` is expanded, and the folder is made when it is needed."""
        self.save_directory = str(settings.absolute(new_dir))

    def get_default_db(self) -> str:
        """Name of the database that is asked first."""
        return self._main_db

    def set_default_db(self, db: str) -> None:
        """Set the database that is asked first, as ``main_db`` of a new fetcher."""
        self._main_db = check_database(db)

    def cache(self) -> PDBFileCache:
        """Saved files of the save directory."""
        return PDBFileCache(self.save_directory)

    def remove(
        self,
        uniprot_id: str,
        signal_peptides: bool = True,
        hydrogens: bool = True,
        water: bool = True,
        hetatoms: bool = True,
        output_filename: str | os.PathLike[str] | None = None,
    ) -> str:
        """Take out of a saved structure what is not wanted, into a new file.

        Of several saved files of the id, the one that this fetcher saved last is meant; otherwise the one
        that is called like the id, PDB format before mmCIF; otherwise one called ``<accession>_<pdb id>``;
        and all that at last in the folders of other databases.

        Parameters
        ----------
        uniprot_id
            As it was fetched.
        signal_peptides
            Residues that UniProt counts as signal peptide: of the protein asked for, or of every protein in
            the file if a PDB id is given.
        hydrogens, water, hetatoms
            See `CleanOptions`.
        output_filename
            Where to write, a file or a folder; None for the published name beside the input, as
            ``p45523_1q6u_nosignal1to25_nohydrogens.pdb``.

        Returns
        -------
        str
            Path of the new file. (`profet.clean` does the same and reports what it did.)

        Raises
        ------
        NotFetchedError
            If no file of the id has been saved.
        RefusedError
            If it cannot be done rightly; see `profet.clean`.
        """
        options = CleanOptions(
            signal_peptides=signal_peptides, hydrogens=hydrogens, water=water, hetatoms=hetatoms
        )
        report = self._fetching.clean_saved(uniprot_id, self.cache(), options, output=output_filename)
        _logger.info("%s: saved as %s", uniprot_id, report.path)
        return str(report.path)

    def cleave_off_signal_peptides(self, uniprot_id: str) -> str:
        """Do what `remove` does, with the signal peptide alone: the name in the README of profet 1.

        Returns
        -------
        str
            Path of the new file, as ``p0a855_nosignal1to21.pdb``.

        Raises
        ------
        ProfetError
            As `remove`.
        """
        return self.remove(uniprot_id, hydrogens=False, water=False, hetatoms=False)

    def _wish(self, filetype: str, db: str | None, assembly: int | None) -> Wish:
        database = self._main_db if db is None else check_database(db)
        return Wish(filetype=FileType(filetype), database=database, assembly=assembly)


def _several(ids: str | Iterable[str]) -> list[str]:
    return [ids] if isinstance(ids, str) else list(ids)
