"""Three ways to see what a directory of an entry holds: its page, FTP, and a mirror on a local disk."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from empiarreader import settings
from empiarreader.addresses import Protocol, entry_address
from empiarreader.cache.facts import cached_text
from empiarreader.errors import ArchiveFileNotFoundError, LocalFileError, ServiceError
from empiarreader.listing.pages import ListedItem, apparatus_links, is_listing, parse_listing
from empiarreader.network.transport import open_answer, with_retries

_LARGEST_PAGE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a door showed of a directory, and when; ``apparatus`` are links of a page that lead to no file."""

    items: tuple[ListedItem, ...]
    apparatus: tuple[str, ...] = ()
    time: datetime = field(default_factory=lambda: datetime.now(UTC))


def look(base: str, entry_id: int, path: str, *, protocol: Protocol, max_age_seconds: float) -> Seen:
    """Return what a directory of an entry holds: in the mirror if that has the entry, else in the archive.

    What the archive shows is kept in the cache with its time, and is good for ``max_age_seconds``.

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
        from empiarreader.network.ftp import list_over_ftp

        url = entry_address(settings.ftp_url(), entry_id, path, directory=True)
        return _kept(url, lambda: Seen(items=list_over_ftp(url.rstrip("/"))), max_age_seconds)
    url = entry_address(base, entry_id, path, directory=True)
    return _kept(url, lambda: look_at_page(url), max_age_seconds)


def _kept(url: str, ask: Callable[[], Seen], max_age_seconds: float) -> Seen:
    found = cached_text(url, lambda: _to_text(ask()), max_age_seconds=max_age_seconds)
    try:
        return _from_text(found.text, found.time)
    except (ValueError, TypeError, LookupError):
        return ask()  # kept by a version that wrote otherwise


def _to_text(seen: Seen) -> str:
    return json.dumps({"items": [asdict(item) for item in seen.items], "apparatus": seen.apparatus})


def _from_text(text: str, time: datetime) -> Seen:
    record = json.loads(text)
    items = tuple(ListedItem(**item) for item in record["items"])
    return Seen(items=items, apparatus=tuple(record["apparatus"]), time=time)


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
    """Return what a folder holds; links are followed, and sizes are exact.

    Links that lead nowhere or back to a folder around them are left out, and what is neither file nor folder.
    """
    try:
        with os.scandir(folder) as entries:
            items = [item for entry in entries if (item := _local_item(entry)) is not None]
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveFileNotFoundError(f"there is no folder {folder}") from None
    except OSError as error:
        raise LocalFileError(f"cannot look into {folder}: {error.strerror}") from error
    return Seen(items=tuple(sorted(items, key=lambda item: item.name)))


def _local_item(entry: os.DirEntry[str]) -> ListedItem | None:
    if entry.is_symlink() and _leads_nowhere(Path(entry.path)):
        return None
    status = entry.stat()
    is_directory = stat.S_ISDIR(status.st_mode)
    if not is_directory and not stat.S_ISREG(status.st_mode):
        return None  # opening a pipe or a device would wait for ever
    return ListedItem(
        name=entry.name,
        is_directory=is_directory,
        size_bytes=None if is_directory else status.st_size,
        modified=f"{datetime.fromtimestamp(status.st_mtime, UTC):%Y-%m-%d %H:%M}",
    )


def _leads_nowhere(link: Path) -> bool:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # what Python 3.11 and 3.12 make of a link to itself
        return True
    return link.parent.resolve().is_relative_to(target)
