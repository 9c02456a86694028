"""One kept file: the folder it lies in, what is known of it, and whether it is still what was put there.

A kept file has a folder of its own, which holds the file under its own name (libraries look at suffixes) and
``about.json``. The folder is renamed into place as a whole. The time of change of ``about.json`` is when the
file was last used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from empiarreader.network.ranges import FileVersion

ABOUT = "about.json"
_HASHED_AT_ONCE = 1024 * 1024
_LONGEST_NAME_BYTES = 150


@dataclass(frozen=True, kw_only=True)
class KeptFile:
    """A file in the cache.

    Attributes
    ----------
    kind : str
        ``file`` for a copy as it is in the archive, else how it was unpacked (``gzip``, ``bzip2``, ``xz``).
    url : str
        Address (or local path) that it came from.
    version : FileVersion
        The version of the file at that address.
    path : Path
        Where it lies.
    size_bytes : int
        Its length on the disk.
    sha256 : str
        Of its content.
    stored : str
        When it came, ISO 8601 in UTC.
    """

    kind: str
    url: str
    version: FileVersion
    path: Path
    size_bytes: int
    sha256: str
    stored: str

    @property
    def last_used(self) -> datetime:
        """When it was last asked for."""
        return datetime.fromtimestamp(self.path.with_name(ABOUT).stat().st_mtime, UTC)


def item_name(kind: str, url: str) -> str:
    """Return what the names of all folders begin with that keep a file of that kind from that address."""
    return hashlib.sha256(f"{kind}\0{url}".encode(errors="surrogateescape")).hexdigest()[:40]


def version_name(version: FileVersion) -> str:
    """Return what the name of a folder ends with that keeps that version of a file."""
    return hashlib.sha256(json.dumps(asdict(version), sort_keys=True).encode()).hexdigest()[:16]


def safe_file_name(name: str) -> str:
    """Return a name that any disk takes, with the suffix of the one given.

    Examples
    --------
    >>> safe_file_name("a b#1.mrc"), safe_file_name("../x"), safe_file_name("about.json")
    ('a b#1.mrc', '.._x', '_about.json')
    """
    plain = "".join("_" if char in '/\\\0:"<>|?*' or not char.isprintable() else char for char in name)
    if plain in {"", ".", "..", ABOUT}:
        plain = f"_{plain}"
    encoded = os.fsencode(plain)
    return plain if len(encoded) <= _LONGEST_NAME_BYTES else f"_{plain[-40:]}"


def write_about(folder: Path, item: KeptFile) -> None:
    """Write down what is known of a file, beside it."""
    record = {
        "kind": item.kind,
        "url": item.url,
        "version": asdict(item.version),
        "name": item.path.name,
        "size_bytes": item.size_bytes,
        "sha256": item.sha256,
        "stored": item.stored,
        "changed_ns": item.path.stat().st_mtime_ns,
    }
    beside = folder / f"{ABOUT}.{os.getpid()}"
    beside.write_text(json.dumps(record), encoding="utf-8", errors="surrogateescape")
    beside.replace(folder / ABOUT)


def read_item(folder: Path) -> KeptFile | None:
    """Return what a folder of the cache holds, None where nothing of it can be trusted; content unread."""
    try:
        return _item(folder, _record(folder))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def is_intact(item: KeptFile) -> bool:
    """Return whether a file is as long as it was and unchanged.

    Time of change and length are compared with what was written down. Where the time differs, as after a copy
    of the cache, the checksum decides.
    """
    folder = item.path.parent
    try:
        status = item.path.stat()
        if status.st_size != item.size_bytes:
            return False
        if status.st_mtime_ns == _record(folder)["changed_ns"]:
            return True
        with item.path.open("rb") as file:
            if checksum(file) != item.sha256:
                return False
    except (OSError, ValueError, KeyError):
        return False
    with contextlib.suppress(OSError):  # a cache that cannot be written is checked again next time
        write_about(folder, item)
    return True


def checksum(file: Any) -> str:
    """Return the sha256 of a file open for reading."""
    digest = hashlib.sha256()
    while block := file.read(_HASHED_AT_ONCE):
        digest.update(block)
    return digest.hexdigest()


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return record


def _item(folder: Path, record: dict[str, Any]) -> KeptFile:
    name = record["name"]
    if safe_file_name(name) != name:  # whoever may write here must still not lead a reader elsewhere
        raise ValueError(name)
    return KeptFile(
        kind=record["kind"],
        url=record["url"],
        version=FileVersion(**record["version"]),
        path=folder / name,
        size_bytes=int(record["size_bytes"]),
        sha256=record["sha256"],
        stored=record["stored"],
    )
