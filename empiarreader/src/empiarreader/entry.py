"""One entry of EMPIAR: what it says about itself, and the files it holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

from empiarreader import settings
from empiarreader.addresses import check_protocol, join_path, normalise_path, parse_entry_id
from empiarreader.errors import EmpiarReaderError
from empiarreader.listing.counts import ImagesetCount, count_images
from empiarreader.listing.kinds import check_kind, kind_of
from empiarreader.listing.selection import Selection
from empiarreader.listing.sizes import with_exact_sizes
from empiarreader.listing.tree import LISTING_AGE_SECONDS, ArchiveFile, Directory, EntryTree
from empiarreader.metadata.api import FoundRecord, find_record
from empiarreader.metadata.emdb import EmdbMap, map_address
from empiarreader.metadata.entry_metadata import EntryMetadata
from empiarreader.notebook import Branch, branch_of, entry_html

_logger = logging.getLogger(__name__)


class EmpiarEntry(EntryMetadata):
    """One entry of EMPIAR.

    Making one asks nothing. The first look at metadata asks the API once; listings ask the archive, one
    request a directory, and the answers are kept for an hour. Where ``EMPIARREADER_MIRROR`` names a folder
    that has the entry, listings come from there.

    Parameters
    ----------
    entry
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``.
    protocol
        ``"https"``, or ``"ftp"`` to list directories through the archive's FTP door, which also tells exact
        sizes.
    max_age_seconds
        How old a listing from the cache may be; 0 always asks the archive.
    progress
        Called while directories are listed with how many have been, and how many are known.

    Raises
    ------
    InvalidRequestError
        If it is none of these. An entry that does not exist raises an
        :class:`~empiarreader.EntryNotFoundError` at the first look.
    """

    def __init__(
        self,
        entry: int | str,
        *,
        protocol: str = "https",
        max_age_seconds: float = LISTING_AGE_SECONDS,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self.entry_id = parse_entry_id(entry)
        self._kept: FoundRecord | None = None
        self._tree = EntryTree(
            settings.archive_url(), self.entry_id, check_protocol(protocol), max_age_seconds, progress
        )

    def __repr__(self) -> str:
        return f"EmpiarEntry({self.entry_id})"

    @property
    def accession(self) -> str:
        """``EMPIAR-10943``."""
        return f"EMPIAR-{self.entry_id}"

    @property
    def url(self) -> str:
        """Address of the entry's directory in the archive."""
        return self._tree.address(directory=True)

    @property
    def _found(self) -> FoundRecord:
        # No cached_property: in Python 3.11 the question of one entry would hold up those of all others.
        if self._kept is None:
            self._kept = find_record(self.entry_id)
        return self._kept

    @property
    def record(self) -> dict[str, Any]:
        """Everything that the API says about the entry; asked for once."""
        return self._found.record

    @property
    def record_url(self) -> str:
        """Address that the metadata came from: the API's, or where that is down the entry's XML file."""
        return self._found.url

    def maps(self) -> tuple[EmdbMap, ...]:
        """Return the maps in EMDB that the entry refers to; nothing of them moves before one is opened."""
        return tuple(EmdbMap(emdb_id=name, url=map_address(name)) for name in self.references["emdb"])

    def tree(self, directory: str = "", *, depth: int = 2) -> Branch:
        """Return the directories of the entry as a tree with counts of files; print it, or show it.

        Parameters
        ----------
        directory
            Where to begin.
        depth
            How many levels to list, one request for each directory of them; those below are named alone.
        """
        top = normalise_path(directory)
        deepest = top.count("/") + bool(top) + depth - 1
        walked = self._tree.walk(top, enter=lambda path: path.count("/") + 1 <= deepest)
        return branch_of({found.path: found for found in walked}, top, top or self.accession)

    def _repr_html_(self) -> str:
        try:
            tree = self.tree()
        except EmpiarReaderError as error:
            _logger.warning("%s", error)
            tree = None
        return entry_html(self, accession=self.accession, url=self.url, tree=tree)

    def list_directory(self, directory: str = "") -> Directory:
        """Return what one directory holds: one request.

        Raises
        ------
        EntryNotFoundError, ArchiveFileNotFoundError
            If the archive has no such entry, or the entry no such directory.
        """
        return self._tree.list_directory(directory)

    def walk(self, directory: str = "") -> Iterator[Directory]:
        """Yield a directory and all below it as their pages arrive, sixteen requests at a time.

        The order of directories is not fixed; :meth:`find` sorts.
        """
        return self._tree.walk(directory)

    def count_images(self) -> tuple[ImagesetCount, ...]:
        """Return for each imageset how many images the archive lists beside how many it is said to have.

        Lists the directory of each imageset and those below it, twice where images seem to be missing: one
        of the archive's servers has been seen to leave a file out.
        """
        return count_images(self._tree, self.imagesets)

    def find(
        self,
        pattern: str,
        *,
        directory: str = "",
        regexp: bool = False,
        kind: str | None = None,
        ignore_case: bool = False,
        exact_sizes: bool = False,
    ) -> list[ArchiveFile]:
        """Return the files whose path matches, sorted by path.

        Parameters
        ----------
        pattern
            Glob relative to ``directory``: ``*`` stays within one name, ``**`` stands for any directories.
            Only directories that can hold a match are listed.
        directory
            Where to begin.
        regexp
            Take the pattern as a regular expression that may match anywhere in the path; all directories are
            listed.
        kind
            Of the files that match, only those of this kind; see :meth:`files`.
        ignore_case
            Whether upper and lower case are the same: depositors write ``.mrc`` and ``.MRC``.
        exact_sizes
            Ask for the exact size of each file found, where its directory did not tell: one small request
            for each.

        Raises
        ------
        PatternError
            If the pattern is malformed.
        EntryNotFoundError, ArchiveFileNotFoundError
            If the archive has no such entry, or the entry no such directory. No match is an empty list.
        """
        selection = Selection(
            pattern, regexp=regexp, recursive=True if regexp else None, ignore_case=ignore_case
        )
        found = self._of_kind(kind, lambda: find_files(self._tree, normalise_path(directory), selection))
        return with_exact_sizes(found) if exact_sizes else found

    def files(
        self, *, kind: str | None = None, directory: str = "", exact_sizes: bool = False
    ) -> list[ArchiveFile]:
        """Return the files of the entry, or those of one kind, sorted by path; all directories are listed.

        Parameters
        ----------
        kind
            ``"movies"``, ``"micrographs"``, ``"gains"``, ``"particles"``, ``"coordinates"``,
            ``"tilt_series"`` or ``"metadata"``: told by names and by the category of the imageset around the
            file, as :mod:`empiarreader.listing.kinds` says. None for all files.
        directory
            Where to begin.
        exact_sizes
            As for :meth:`find`.

        Raises
        ------
        InvalidRequestError
            If there is no such kind.
        EntryNotFoundError, ArchiveFileNotFoundError
            If the archive has no such entry, or the entry no such directory.
        """
        found = self._of_kind(kind, lambda: self._tree.files(normalise_path(directory)))
        return with_exact_sizes(found) if exact_sizes else found

    def _of_kind(self, kind: str | None, list_files: Callable[[], list[ArchiveFile]]) -> list[ArchiveFile]:
        if kind is None:
            return list_files()
        wanted, imagesets = check_kind(kind), self.imagesets
        return [file for file in list_files() if kind_of(file.path, imagesets) == wanted]


def find_files(tree: EntryTree, directory: str, selection: Selection) -> list[ArchiveFile]:
    """Return the files below a directory that are selected, sorted by path."""
    below = len(join_path(directory, ""))

    def enter(path: str) -> bool:
        return selection.looks_below(path[below:])

    return [
        file for file in tree.files(directory, enter=enter) if selection.selects(file.path[below:], file.url)
    ]
