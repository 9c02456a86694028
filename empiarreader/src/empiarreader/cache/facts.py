"""Small things worth keeping: offsets found in a file, pages of text. One file each, checked by its checksum.

A fact is derived from one version of a file and is found only for that version. A text is what an address
answered, and is as good as it is young. Keeping is a favour: where the cache cannot be written, the work goes
on without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from empiarreader import settings
from empiarreader.errors import ServiceError
from empiarreader.network.ranges import FileVersion

_LARGEST_FACT_BYTES = 256 * 1024 * 1024
_SHARE_OF_CACHE = 10  # facts take at most a tenth of the cache
# Room is made by chance, so that no process need count for all: the likelier, the more was written.
_TRIM_EVERY = 256
_TRIMS_A_LIMIT = 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Text:
    """What an address answered, and when."""

    text: str
    time: datetime

    @property
    def age_seconds(self) -> float:
        """How long ago that was."""
        return (datetime.now(UTC) - self.time).total_seconds()


def remember(kind: str, url: str, version: FileVersion, data: bytes) -> None:
    """Keep what was found out about one version of a file, under a name of its kind."""
    _write(_fact_path(kind, url, version), data)


def recall(kind: str, url: str, version: FileVersion) -> bytes | None:
    """Return what was kept about that version of a file, None where nothing was.

    Examples
    --------
    >>> recall("tiff-pages", "https://host/movie.tif", FileVersion(size=5)) is None
    True
    """
    found = _read(_fact_path(kind, url, version))
    return None if found is None else found[0]


def cached_text(url: str, ask: Callable[[], str], *, max_age_seconds: float) -> Text:
    """Return what an address answers, from the cache where that is young enough.

    Parameters
    ----------
    url
        The address.
    ask
        Asks it. What it returns is kept, what it raises is not.
    max_age_seconds
        How old a kept answer may be; 0 always asks. Offline (``EMPIARREADER_OFFLINE``) any age will do.

    Raises
    ------
    ServiceError
        Offline, if nothing was kept.
    """
    path = _path("text", url)
    offline = settings.offline()
    found = _read(path) if offline or max_age_seconds > 0 else None
    if found is not None:
        kept = Text(
            text=found[0].decode("utf-8", "surrogateescape"), time=datetime.fromtimestamp(found[1], UTC)
        )
        if offline or kept.age_seconds <= max_age_seconds:
            return kept
    if offline:
        raise ServiceError(settings.not_kept(url))
    text = ask()
    _write(path, text.encode("utf-8", "surrogateescape"))
    return Text(text=text, time=datetime.now(UTC))


def clear_facts() -> int:
    """Remove all facts and texts, and return how many bytes that freed."""
    return _trim(limit_bytes=0)


def facts_bytes() -> int:
    """Return what facts and texts take on the disk."""
    return sum(size for _, size, _ in _all())


def _root() -> Path:
    return settings.cache_dir() / "facts"


def _fact_path(kind: str, url: str, version: FileVersion) -> Path:
    return _path("fact", kind, url, str(version.size), version.etag or version.last_modified or "")


def _path(*words: str) -> Path:
    name = hashlib.sha256(json.dumps(words).encode(errors="surrogateescape")).hexdigest()[:40]
    return _root() / name[:2] / name


def _read(path: Path) -> tuple[bytes, float] | None:
    """Return content and time of writing, None where there is none or it is damaged."""
    try:
        if path.stat().st_size > _LARGEST_FACT_BYTES:
            return None
        head, _, data = path.read_bytes().partition(b"\n")
        stated, _, written = head.decode("ascii").partition(" ")
        if hashlib.sha256(data).hexdigest() != stated:
            logger.warning("%s in the cache is damaged and will be made again", path)
            return None
        found = data, float(written)
    except (OSError, ValueError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return found


def _write(path: Path, data: bytes) -> None:
    if len(data) > _LARGEST_FACT_BYTES:
        return
    head = f"{hashlib.sha256(data).hexdigest()} {time.time()}\n".encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(head + data)
            Path(beside).chmod(0o644)
            Path(beside).replace(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise
    except OSError as error:
        logger.info("the cache keeps nothing: %s", error)
        return
    limit_bytes = settings.cache_size_bytes() // _SHARE_OF_CACHE
    chance = max(1 / _TRIM_EVERY, _TRIMS_A_LIMIT * len(data) / max(limit_bytes, 1))
    if random.SystemRandom().random() < chance:
        _trim(limit_bytes=limit_bytes)


def _all() -> list[tuple[float, int, Path]]:
    """Return time of last use, size and path of every fact."""
    found = []
    for path in _root().glob("*/*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    return found


def _trim(*, limit_bytes: int) -> int:
    found = sorted(_all())
    taken, freed = sum(size for _, size, _ in found), 0
    for _, size, path in found:
        if taken - freed <= limit_bytes:
            break
        with contextlib.suppress(OSError):
            path.unlink()
            freed += size
    return freed
