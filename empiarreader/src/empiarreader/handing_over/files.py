"""The files that are handed over: where each lies, what it is for, and which imageset it belongs to."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Union, get_args

from empiarreader.byteunits import describe_count
from empiarreader.downloading.manifest import MANIFEST_NAME, Manifest, read_records
from empiarreader.downloading.placement import Placement, parse_address
from empiarreader.downloading.selecting import select_files
from empiarreader.entry import EmpiarEntry
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    EmpiarReaderError,
    InvalidRequestError,
    RefusedAddressError,
)
from empiarreader.formats import is_image, suffix_of
from empiarreader.listing.kinds import imageset_of, kind_of
from empiarreader.listing.selection import Selection
from empiarreader.listing.tree import ArchiveFile
from empiarreader.metadata.records import Imageset

if TYPE_CHECKING:
    from empiarreader.source import EmpiarSource

HandedKind = Literal["movies", "micrographs", "particles", "volumes"]
Location = str | os.PathLike[str]
HandedFiles = Union[
    "EmpiarEntry | EmpiarSource | Manifest", Location, Iterable[Location | ArchiveFile]
]  # what is handed over

HANDED_KINDS: tuple[str, ...] = get_args(HandedKind)
PACKED_SUFFIXES = (".bz2", ".gz", ".xz", ".zst")
LINKS_SUFFIX = ".links"  # of folders that hold links to files for another program
_VOLUMES = ("reconstructed volumes", "subtomograms")
_VOLUME_SUFFIXES = frozenset({".map", ".ccp4", ".rec"})

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class HandedFile:
    """One image file to hand over.

    Attributes
    ----------
    path : Path
        Where it lies on this disk, or will lie; absolute.
    name : str
        Its path in the entry, else its path in the folder it was found in.
    kind : str or None
        What it is for, as :func:`~empiarreader.listing.kinds.kind_of` tells it, or ``"volumes"``.
    entry_id : int or None
        The entry that it is from, where that is known.
    imageset : Imageset or None
        What the entry says about the images around it.
    """

    path: Path
    name: str
    kind: str | None = None
    entry_id: int | None = None
    imageset: Imageset | None = None

    @property
    def belongs_to(self) -> tuple[int | None, str, str]:
        """The imageset that it is of: entry, directory and name, the last two ``""`` outside any."""
        directory, name = (self.imageset.directory, self.imageset.name) if self.imageset else ("", "")
        return self.entry_id, directory, name


class _Found(NamedTuple):
    path: Path
    name: str
    placement: Placement | None  # which file of the archive it is


def gather(
    files: HandedFiles,
    *,
    directory: Location | None = None,
    pattern: str | None = None,
) -> tuple[HandedFile, ...]:
    """Return the image files there are to hand over, sorted by where they lie.

    Parameters
    ----------
    files
        A folder (with its manifest, where it has one), a manifest, files of an entry, or local paths.
    directory
        Where files of an entry lie or will lie: the folder that they are downloaded into.
    pattern
        Of a folder, only the files whose path in it matches this glob.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is none.
    """
    if isinstance(files, (str, os.PathLike)) and Path(files).is_dir():
        found = _in_folder(Path(files).resolve(), Selection(pattern) if pattern else None)
    else:
        found = list(_one_by_one(files, directory))
    if not found:
        matching = f" that matches {pattern!r}" if pattern else ""
        raise ArchiveFileNotFoundError(f"there is no image file{matching} to hand over in {files}")
    entries = {one.placement.entry_id for one in found if one.placement is not None}
    imagesets = {entry_id: _imagesets(entry_id) for entry_id in entries}
    return tuple(_describe(one, imagesets) for one in sorted(found, key=lambda one: one.path))


def of_kind(files: Sequence[HandedFile], kind: str, *, told: bool) -> list[HandedFile]:
    """Return the files of one kind.

    Parameters
    ----------
    told
        Whether the user said that they are. Then those of no known kind are, too; and where none is known to
        be, all that could be: the user knows better than names and categories do.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is none.
    """
    wanted: set[str | None] = {kind}
    if told:
        wanted |= {None} if any(file.kind == kind for file in files) else {*HANDED_KINDS, None}
    chosen = [file for file in files if file.kind in wanted]
    if not chosen:
        raise ArchiveFileNotFoundError(f"none of {describe_count(len(files), 'files')} can be {kind}")
    return chosen


def kinds_of(files: Sequence[HandedFile]) -> dict[str, int]:
    """Return how many files there are of each kind that can be handed over."""
    kinds = [file.kind for file in files]
    return {kind: kinds.count(kind) for kind in HANDED_KINDS if kind in kinds}


def _in_folder(folder: Path, selection: Selection | None) -> list[_Found]:
    """Return the images of a folder, with what its manifest says of them.

    Of an image that is there packed and unpacked, the unpacked one is taken.
    """
    downloaded = {}
    if (folder / MANIFEST_NAME).exists():
        downloaded = {one.path: one for one in _of_manifest(Manifest.load(folder))}
    images = set(_images_below(folder))
    found = []
    for path in images:
        packed = [other for suffix in PACKED_SUFFIXES if (other := Path(f"{path}{suffix}")) in downloaded]
        if path.suffix.lower() in PACKED_SUFFIXES and path.with_suffix("") in images:
            continue
        if path in downloaded:
            found.append(downloaded[path])
        elif packed:
            was = downloaded[packed[0]]
            found.append(was._replace(path=path, name=was.name.removesuffix(packed[0].suffix)))
        else:
            found.append(_Found(path, path.relative_to(folder).as_posix(), None))
    if selection is None:
        return found
    return [one for one in found if selection.selects(one.path.relative_to(folder).as_posix(), "")]


def _images_below(folder: Path) -> Iterator[Path]:
    seen = {folder.resolve()}

    def is_new(directory: Path) -> bool:
        """Return whether a folder is to be looked into: links may lead to one that was, or into a circle."""
        place = directory.resolve()
        found = place not in seen
        seen.add(place)
        return found

    for parent, directories, names in os.walk(folder, followlinks=True):
        # Links made for another program stand for files that are there already.
        shown = [name for name in sorted(directories) if not name.endswith(LINKS_SUFFIX) and name[0] != "."]
        directories[:] = [name for name in shown if is_new(Path(parent, name))]
        yield from (Path(parent, name) for name in names if is_image(name) and name[0] != ".")


def _one_by_one(files: HandedFiles, directory: Location | None) -> Iterator[_Found]:
    from empiarreader.source import EmpiarSource

    if isinstance(files, Manifest):
        yield from _of_manifest(files)
        return
    given: Iterable[Location | ArchiveFile]
    if isinstance(files, (str, os.PathLike)):
        given = [files]
    elif isinstance(files, EmpiarEntry):
        given = files.files()
    else:
        given = files.files if isinstance(files, EmpiarSource) else list(files)
    remote: list[str | ArchiveFile] = []
    for file in given:
        if isinstance(file, ArchiveFile) or (isinstance(file, str) and "://" in file):
            remote.append(file)
        else:
            yield _local(Path(file).expanduser())
    yield from _of_entry(remote, directory)


def _of_manifest(manifest: Manifest) -> Iterator[_Found]:
    folder = manifest.directory.resolve()
    for file in manifest.files:
        if is_image(file.path):
            placement = _placement_of(file.url)
            yield _Found(folder / file.path, placement.path if placement else file.path, placement)


def _of_entry(files: Sequence[str | ArchiveFile], directory: Location | None) -> Iterator[_Found]:
    """Yield files of entries where a download of them puts, or has put, them."""
    if not files:
        return
    if directory is None:
        raise InvalidRequestError(
            "say which folder the files of the entry lie in, or will: --save_dir (directory= in Python)"
        )
    folder = Path(directory).expanduser().resolve()
    there = {record.url: record.path for record in read_records(folder).values()}
    wanted = select_files(files)
    for error in wanted.refused.values():
        raise error
    for placement in wanted.placements:
        if is_image(placement.path):
            path = folder / there.get(placement.url, placement.target)
            yield _Found(path, placement.path, placement)


def _local(path: Path) -> _Found:
    if not path.is_file():
        raise ArchiveFileNotFoundError(f"{path} is neither a file nor a folder on this disk")
    return _Found(path.absolute(), path.name, None)


def _placement_of(url: str) -> Placement | None:
    """Return which file of the archive an address stands for, None where it is of another archive."""
    try:
        return parse_address(url)
    except RefusedAddressError:
        return None


def _imagesets(entry_id: int) -> tuple[Imageset, ...]:
    """Return an entry's imagesets; none where EMPIAR cannot be asked, and the user is instead."""
    try:
        return EmpiarEntry(entry_id).imagesets
    except EmpiarReaderError as error:
        _logger.warning("what EMPIAR says about entry %d is not known: %s", entry_id, error)
        return ()


def _describe(found: _Found, imagesets: dict[int, tuple[Imageset, ...]]) -> HandedFile:
    entry_id = found.placement.entry_id if found.placement else None
    around = imagesets[entry_id] if entry_id is not None else ()
    imageset = imageset_of(found.name, around)
    kind: str | None = kind_of(found.name, around)
    if kind is None and (_is_volumes(imageset) or suffix_of(found.name) in _VOLUME_SUFFIXES):
        kind = "volumes"
    return HandedFile(path=found.path, name=found.name, kind=kind, entry_id=entry_id, imageset=imageset)


def _is_volumes(imageset: Imageset | None) -> bool:
    return imageset is not None and any(words in imageset.category.lower() for words in _VOLUMES)
