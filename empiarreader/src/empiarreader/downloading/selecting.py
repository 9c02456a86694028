"""What can be downloaded, and what it comes down to: files of the archive, each with a place in a folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Union, cast

from empiarreader.addresses import check_target
from empiarreader.downloading.manifest import DownloadedFile, Manifest
from empiarreader.downloading.placement import Placement, parse_address, place_all
from empiarreader.errors import EmpiarReaderError, InvalidRequestError

if TYPE_CHECKING:
    from empiarreader.entry import EmpiarEntry
    from empiarreader.listing.tree import ArchiveFile
    from empiarreader.source import EmpiarSource

Item = Union[str, "ArchiveFile", DownloadedFile]
Downloadable = Union["EmpiarEntry", "EmpiarSource", Manifest, Iterable[Item]]
LAYOUTS = ("flat", "tree", "archive")


@dataclass(frozen=True)
class Wanted:
    """Files to fetch.

    Attributes
    ----------
    placements : sequence of Placement
        What to fetch, each file once, and where it goes.
    refused : mapping
        What is not fetched, and why.
    order : sequence of str
        The addresses of both, in the order asked.
    """

    placements: Sequence[Placement]
    refused: Mapping[str, EmpiarReaderError]
    order: Sequence[str]


def select_files(files: Downloadable, *, layout: str | None = None) -> Wanted:
    """Return which files are meant, and where each goes; refusals of single addresses stop no other.

    Raises
    ------
    InvalidRequestError
        If there is no such layout.
    EntryNotFoundError, ArchiveFileNotFoundError, ServiceError
        If an entry or a source cannot be listed.
    """
    if layout is not None and layout not in LAYOUTS:
        raise InvalidRequestError(f"{layout!r} is no layout; there are {', '.join(LAYOUTS)}")
    wanted: dict[str, Placement] = {}
    refused: dict[str, EmpiarReaderError] = {}
    order: dict[str, None] = {}
    for item in _items(files):
        url = item if isinstance(item, str) else item.url
        try:
            placement = _placement(item, layout)
            url = placement.url
            wanted.setdefault(url, placement)  # two spellings of one address are one file
        except EmpiarReaderError as error:
            refused[url] = error
        order[url] = None
    return Wanted(place_all(list(wanted.values())), refused, list(order))


def addresses_of(files: Downloadable) -> list[str]:
    """Return the addresses of files, each once, in the order given."""
    return list(dict.fromkeys(item if isinstance(item, str) else item.url for item in _items(files)))


def _items(files: Downloadable) -> Iterable[Item]:
    if isinstance(files, str):
        return [files]
    # A source and a manifest have files, an entry lists them when it is asked.
    listed: Any = getattr(files, "files", files)
    return cast("Iterable[Item]", listed() if callable(listed) else listed)


def _placement(item: Item, layout: str | None) -> Placement:
    if isinstance(item, str):
        return _laid_out(parse_address(item), layout or "flat")
    placement = parse_address(item.url)
    if isinstance(item, DownloadedFile):
        target = check_target(item.path) if layout is None else _laid_out(placement, layout).target
        return replace(placement, target=target, sha256=item.sha256, size=item.size)
    exact, rounded = item.size_bytes, item.approximate_size_bytes
    return replace(
        _laid_out(placement, layout or "tree"),
        size=rounded if exact is None else exact,
        size_is_exact=exact is not None,
    )


def _laid_out(placement: Placement, layout: str) -> Placement:
    targets = {"flat": placement.name, "tree": placement.path, "archive": placement.unique_target}
    return replace(placement, target=targets[layout])
