"""What comes out of the steps before the first random one, kept for the next epoch."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.io.write import replacing
from caked.transforms.base import Batch, Transform
from caked.transforms.compose import Compose

__all__ = ["PrefixCache", "cut_at_random", "prefix_key"]

MEMORY_BYTES = 1 << 30


class PrefixCache:
    """Samples as the deterministic steps leave them, in memory or in a folder.

    Parameters
    ----------
    place
        ``"memory"``: each process keeps what it has made, up to ``max_bytes``. Else a folder: processes and
        runs share it. A file a sample, which appears whole or not at all.
    max_bytes
        Of memory; what does not fit is made again each time.

    Notes
    -----
    Samples are kept under a key of the steps, the seed and the inputs (:func:`prefix_key`); another order of
    steps, another option or other inputs do not find them.
    """

    def __init__(self, place: str | Path, *, max_bytes: int = MEMORY_BYTES) -> None:
        self.folder = None if str(place) == "memory" else Path(place)
        self.max_bytes = max_bytes
        self._kept: dict[tuple[str, int], Batch] = {}
        self._bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}, "_bytes": 0}  # a worker makes its own

    def batch(self, key: str, indices: Sequence[int], make: Callable[[list[int]], Batch]) -> Batch:
        """Return samples as a batch; those that are not kept yet are made by ``make``, from their places."""
        found = [self._load(key, i) for i in indices]
        missing = [place for place, sample in enumerate(found) if sample is None]
        if missing:
            made = make(missing)
            if len(missing) == len(found):
                self._keep_all(key, indices, made)
                return made
            for row, place in enumerate(missing):
                found[place] = {name: values[row] for name, values in made.items()}
            self._keep_all(key, [indices[place] for place in missing], made)
        samples = [sample for sample in found if sample is not None]
        return {name: _together([sample[name] for sample in samples]) for name in samples[0]}

    def _keep_all(self, key: str, indices: Sequence[int], made: Batch) -> None:
        for row, i in enumerate(indices):
            sample = {name: _copied(values[row]) for name, values in made.items()}
            if self.folder is not None:
                _write(self._path(key, i), sample)
                continue
            size = sum(value.nbytes for value in sample.values() if isinstance(value, Tensor))
            if (key, i) not in self._kept and self._bytes + size <= self.max_bytes:
                self._kept[key, i] = sample
                self._bytes += size

    def _load(self, key: str, i: int) -> Batch | None:
        return self._kept.get((key, i)) if self.folder is None else _read(self._path(key, i))

    def _path(self, key: str, i: int) -> Path:
        assert self.folder is not None
        return self.folder / key / f"{i // 1000:06d}" / f"{i}.npz"


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value


def _together(values: list[Any]) -> Any:
    """Put a key's values together as they were: tensors of one shape as one, others as a list."""
    if all(isinstance(value, Tensor) for value in values) and len({value.shape for value in values}) == 1:
        return torch.stack(values)
    return values


def _write(path: Path, sample: Batch) -> None:
    with replacing(path) as part, part.open("wb") as file:
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in sample.items()}
        np.savez(file, allow_pickle=False, **arrays)


def _read(path: Path) -> Batch | None:
    """Return a sample, or ``None`` where it is not there, or damaged: then it is made again."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (FileNotFoundError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    return {
        name: str(array) if array.dtype.kind == "U" else torch.from_numpy(array)
        for name, array in arrays.items()
    }


def cut_at_random(transform: Transform) -> tuple[Transform, Transform]:
    """Return the steps before the first random one, and the others, which draw the same numbers as before."""
    if isinstance(transform, Compose):
        prefix, count = transform.deterministic_prefix()
        return prefix, transform.after(count)
    nothing = Compose([])
    return (nothing, transform) if transform.is_random else (transform, nothing)


def prefix_key(transform: Transform, *, inputs: str, seed: int) -> str:
    """Return the key of what steps make of inputs: a sha256.

    Raises
    ------
    InvalidOptionError
        If the steps cannot be written down.
    """
    try:
        described = json.dumps(transform.to_dict(), sort_keys=True)
    except (ValueError, TypeError) as error:
        raise InvalidOptionError(f"Only steps that can be written down can be cached: {error}") from error
    return hashlib.sha256(f"{inputs}\0{seed}\0{described}".encode()).hexdigest()
