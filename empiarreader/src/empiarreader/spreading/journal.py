"""Which results are finished, in a file beside them: what a rerun need not do again.

A line is written when a result is whole, before it gets its name; by one process, the one that gives the work
out. Workers write their results beside, under names of their own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from empiarreader.addresses import check_target
from empiarreader.errors import DamagedDataError, EmpiarReaderError, InvalidRequestError, LocalFileError
from empiarreader.network.ranges import FileVersion

JOURNAL_NAME = "empiarreader-mapped.jsonl"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One result that is finished."""

    target: str  # relative to the folder, with forward slashes
    location: str  # address or path of the image that it was made from
    size_bytes: int  # 0 of a folder
    step: str  # what was done
    version: FileVersion | None = None  # of the image's file, where it is known

    @classmethod
    def read(cls, text: bytes) -> Line:
        """Return what a line of the file says."""
        facts = json.loads(text)
        version = facts.pop("version", None)
        check_target(facts["target"])
        return cls(**facts, version=None if version is None else FileVersion(**version))


class Journal:
    """The record of a folder of results; nobody else can open it before it is closed.

    Raises
    ------
    LocalFileError
        If it cannot be written, or another process works into the same folder.
    DamagedDataError
        If the file of that name is something else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = (folder / JOURNAL_NAME).open("a+b", buffering=0)
        except OSError as error:
            raise LocalFileError(f"cannot write into {folder}: {error.strerror}") from error
        try:
            self._lock()
            self._lines = self._read()
        except EmpiarReaderError:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalFileError(f"another process works into {self._folder}; wait for it") from error
        except OSError:
            pass  # a file system that knows no locks: there is nobody to wait for

    def close(self) -> None:
        """Let others open it."""
        self._file.close()

    def is_finished(self, target: str, location: str, step: str) -> bool:
        """Return whether this very result is there.

        Raises
        ------
        InvalidRequestError
            If what is there was made in another way.
        """
        line, path = self._lines.get(target), self._folder / target
        if line is None or not path.exists() or (path.is_file() and path.stat().st_size != line.size_bytes):
            return False
        if (line.location, line.step) != (location, step):
            raise InvalidRequestError(
                f"{path} is there, made from {line.location} ({line.step}) and not from {location} ({step}); "
                "use another directory, or overwrite"
            )
        return True

    def version(self, target: str) -> FileVersion | None:
        """Return which version of its file a result was made from; None where nobody knows."""
        return self._lines[target].version

    def finish(
        self, part: Path, target: str, location: str, step: str, version: FileVersion | None = None
    ) -> Path:
        """Record a result, and give it its name; remove what workers that died have left of it."""
        path = self._folder / check_target(target)
        size = part.stat().st_size if part.is_file() else 0
        line = Line(target=target, location=location, size_bytes=size, step=step, version=version)
        self._file.write(json.dumps(asdict(line)).encode() + b"\n")
        os.fsync(self._file.fileno())
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        part.replace(path)
        self._lines[target] = line
        for left in path.parent.glob(f"{_beginning(path)}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        return path

    def is_foreign(self, target: str) -> bool:
        """Return whether something is in the place of a result that is on no record."""
        return target not in self._lines and os.path.lexists(self._folder / target)

    def _read(self) -> dict[str, Line]:
        self._file.seek(0)
        content = self._file.read()
        if content and not content.endswith(b"\n"):
            self._file.write(b"\n")  # the machine stopped in the middle of a line; it speaks of nothing
        found: dict[str, Line] = {}
        for text in content.splitlines():
            try:
                line = Line.read(text)
                found[line.target] = line
            except (ValueError, TypeError, AttributeError, KeyError):
                continue
        if content.count(b"\n") > 1 and not found:
            raise DamagedDataError(f"{self._folder / JOURNAL_NAME} is no record of results; move it away")
        return found


def part_of(path: Path) -> Path:
    """Return a name beside a result for what is written of it, which nobody else uses."""
    return path.with_name(f"{_beginning(path)}{uuid.uuid4().hex[:12]}{path.suffix[:16]}")


def _beginning(path: Path) -> str:
    return f".part-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}-"
