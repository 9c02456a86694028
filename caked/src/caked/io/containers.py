"""Arrays within HDF5 files and zarr stores, opened for a while: nothing stays open between reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from caked.errors import CakedError, DamagedFileError, InvalidOptionError, SourceNotFoundError
from caked.io.layout import reported

__all__ = ["HDF5_SUFFIXES", "open_hdf5", "open_hdf5_file", "open_zarr"]

HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".nxs", ".nx", ".nexus")


@contextmanager
def open_hdf5_file(path: str) -> Iterator[Any]:
    """Open an HDF5 file.

    Raises
    ------
    InvalidOptionError
        If h5py is not installed.
    SourceNotFoundError
        If there is no such file.
    DamagedFileError
        If it is no HDF5 file, or ends too soon.
    """
    try:
        import h5py
    except ImportError as error:
        raise InvalidOptionError("HDF5 is read with h5py: pip install './caked[h5]' (or h5py).") from error
    with reported(path), Path(path).open("rb"):
        pass
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise _damaged("HDF5 file", path, error) from error
    with file:
        try:
            yield file
        except CakedError:
            raise
        except OSError as error:  # a chunk that is cut off, or compressed in an unknown way
            raise _damaged("whole HDF5 file", path, error) from error


@contextmanager
def open_hdf5(path: str, name: str | None) -> Iterator[Any]:
    """Open an array of an HDF5 file: by name, or the only one with two axes or more."""
    import h5py

    with open_hdf5_file(path) as file:
        if name is None:
            names: list[str] = []

            def note(key: str, item: Any) -> None:
                if isinstance(item, h5py.Dataset) and item.ndim > 1:
                    names.append(key)

            file.visititems(note)
            name = _only(names, path)
        found = file.get(name)
        if not isinstance(found, h5py.Dataset):
            raise SourceNotFoundError(f"{path} holds no array {name!r}.", path=path)
        yield found


@contextmanager
def open_zarr(path: str, name: str | None) -> Iterator[Any]:
    """Open an array of a zarr store, a folder or a URL: by name, or the only one.

    Raises
    ------
    InvalidOptionError
        If zarr is not installed, or there are several arrays.
    SourceNotFoundError
        If there is no such store, or no such array in it.
    DamagedFileError
        If it is no zarr store.
    """
    try:
        import zarr
    except ImportError as error:
        raise InvalidOptionError("Zarr is read with zarr: pip install './caked[zarr]' (or zarr).") from error
    if "://" not in path and not Path(path).exists():
        raise SourceNotFoundError(f"There is no zarr store {path}.", path=path)
    try:
        found: Any = zarr.open(path, mode="r")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise _damaged("zarr store", path, error) from error
    if not isinstance(found, zarr.Array):
        name = name or _only([key for key, _ in found.arrays()], path)
        if name not in found or not isinstance(found[name], zarr.Array):
            raise SourceNotFoundError(f"{path} holds no array {name!r}.", path=path)
        found = found[name]
    yield found


def _only(names: list[str], path: str) -> str:
    if len(names) != 1:
        raise InvalidOptionError(f"{path} holds {len(names)} arrays, {names[:6]}: say which with array=….")
    return names[0]


def _damaged(kind: str, path: str, error: Exception) -> DamagedFileError:
    why = str(error).partition("\n")[0][:120]
    return DamagedFileError(f"It is no {kind} ({why}): file {path} is corrupted.", path=path)
