"""Files fetched into the cache ahead of the work that reads them, for machines without a network.

On the login node of a cluster: prefetch. On its compute nodes, which share the cache and have
``EMPIARREADER_OFFLINE=1`` set: read as ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from empiarreader import settings
from empiarreader.bytefiles import RemoteFile
from empiarreader.byteunits import describe_count
from empiarreader.downloading.manifest import DownloadFailure
from empiarreader.errors import EmpiarReaderError, InvalidRequestError, RefusedAddressError
from empiarreader.formats import suffix_of
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.network.ranges import FileVersion
from empiarreader.threads import Threads

if TYPE_CHECKING:
    from empiarreader.listing.tree import ArchiveFile
    from empiarreader.source import EmpiarSource

_FILES_AT_ONCE = 2  # each of them moves in up to sixteen ranges at once


@dataclass(frozen=True, kw_only=True)
class Prefetched:
    """Outcome of a prefetch.

    Attributes
    ----------
    paths : tuple of Path
        Where the files lie, in the order asked.
    size_bytes : int
        What they take together.
    failures : tuple of DownloadFailure
        The addresses that could not be had.
    """

    paths: tuple[Path, ...] = ()
    size_bytes: int = 0
    failures: tuple[DownloadFailure, ...] = ()

    def raise_for_failures(self) -> None:
        """Raise the first failure, if there is any."""
        if self.failures:
            raise self.failures[0].error


def prefetch(
    files: EmpiarSource | Iterable[str | ArchiveFile],
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> Prefetched:
    """Fetch whole files into the cache, with what is needed to find and to read them.

    That is listings and metadata, and the ``.hed`` beside an ``.img`` of IMAGIC.

    Afterwards they are read from there wherever the cache is, also with ``EMPIARREADER_OFFLINE=1`` and
    without any network. What is there already and unchanged in the archive is not fetched again.

    Parameters
    ----------
    files
        A source, files from :meth:`EmpiarEntry.find`, or addresses.
    progress
        Called with the number of files done, the number of all, and the address just done.

    Returns
    -------
    Prefetched
        Paths in the cache (headers last), and the failures: one file that fails stops no other.

    Raises
    ------
    InvalidRequestError
        If the files together are larger than the cache may be (``EMPIARREADER_CACHE_SIZE``). Nothing has
        moved then.

    Examples
    --------
    >>> prefetch([]).paths
    ()
    """
    from empiarreader.downloading.selecting import addresses_of

    urls = [_canonical(url) for url in addresses_of(files)]
    failures: dict[str, EmpiarReaderError] = {}
    versions = _ask_versions(urls, failures)
    headers = _headers_beside(urls)
    versions |= headers
    urls.extend(headers)
    _check_room(versions)
    for directory in sorted({place for url in versions if (place := _directory(url)) is not None}):
        _fetch_context(*directory)
    paths = _fetch_all(versions, failures, progress)
    return Prefetched(
        paths=tuple(paths[url] for url in urls if url in paths),
        size_bytes=sum(versions[url].size for url in paths),
        failures=tuple(DownloadFailure(url=url, error=failures[url]) for url in urls if url in failures),
    )


def _canonical(url: str) -> str:
    """Return the address that readers use for a file of the archive; others stay as they are."""
    from empiarreader.downloading.placement import parse_address

    try:
        return parse_address(url).url
    except RefusedAddressError:
        return url


def _directory(url: str) -> tuple[int, str] | None:
    """Return entry and directory of a file of the archive, None for other files."""
    from empiarreader.downloading.placement import parse_address

    try:
        placement = parse_address(url)
    except RefusedAddressError:
        return None
    return placement.entry_id, placement.path.rpartition("/")[0]


def _ask_versions(urls: Iterable[str], failures: dict[str, EmpiarReaderError]) -> dict[str, FileVersion]:
    versions: dict[str, FileVersion] = {}
    with Threads(CONNECTIONS_PER_HOST, "empiarreader-sizes") as workers:
        asked = {url: workers.submit(RemoteFile(url).version) for url in dict.fromkeys(urls)}
        for url, future in asked.items():
            try:
                versions[url] = future.result()
            except EmpiarReaderError as error:
                failures[url] = error
    return versions


def _headers_beside(urls: list[str]) -> dict[str, FileVersion]:
    """Return the headers of IMAGIC files that were not asked for, without which these cannot be read."""
    from empiarreader.images.imagic import names_beside

    found: dict[str, FileVersion] = {}
    for url in urls:
        names = names_beside(url) if suffix_of(url) == ".img" else []
        for name in names if not set(names) & {*urls, *found} else ():
            with contextlib.suppress(EmpiarReaderError):
                found[name] = RemoteFile(name).version()
                break
    return found


def _check_room(versions: dict[str, FileVersion]) -> None:
    total, limit = sum(version.size for version in versions.values()), settings.cache_size_bytes()
    if total > limit:
        raise InvalidRequestError(
            f"{describe_count(len(versions), 'files')} of {total} bytes, and the cache may hold {limit}: "
            "the last would push out the first. Set EMPIARREADER_CACHE_SIZE to more, or prefetch fewer"
        )


def _fetch_context(entry_id: int, directory: str) -> None:
    """Have the listing of a directory and the metadata of its entry kept; a favour, not the task."""
    from empiarreader.listing.tree import EntryTree
    from empiarreader.metadata.api import fetch_entry_record

    with contextlib.suppress(EmpiarReaderError):
        EntryTree(settings.archive_url(), entry_id).list_directory(directory)
    with contextlib.suppress(EmpiarReaderError):
        fetch_entry_record(entry_id)


def _fetch_all(
    versions: dict[str, FileVersion],
    failures: dict[str, EmpiarReaderError],
    progress: Callable[[int, int, str], None] | None,
) -> dict[str, Path]:
    paths: dict[str, Path] = {}
    with Threads(_FILES_AT_ONCE, "empiarreader-prefetch") as workers:
        futures = {
            workers.submit(RemoteFile(url).local_copy, version): url for url, version in versions.items()
        }
        for done, future in enumerate(as_completed(futures), 1):
            url = futures[future]
            try:
                paths[url] = future.result()
            except EmpiarReaderError as error:
                failures[url] = error
            if progress is not None:
                progress(done, len(futures), url)
    return paths
