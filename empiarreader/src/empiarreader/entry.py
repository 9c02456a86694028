"""One entry of EMPIAR: what it says about itself, and the files it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from empiarreader import settings
from empiarreader.addresses import join_path, normalise_path, parse_entry_id
from empiarreader.api import FoundRecord, find_record
from empiarreader.emdb import EmdbMap, map_address
from empiarreader.kinds import check_kind, kind_of
from empiarreader.records import (
    Citation,
    Grant,
    Imageset,
    as_text,
    emdb_references,
    parse_dataset_size,
    read_citations,
    read_grants,
    read_imagesets,
    read_people,
    read_person,
    read_references,
)
from empiarreader.selection import Selection
from empiarreader.tree import ArchiveFile, Directory, EntryTree


class EmpiarEntry:
    """One entry of EMPIAR.

    Making one asks nothing. The first look at metadata asks the API once; listings ask the archive, one
    request a directory, each time.

    Parameters
    ----------
    entry
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``.

    Raises
    ------
    InvalidRequestError
        If it is none of these. An entry that does not exist raises an
        :class:`~empiarreader.EntryNotFoundError` at the first look.
    """

    def __init__(self, entry: int | str) -> None:
        self.entry_id = parse_entry_id(entry)
        self._tree = EntryTree(settings.archive_url(), self.entry_id)

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

    @cached_property
    def _found(self) -> FoundRecord:
        return find_record(self.entry_id)

    @property
    def record(self) -> dict[str, Any]:
        """Everything that the API says about the entry; asked for once."""
        return self._found.record

    @property
    def record_url(self) -> str:
        """Address that the metadata came from: the API's, or where that is down the entry's XML file."""
        return self._found.url

    @property
    def title(self) -> str:
        """Title of the entry."""
        return as_text(self.record.get("title"))

    @property
    def status(self) -> str:
        """``REL`` for a released entry; ``OBS``, ``HPUB`` and ``HOLD`` are others."""
        return as_text(self.record.get("status"))

    @property
    def deposition_date(self) -> str:
        """Day of deposition, ``YYYY-MM-DD``."""
        return as_text(self.record.get("deposition_date"))

    @property
    def update_date(self) -> str:
        """Day of the last change, ``YYYY-MM-DD``."""
        return as_text(self.record.get("update_date"))

    @property
    def obsolete_date(self) -> str:
        """Day on which the entry became obsolete, ``""`` for one that is not."""
        return as_text(self.record.get("obsolete_date"))

    @property
    def release_date(self) -> str:
        """Day of release, ``YYYY-MM-DD``."""
        return as_text(self.record.get("release_date"))

    @property
    def doi(self) -> str:
        """DOI of the entry itself."""
        return as_text(self.record.get("entry_doi"))

    @property
    def experiment_type(self) -> str:
        """Kind of experiment, such as ``EMDB`` (of which EMDB holds a map), ``FIB-SEM`` or ``ssET``."""
        return as_text(self.record.get("experiment_type"))

    @property
    def scale(self) -> str:
        """Scale of what was imaged: molecule, virus, cell, tissue or organism."""
        return as_text(self.record.get("scale"))

    @property
    def corresponding_author(self) -> str:
        """Name of the corresponding author, ``""`` where none is given."""
        return read_person(self.record.get("corresponding_author"))

    @property
    def principal_investigators(self) -> tuple[str, ...]:
        """Names of the principal investigators."""
        return read_people(self.record.get("principal_investigator"))

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Grants that paid for the data."""
        return read_grants(self.record)

    @property
    def workflow_path(self) -> str:
        """Path in the entry of a file with the processing workflow, such as Scipion's; ``""`` for none."""
        workflow = self.record.get("workflow_file")
        return as_text(workflow.get("path") if isinstance(workflow, Mapping) else workflow)

    @property
    def authors(self) -> tuple[str, ...]:
        """Names of the authors of the entry."""
        return read_people(self.record.get("authors"))

    @property
    def imagesets(self) -> tuple[Imageset, ...]:
        """The sets of images, as deposited."""
        return read_imagesets(self.record)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Papers about the entry."""
        return read_citations(self.record)

    @property
    def citation(self) -> Citation | None:
        """The first paper about the entry, None where there is none."""
        return next(iter(self.citations), None)

    @property
    def pixel_sizes_angstrom(self) -> dict[str, float | None]:
        """Å a pixel of each imageset by its directory; None where it was not given or is not square."""
        return {
            imageset.directory: imageset.pixel_width_angstrom
            if imageset.pixel_width_angstrom == imageset.pixel_height_angstrom
            else None
            for imageset in self.imagesets
        }

    @property
    def dataset_size(self) -> str:
        """Size of the whole entry as EMPIAR states it, ``"305.5 GB"``."""
        return as_text(self.record.get("dataset_size"))

    @property
    def dataset_size_bytes(self) -> int | None:
        """The same in bytes, no more exact than the text."""
        return parse_dataset_size(self.dataset_size)

    @property
    def references(self) -> Mapping[str, tuple[str, ...]]:
        """Entries that this one refers to, by archive: emdb, pdb, empiar, biostudies, idr."""
        return {
            "emdb": emdb_references(self.record),
            "pdb": read_references(self.record.get("related_pdb_entries")),
            "empiar": read_references(self.record.get("empiar_references")),
            "biostudies": read_references(self.record.get("biostudies_references")),
            "idr": read_references(self.record.get("idr_references")),
        }

    def maps(self) -> tuple[EmdbMap, ...]:
        """Return the maps in EMDB that the entry refers to; nothing of them moves before one is opened."""
        return tuple(EmdbMap(emdb_id=name, url=map_address(name)) for name in self.references["emdb"])

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

    def find(self, pattern: str, *, directory: str = "", regexp: bool = False) -> list[ArchiveFile]:
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

        Raises
        ------
        PatternError
            If the pattern is malformed.
        EntryNotFoundError, ArchiveFileNotFoundError
            If the archive has no such entry, or the entry no such directory. No match is an empty list.
        """
        directory = normalise_path(directory)
        return find_files(
            self._tree, directory, Selection(pattern, regexp=regexp, recursive=True if regexp else None)
        )

    def files(self, *, kind: str | None = None, directory: str = "") -> list[ArchiveFile]:
        """Return the files of the entry, or those of one kind, sorted by path; all directories are listed.

        Parameters
        ----------
        kind
            ``"movies"``, ``"micrographs"``, ``"gains"``, ``"particles"``, ``"coordinates"``,
            ``"tilt_series"`` or ``"metadata"``: told by names and by the category of the imageset around the
            file, as :mod:`empiarreader.kinds` says. None for all files.
        directory
            Where to begin.

        Raises
        ------
        InvalidRequestError
            If there is no such kind.
        EntryNotFoundError, ArchiveFileNotFoundError
            If the archive has no such entry, or the entry no such directory.
        """
        wanted = None if kind is None else check_kind(kind)
        imagesets = () if wanted is None else self.imagesets
        listed = self._tree.files(normalise_path(directory))
        return [file for file in listed if wanted is None or kind_of(file.path, imagesets) == wanted]


def find_files(tree: EntryTree, directory: str, selection: Selection) -> list[ArchiveFile]:
    """Return the files below a directory that are selected, sorted by path."""
    below = len(join_path(directory, ""))

    def enter(path: str) -> bool:
        return selection.looks_below(path[below:])

    return [
        file for file in tree.files(directory, enter=enter) if selection.selects(file.path[below:], file.url)
    ]
