"""Files get their names, and the manifest its lines: many at a time, with other jobs in mind.

A line is written before the file that it speaks of gets its name. A job that is killed at any moment leaves a
manifest that is true, as a line whose file has no name yet is not believed, and the next job goes on from it.
Jobs that save into one folder take turns here, and read what the others have written before they write: two
files never get one name.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from empiarreader.addresses import check_target
from empiarreader.downloading.manifest import (
    MANIFEST_NAME,
    DownloadedFile,
    Removed,
    as_json_line,
    parse_records,
)
from empiarreader.downloading.parts import PartFile
from empiarreader.downloading.placement import Placement, with_unique_target
from empiarreader.errors import EmpiarReaderError, InvalidRequestError, LocalFileError

_AT_ONCE = 64
_LATEST_SECONDS = 0.2


@dataclass(frozen=True)
class Arrival:
    """A file that is whole and checked under the name of its part."""

    placement: Placement
    record: DownloadedFile
    part: PartFile


class Ledger:
    """What a folder holds and where it is from, and the only way for a file to get a name in it.

    Parameters
    ----------
    folder
        Where files are saved.
    overwrite
        Whether files of unknown origin may be replaced.
    """

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self.folder = folder
        self._overwrite = overwrite
        self._path = folder / MANIFEST_NAME
        self._records: dict[str, DownloadedFile] = {}
        self._read_to = 0
        self._waiting: list[Arrival] = []
        self._oldest = 0.0
        self._outcomes: list[tuple[str, DownloadedFile | EmpiarReaderError]] = []
        self._made: set[str] = set()
        self._lock = threading.Lock()
        if self._path.exists():
            self._read_news(self._path.read_bytes())

    def place(self, placement: Placement) -> Placement:
        """Return the placement, out of the way of another file that has the name."""
        record = self.record(placement)
        return placement if record is None or record.url == placement.url else with_unique_target(placement)

    def record(self, placement: Placement) -> DownloadedFile | None:
        """Return what is known of the file that has, or had, the name."""
        return self._records.get(placement.target)

    def latest_record(self, placement: Placement) -> DownloadedFile | None:
        """Return what is known of the file that has the name by now, also if another job put it there.

        Raises
        ------
        LocalFileError
            If a file is in the way that nothing says the origin of.
        """
        path = self.folder / placement.target
        if os.path.lexists(path):
            self._read_what_others_wrote()
            if self.record(placement) is None and not self._overwrite:
                raise LocalFileError(
                    f"{path} is there already and no manifest says where it is from; move it away, or "
                    "overwrite"
                )
        return self.record(placement)

    def make_room(self, target: str) -> Path:
        """Return the path of a file, whose directories are there."""
        path = self.folder / check_target(target)
        directory = target.rpartition("/")[0]
        if directory not in self._made:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(directory)
        return path

    def take(self, arrival: Arrival) -> None:
        """Take a file that is whole; it gets its name soon, or with the next :meth:`settle`."""
        with self._lock:
            self._oldest = self._oldest if self._waiting else time.monotonic()
            self._waiting.append(arrival)
            is_due = len(self._waiting) >= _AT_ONCE or time.monotonic() - self._oldest > _LATEST_SECONDS
            if is_due:
                self._settle()

    def settle(self) -> list[tuple[str, DownloadedFile | EmpiarReaderError]]:
        """Give all that wait their names; return what became of those since the last time, by address."""
        with self._lock:
            if self._waiting:
                self._settle()
            outcomes, self._outcomes = self._outcomes, []
            return outcomes

    def forget(self, path: str) -> None:
        """Have the manifest say that a file is there no more."""
        with self._lock, self._turn() as descriptor:
            self._read_news(_read_from(descriptor, self._read_to))
            self._write(descriptor, [Removed(path)])

    def _read_what_others_wrote(self) -> None:
        with self._lock:
            if self._path.exists() and self._path.stat().st_size > self._read_to:
                with self._turn() as descriptor:
                    self._read_news(_read_from(descriptor, self._read_to))

    def _settle(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            with self._turn() as descriptor:
                self._read_news(_read_from(descriptor, self._read_to))
                placed = [self._placed(arrival) for arrival in waiting]
                self._write(descriptor, [arrival.record for arrival in placed])
                for arrival in placed:
                    self._name(arrival)
        except OSError as error:
            for arrival in waiting:
                self._outcomes.append((arrival.placement.url, cannot_write(self._path, error)))
                arrival.part.close()

    def _placed(self, arrival: Arrival) -> Arrival:
        """Give way to a file that another job has meanwhile put under the name."""
        known = self._records.get(arrival.record.path)
        path = self.folder / arrival.record.path
        is_taken = known is not None and known.url != arrival.record.url
        is_strange = known is None and not self._overwrite and os.path.lexists(path)
        if not (is_taken or is_strange):
            return arrival
        elsewhere = with_unique_target(arrival.placement)
        return replace(arrival, placement=elsewhere, record=replace(arrival.record, path=elsewhere.target))

    def _write(self, descriptor: int, records: Sequence[DownloadedFile | Removed]) -> None:
        lines = "".join(f"{as_json_line(record)}\n" for record in records)
        if not _ends_line(descriptor):
            lines = "\n" + lines  # after one that was cut when a machine stopped
        data = memoryview(lines.encode("utf-8", "surrogateescape"))
        self._read_to = os.lseek(descriptor, 0, os.SEEK_END) + len(data)
        while data:
            data = data[os.write(descriptor, data) :]
        for record in records:
            if isinstance(record, Removed):
                self._records.pop(record.path, None)
            else:
                self._records[record.path] = record

    def _name(self, arrival: Arrival) -> None:
        outcome: DownloadedFile | EmpiarReaderError = arrival.record
        try:
            arrival.part.finish(self.make_room(arrival.placement.target))
        except OSError as error:
            outcome = cannot_write(self.folder / arrival.record.path, error)
            arrival.part.close()
        self._outcomes.append((arrival.record.url, outcome))

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Have the manifest for this job alone; the lock ends with the process, however that ends."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _read_news(self, content: bytes) -> None:
        self._records.update(parse_records(content, self._path))
        self._read_to += len(content)


def cannot_write(path: Path, error: OSError) -> EmpiarReaderError:
    """Return the error for a file that the system does not let us write."""
    if isinstance(error, EmpiarReaderError):
        return error
    refused = LocalFileError(f"cannot write {path}: {error.strerror or error}")
    refused.errno = error.errno
    return refused


def open_ledger(folder: Path, *, overwrite: bool) -> Ledger:
    """Return the ledger of a folder, which is made if need be.

    Raises
    ------
    InvalidRequestError
        If there is a file in its place.
    LocalFileError
        If it cannot be made.
    DamagedDataError
        If its manifest is none.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidRequestError(f"{folder} is no folder to save in: {error.strerror}") from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    return Ledger(folder, overwrite=overwrite)


def _read_from(descriptor: int, offset: int) -> bytes:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size - offset, offset) if size > offset else b""


def _ends_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
