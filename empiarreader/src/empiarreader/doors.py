"""Three ways to see what a directory of an entry holds: its page, FTP, and a mirror on a local disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from empiarreader import settings
from empiarreader.addresses import entry_address
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError, LocalFileError, ServiceError
from empiarreader.listing import ListedItem, apparatus_links, is_listing, parse_listing
from empiarreader.transport import open_answer, with_retries

Protocol = Literal["https", "ftp"]

_LARGEST_PAGE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a door showed of a directory; ``apparatus`` are links of a page that lead to no file."""

    items: tuple[ListedItem, ...]
    apparatus: tuple[str, ...] = ()


def check_protocol(protocol: str) -> Protocol:
    """Return a protocol that is spoken.

    Raises
    ------
    InvalidRequestError
        If it is not.
    """
    if protocol == "https":
        return "https"
    if protocol == "ftp":
        return "ftp"
    raise InvalidRequestError(f"{protocol!r} is no protocol of the archive; there are https and ftp")


def look(base: str, entry_id: int, path: str, *, protocol: Protocol) -> Seen:
    """Return what a directory of an entry holds: in the mirror if that has the entry, else in the archive.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is no such directory.
    ServiceError, LocalFileError
        If it cannot be looked into.
    """
    mirror = settings.mirror()
    if mirror is not None and (mirror / str(entry_id)).is_dir():
        return look_into_mirror(mirror / str(entry_id) / path)
    if protocol == "ftp":
        from empiarreader.ftp import list_over_ftp

        url = entry_address(settings.ftp_url(), entry_id, path, directory=True)
        return Seen(items=list_over_ftp(url.rstrip("/")))
    return look_at_page(entry_address(base, entry_id, path, directory=True))


def look_at_page(url: str) -> Seen:
    """Return what the page of a directory lists: one request."""

    def ask(attempt: int) -> str:
        with open_answer("GET", url, attempt=attempt) as answer:
            page = answer.body(limit_bytes=_LARGEST_PAGE_BYTES).decode("utf-8", "surrogateescape")
        if not is_listing(page):
            raise ServiceError(f"{url} answered with a page that lists no directory", retryable=True)
        return page

    page = with_retries(ask)
    return Seen(items=parse_listing(page), apparatus=apparatus_links(page))


def look_into_mirror(folder: Path) -> Seen:
    """Return what a folder holds; links are followed, and sizes are exact."""
    try:
        with os.scandir(folder) as entries:
            items = [_local_item(entry) for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveFileNotFoundError(f"there is no folder {folder}") from None
    except OSError as error:
        raise LocalFileError(f"cannot look into {folder}: {error.strerror}") from error
    return Seen(items=tuple(sorted(items, key=lambda item: item.name)))


def _local_item(entry: os.DirEntry[str]) -> ListedItem:
    status = entry.stat()
    is_directory = entry.is_dir()
    return ListedItem(
        name=entry.name,
        is_directory=is_directory,
        size_bytes=None if is_directory else status.st_size,
        modified=f"{datetime.fromtimestamp(status.st_mtime, UTC):%Y-%m-%d %H:%M}",
    )
