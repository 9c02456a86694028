"""From ids to files in a folder: what one fetcher finds, remembers, places and cleans."""

from __future__ import annotations

import copy
import dataclasses
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from profet.access import Access
from profet.batch import fetch_all
from profet.cache import PDBFileCache
from profet.choice import Chooser
from profet.cleaning.clean import clean_with
from profet.cleaning.options import CleanOptions
from profet.cleaning.report import CleanReport
from profet.databases.protocol import Target
from profet.enums import FileType
from profet.errors import ProfetError, StructureNotFoundError
from profet.hits import StructureHit
from profet.ids import PdbId, parse_id
from profet.lookup import Lookup
from profet.resolving import expect_cleaning, resolve_typed
from profet.result import FetchResult
from profet.saved import SavedFiles
from profet.structure import Structure


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is wanted of every id of a call, in the words of `profet.Fetcher.get_file`."""

    filetype: FileType
    database: str
    assembly: int | None = None


class Fetching:
    """The work of one fetcher. Safe in threads.

    Parameters
    ----------
    access
        The way to services, through the cache.
    order
        How structures of one protein are compared.
    """

    def __init__(self, access: Access, order: Sequence[str]) -> None:
        self.access = access
        self.chooser = Chooser(access, order=order)
        self.lookup = Lookup(access, order=order)
        self._order = order
        self._saved = SavedFiles()
        self._history: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    def refreshing(self) -> Fetching:
        """Return a view that asks for everything once more; what it finds and places, this one knows, too."""
        view = copy.copy(self)
        view.chooser = Chooser(self.access.refreshing(), order=self._order)
        return view

    def history(self) -> dict[str, list[str]]:
        """Databases that hold a structure, by id as typed; none where no structure was found."""
        with self._lock:
            return {typed: list(held) for typed, held in self._history.items()}

    def find(self, wanted: str | StructureHit, wish: Wish, *, target: Target | None = None) -> Structure:
        """Find a structure, and remember which databases hold one.

        Parameters
        ----------
        wanted
            An id, or one of the hits of `profet.Fetcher.find`.
        wish
            As what, and where first.
        target
            What is known of the id; None to ask for it now.
        """
        typed = wanted.id if isinstance(wanted, StructureHit) else wanted
        try:
            structure, held = self.chooser.find(
                wanted, wish.filetype, wish.database, assembly=wish.assembly, target=target
            )
        except StructureNotFoundError:
            self._record(typed, [])
            raise
        self._record(typed, held)
        return structure

    def place(self, structure: Structure, wanted: str | StructureHit, folder: PDBFileCache) -> Path:
        """Write the file of a structure under its published name."""
        return self._saved.place(structure, wanted, folder)

    def find_many(
        self,
        ids: Sequence[str],
        wish: Wish,
        folder: PDBFileCache,
        *,
        workers: int,
        progress: Callable[[FetchResult], object] | None,
        clean: CleanOptions | None,
    ) -> list[FetchResult]:
        """Find many structures and place them; see `profet.Fetcher.get_files`."""
        if clean is not None and clean.peptides():
            expect_cleaning(self.chooser.access, ids)
        resolved = resolve_typed(self.chooser.access, dict.fromkeys(ids))
        targets = (target for target in resolved.values() if isinstance(target, Target))
        self.chooser.expect((target.pdb_id for target in targets if target.pdb_id), wish.filetype)

        def get_one(typed: str) -> FetchResult:
            result = self._one_of_many(typed, wish, folder, resolved.get(typed))
            return result if clean is None or result.path is None else self._cleaned(result, clean)

        return fetch_all(get_one, ids, workers=workers, progress=progress)

    def clean_saved(
        self,
        typed: str,
        folder: PDBFileCache,
        options: CleanOptions,
        *,
        output: str | os.PathLike[str] | None,
    ) -> CleanReport:
        """Clean the saved file of an id; see `profet.Fetcher.remove`."""
        return self._clean(typed, self._saved.find(typed, folder), options, output=output)

    def _one_of_many(
        self, typed: str, wish: Wish, folder: PDBFileCache, resolved: Target | ProfetError | None
    ) -> FetchResult:
        if isinstance(resolved, ProfetError):
            if isinstance(resolved, StructureNotFoundError):
                self._record(typed, [])
            return FetchResult(id=typed, error=resolved)
        try:
            structure = self.find(typed, wish, target=resolved)
            path = self.place(structure, typed, folder)
        except ProfetError as error:
            return FetchResult(id=typed, error=error)
        return FetchResult(
            id=typed,
            database=structure.database,
            filetype=structure.filetype,
            path=path,
            provenance=structure.stored.provenance,
            notes=structure.notes,
        )

    def _cleaned(self, result: FetchResult, options: CleanOptions) -> FetchResult:
        assert result.path is not None
        try:
            report = self._clean(result.id, result.path, options)
        except ProfetError as error:
            return dataclasses.replace(result, error=error)
        return dataclasses.replace(result, report=report)

    def _clean(
        self, typed: str, path: Path, options: CleanOptions, *, output: str | os.PathLike[str] | None = None
    ) -> CleanReport:
        """Clean the file of an id: an accession says whose peptides are meant, a PDB id all in the file."""
        identity = parse_id(typed)
        accession = None if isinstance(identity, PdbId) else identity.text
        return clean_with(self.access, path, output=output, options=options, accession=accession)

    def _record(self, typed: str, held: Sequence[str]) -> None:
        with self._lock:
            self._history[typed] = list(held)
