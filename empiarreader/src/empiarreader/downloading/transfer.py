"""One file of the archive onto a disk: continued where it stopped, whole and checked before it has a name.

What has arrived lies beside the target as ``NAME.HASH.part`` (the hash is of the address), with what the
server said of the file in ``NAME.HASH.part.json``. A job that is killed leaves these two; the next one asks
for the rest on the condition (``If-Range``) that the file is still the same, and begins again where it is
not.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from empiarreader.downloading.manifest import DownloadedFile, append_record
from empiarreader.errors import EmpiarReaderError, LocalFileError, ServiceError
from empiarreader.network.answers import (
    FileVersion,
    parse_content_range,
    refuse_page_or_compression,
    version_of,
)
from empiarreader.network.transport import Answer, open_answer, with_retries

_LONGEST_STEM_BYTES = 180
_HASHED_AT_ONCE = 1024 * 1024


def fetch_file(url: str, folder: Path, target: str, *, cancelled: threading.Event) -> DownloadedFile:
    """Download one file and give it its name; record it in the folder's manifest.

    Parameters
    ----------
    url, folder, target
        What to fetch, and where it goes; ``target`` is relative and checked.
    cancelled
        Set from elsewhere to stop at the next piece.

    Raises
    ------
    ArchiveFileNotFoundError, ServiceError
        If the file is not there, or could not be had; what has arrived is kept.
    DamagedDataError
        If the archive contradicts itself about the file's size.
    LocalFileError
        If another process is downloading the same file into the same folder.
    """
    part = _part_path(folder / target, url)
    with _locked(part) as file:
        version = _fetch_rest(url, file, part, cancelled)
        os.fsync(file.fileno())
        record = DownloadedFile(
            path=target,
            url=url,
            size=version.size,
            sha256=_sha256(file),
            etag=version.etag,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            last_modified=version.last_modified,
        )
        append_record(folder, record)
        part.replace(folder / target)
        _state_path(part).unlink(missing_ok=True)
    return record


def is_unchanged(path: Path, record: DownloadedFile) -> bool:
    """Return whether a file is there in full, and the archive still has the version of it that was recorded.

    One request without a body; no bytes of the file are read.
    """
    if not path.is_file() or path.stat().st_size != record.size:
        return False
    known = FileVersion(size=record.size, etag=record.etag, last_modified=record.last_modified)
    return not _ask_version(record.url).differs_from(known)


def _fetch_rest(url: str, file: BinaryIO, part: Path, cancelled: threading.Event) -> FileVersion:
    """Fetch what is missing of a file; attempts that bring something do not count."""
    while True:
        before = file.seek(0, os.SEEK_END)
        try:
            return with_retries(
                lambda attempt: _fetch_once(url, file, part, attempt, cancelled), cancelled=cancelled
            )
        except ServiceError as error:
            if not error.retryable or cancelled.is_set() or file.seek(0, os.SEEK_END) <= before:
                raise


def _fetch_once(
    url: str, file: BinaryIO, part: Path, attempt: int, cancelled: threading.Event
) -> FileVersion:
    known = _read_state(part, url)
    have = file.seek(0, os.SEEK_END)
    if known is not None and have == known.size and not _ask_version(url).differs_from(known):
        return known
    headers = _conditions(known, have)
    with open_answer("GET", url, headers=headers, attempt=attempt, statuses=(200, 206, 416)) as answer:
        if answer.status == 416:
            file.truncate(0)
            raise ServiceError(f"{url} is shorter than what is here of it; beginning again", retryable=True)
        refuse_page_or_compression(answer)
        if answer.status == 206:
            version = _check_continuation(answer, have, known)
        else:
            version = _whole_version(answer)
            file.seek(0)
            file.truncate(0)
            _write_state(part, url, version)
        _append(answer, file, cancelled)
    arrived = file.tell()
    if arrived != version.size:
        raise ServiceError(f"{url} has {version.size} bytes, but {arrived} came", retryable=True)
    return version


def _conditions(known: FileVersion | None, have: int) -> dict[str, str]:
    """Return the headers that ask for the rest of the same version; none where that cannot be made sure."""
    if known is None or not 0 < have < known.size:
        return {}
    strong = known.etag if known.etag and not known.etag.startswith("W/") else known.last_modified
    return {"Range": f"bytes={have}-", "If-Range": strong} if strong else {}


def _check_continuation(answer: Answer, have: int, known: FileVersion | None) -> FileVersion:
    found = parse_content_range(answer)
    version = version_of(answer, found.size)
    if known is None or found.first != have or found.last != found.size - 1 or version.differs_from(known):
        raise ServiceError(
            f"{answer.url} went on at byte {found.first} of {found.size}, not at {have} of the same file",
            retryable=True,
        )
    return known


def _whole_version(answer: Answer) -> FileVersion:
    if answer.length is None:
        raise ServiceError(f"{answer.url} came without its size; it could not be checked", retryable=True)
    return version_of(answer, answer.length)


def _append(answer: Answer, file: BinaryIO, cancelled: threading.Event) -> None:
    for chunk in answer.chunks():
        if cancelled.is_set():
            raise ServiceError(f"downloading {answer.url} was given up")
        _write_all(file, chunk)


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    """Write a whole piece: a disk that is nearly full takes the beginning of one without complaint."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]


def _ask_version(url: str) -> FileVersion:
    def ask(attempt: int) -> FileVersion:
        with open_answer("HEAD", url, attempt=attempt) as answer:
            return _whole_version(answer)

    return with_retries(ask)


def _sha256(file: BinaryIO) -> str:
    """Return the checksum of what is on the disk, all of it, also what an earlier job wrote."""
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_HASHED_AT_ONCE):
        digest.update(block)
    return digest.hexdigest()


def _part_path(target: Path, url: str) -> Path:
    stem = os.fsdecode(os.fsencode(target.name)[:_LONGEST_STEM_BYTES])
    return target.with_name(f"{stem}.{hashlib.sha256(url.encode()).hexdigest()[:8]}.part")


def _state_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_state(part: Path, url: str) -> FileVersion | None:
    """Return what an earlier attempt learned of the file; None where nothing of it can be trusted."""
    try:
        state = json.loads(_state_path(part).read_text(encoding="utf-8"))
        if state.pop("url") != url or not isinstance(state["size"], int):
            return None
        return FileVersion(**state)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write_state(part: Path, url: str, version: FileVersion) -> None:
    path = _state_path(part)
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(json.dumps({"url": url, **asdict(version)}), encoding="utf-8")
    beside.replace(path)


@contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """Open a part for this process alone, and leave nothing behind of one that stays empty."""
    file = _open_locked(part)
    try:
        yield file
    except (EmpiarReaderError, OSError):
        if file.seek(0, os.SEEK_END) == 0:
            part.unlink(missing_ok=True)
            _state_path(part).unlink(missing_ok=True)
        raise
    finally:
        file.close()


def _open_locked(part: Path) -> BinaryIO:
    while True:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise LocalFileError(f"another process is downloading {part.name}; wait for it") from None
        if part.exists() and os.path.samestat(os.fstat(descriptor), part.stat()):
            return file
        file.close()  # another process finished it, and gave it its name, while this one waited to open it
