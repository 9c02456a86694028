"""The content that is served: folders laid over one another, the first that has a thing wins."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

RECORDS = "_records"
GZIPPED = "_gzip"


class UnsafePathError(ValueError):
    """A path would leave the folder of content."""


def path_parts(path: str) -> list[str]:
    """Components of a path within a host, refused where they could lead out of it.

    >>> path_parts("/empiar//world_availability/")
    ['empiar', 'world_availability']
    """
    parts = [part for part in path.split("/") if part]
    if "\0" in path or any(part in (".", "..") for part in parts):
        raise UnsafePathError(f"a path of the archive cannot hold '.', '..' or NUL: {path!r}")
    return parts


def header_record(host: str, path: str) -> str:
    """Key under which header fields of a static file are kept; hashed, for names may be long."""
    return hashlib.sha256("/".join([host, *path_parts(path)]).encode("utf-8", "surrogateescape")).hexdigest()


class Tree:
    """Read-only view on several content folders (see `perc_archive.content` for their layout)."""

    def __init__(self, layers: Sequence[Path], scratch: Path) -> None:
        self._layers = [os.fspath(layer) for layer in layers]
        self._scratch = scratch
        self._lock = threading.Lock()

    def _candidates(self, *parts: str) -> Iterator[str]:
        return (os.path.join(layer, *parts) for layer in self._layers)  # noqa: PTH118 - hot path

    def file(self, host: str, path: str) -> Path | None:
        """Regular file at a path of a host, or None."""
        try:
            parts = path_parts(path)
        except UnsafePathError:
            return None
        if not parts or not host or host.startswith(("_", ".")):
            return None
        return self._first(host, *parts)

    def _first(self, *parts: str) -> Path | None:
        for candidate in self._candidates(*parts):
            if os.path.isfile(candidate):  # noqa: PTH113 - hot path
                return Path(candidate)
        return None

    def either_form(self, host: str, path: str, *, gzipped: bool) -> Path | None:
        """File at a path, with or without a gzip layer, made from its other form where only that is there.

        The layer decides before the form: a synthetic ``x.cif`` never hides a real ``x.cif.gz`` of a layer
        above it. `path` is the one without ``.gz``.
        """
        try:
            parts = path_parts(path)
        except UnsafePathError:
            return None
        for candidate in self._candidates(host, *parts):
            plain, packed = Path(candidate), Path(f"{candidate}.gz")
            if gzipped and packed.is_file():
                return packed
            if plain.is_file():
                return self.zipped(plain) if gzipped else plain
            if packed.is_file():
                return self.unzipped(packed)
        return None

    def zipped_file(self, host: str, path: str) -> Path | None:
        """Gzip form of a file that its host negotiates by Accept-Encoding, or None."""
        try:
            return self._first(GZIPPED, host, *path_parts(path))
        except UnsafePathError:
            return None

    def folder(self, host: str, path: str) -> dict[str, os.stat_result] | None:
        """Names in a directory with what `stat` says of each; None where there is no such directory."""
        try:
            parts = path_parts(path)
        except UnsafePathError:
            return None
        if host.startswith(("_", ".")):
            return None
        found: dict[str, os.stat_result] | None = None
        for candidate in self._candidates(host, *parts):
            try:
                with os.scandir(candidate) as entries:
                    found = {} if found is None else found
                    for entry in entries:
                        if entry.name not in found and not entry.name.endswith(".part~"):
                            with contextlib.suppress(FileNotFoundError):  # a link that leads nowhere
                                found[entry.name] = entry.stat()
            except (FileNotFoundError, NotADirectoryError):
                continue
        return found

    def stat(self, host: str, path: str) -> os.stat_result | None:
        """Facts of a file or directory; None where there is neither."""
        try:
            parts = path_parts(path)
        except UnsafePathError:
            return None
        for candidate in self._candidates(host, *parts):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return os.stat(candidate)  # noqa: PTH116 - hot path
        return None

    def headers(self, host: str, path: str) -> dict[str, str]:
        """Header fields that were given with a static file."""
        record = self.record("headers", header_record(host, path))
        return record if isinstance(record, dict) else {}

    def record(self, kind: str, key: str) -> Any:
        """JSON record of a kind, or None."""
        if not key or "/" in key or key.startswith("."):
            return None
        found = self._first(RECORDS, kind, f"{key}.json")
        return None if found is None else json.loads(found.read_bytes())

    def keys(self, kind: str) -> list[str]:
        """Keys of all records of a kind, sorted."""
        names: set[str] = set()
        for candidate in self._candidates(RECORDS, kind):
            try:
                names.update(name[:-5] for name in os.listdir(candidate) if name.endswith(".json"))  # noqa: PTH208
            except (FileNotFoundError, NotADirectoryError):
                continue
        return sorted(names)

    def unzipped(self, path: Path) -> Path:
        """The same file without its gzip layer, made once."""
        return self._derive(path, "plain", gzip.decompress)

    def zipped(self, path: Path) -> Path:
        """The same file in a gzip layer, made once."""
        return self._derive(path, "gz", lambda body: gzip.compress(body, compresslevel=6, mtime=0))

    def _derive(self, path: Path, what: str, transform: Any) -> Path:
        found = path.stat()
        key = hashlib.sha256(
            f"{what}|{path}|{found.st_size}|{found.st_mtime_ns}".encode("utf-8", "surrogateescape")
        )
        target = self._scratch / key.hexdigest()
        with self._lock:
            if not target.exists():
                partial = target.with_suffix(".part~")
                partial.write_bytes(transform(path.read_bytes()))
                os.utime(partial, ns=(found.st_mtime_ns, found.st_mtime_ns))
                partial.replace(target)
        return target
