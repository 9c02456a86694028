"""Where what was read is kept: in memory, or in a folder of bounded size that runs can share."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import CakedError
from caked.io.layout import read_layout
from caked.io.read import read_array
from caked.io.write import write_npy
from caked.protocol import Array

__all__ = ["FolderStore", "MemoryStore"]


class MemoryStore:
    """Samples in memory, until they come to ``max_bytes``; it begins empty in every process."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._begin()

    def _begin(self) -> None:
        self._kept: dict[int, Array] = {}
        self.kept_bytes = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"max_bytes": self.max_bytes}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def get(self, i: int, name: str) -> Array | None:
        """Return a sample that is kept; not the caller's own."""
        return self._kept.get(i)

    def put(self, i: int, name: str, sample: Array) -> None:
        """Keep a copy of a sample, if there is room."""
        with self._lock:
            if i not in self._kept and self.kept_bytes + sample.nbytes <= self.max_bytes:
                # A copy, so that one row does not keep the whole batch it came with.
                self._kept[i] = sample.copy()
                self.kept_bytes += sample.nbytes


class FolderStore:
    """Samples in a folder, each in a numpy file of its own; those not used for longest go first.

    Several processes may use a folder at once: a file appears whole or not at all, and one that another
    process has taken away is read again from where it came.

    Parameters
    ----------
    folder
        Made when something is kept.
    max_bytes
        Most that the files may come to.
    identity
        What tells this source from others that keep their samples in the folder.
    """

    def __init__(self, folder: Path, max_bytes: int, *, identity: str) -> None:
        self.folder, self.max_bytes, self.identity = folder, max_bytes, identity
        self._written = max_bytes  # so that the first write looks at what is there

    @property
    def kept_bytes(self) -> int:
        """What the files come to."""
        return sum(size for _, size, _ in self._files())

    def path(self, name: str) -> Path:
        """Return the file of a sample."""
        key = hashlib.sha256(f"{self.identity}\0{name}".encode("utf-8", "surrogateescape")).hexdigest()
        return self.folder / key[:2] / f"{key}.npy"

    def get(self, i: int, name: str) -> Array | None:
        """Read a sample that is kept; a damaged file counts as none."""
        path = self.path(name)
        try:
            sample = read_array(path, read_layout(path))
            os.utime(path)
        except (CakedError, OSError):
            return None
        return sample

    def put(self, i: int, name: str, sample: Array) -> None:
        """Write a sample, and make room for it where need be."""
        if sample.nbytes > self.max_bytes:
            return
        write_npy(self.path(name), np.ascontiguousarray(sample))
        self._written += sample.nbytes
        if self._written > self.max_bytes // 8:  # looking through a folder costs, so not each time
            self._written = 0
            self._make_room(self.max_bytes - self.max_bytes // 8)

    def _make_room(self, limit: int) -> None:
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= limit:
                break
            Path(path).unlink(missing_ok=True)
            total -= size

    def _files(self) -> list[tuple[int, int, str]]:
        found = []
        for path in self.folder.glob("??/*.npy"):
            try:
                status = path.stat()
            except FileNotFoundError:  # another process made room
                continue
            found.append((status.st_mtime_ns, status.st_size, str(path)))
        return found
