"""cryoSPARC's ``.cs`` files: a numpy file of one structured array, read without pickle.

Source of the layout: numpy's own format note (``numpy.lib.format``), and cryoSPARC's guide, which calls the
files "dataset" and their columns ``group/field``.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.errors import DamagedDataError, UnsupportedFormatError

if TYPE_CHECKING:
    import pandas

_MAGIC = b"\x93NUMPY"
_OWN_MAGIC = b"\x94CSDAT"
_LONGEST_HEADER = 65536


def parse_cs(content: bytes, label: str) -> pandas.DataFrame:
    """Return the rows of a ``.cs`` file; columns are named as in it (``ctf/df1_A``).

    A field that holds several values a row becomes that many columns: ``alignments3D/pose/0`` to ``/2``. Byte
    strings become text. Units are in cryoSPARC's names: ``_A`` is Å, ``_rad`` radians, ``_mm``, ``_kv``.

    Raises
    ------
    DamagedDataError
        If it is no such file, is cut short, or holds Python objects, which would have to be unpickled.
    UnsupportedFormatError
        If it is written in the compressed form that cryoSPARC uses within projects.
    """
    import pandas

    rows = _read_array(content, label)
    columns: dict[str, Any] = {}
    for name in rows.dtype.names or ():
        _add_columns(columns, name, rows[name])
    return pandas.DataFrame(columns, index=pandas.RangeIndex(len(rows)))


def _read_array(content: bytes, label: str) -> np.ndarray[Any, np.dtype[Any]]:
    if content.startswith(_OWN_MAGIC):
        raise UnsupportedFormatError(
            f"{label} is in cryoSPARC's compressed form, which is not read; save it as numpy with "
            "cryosparc-tools: Dataset.load(path).save(other, format=1)"
        )
    if not content.startswith(_MAGIC):
        raise DamagedDataError(f"{label} is no .cs file: it does not begin as numpy files do")
    stream = io.BytesIO(content)
    shape, dtype = _read_header(stream, label)
    if dtype.hasobject:
        raise DamagedDataError(f"{label} holds Python objects, which are not unpickled")
    if len(shape) != 1 or dtype.names is None:
        raise DamagedDataError(f"{label} is no .cs file: it holds an array {shape} of {dtype}, not a table")
    promised, found = shape[0] * dtype.itemsize, len(content) - stream.tell()
    if promised != found:
        raise DamagedDataError(
            f"{label} promises {promised} bytes of rows and holds {found}; was it cut short?"
        )
    return np.frombuffer(content, dtype, count=shape[0], offset=stream.tell())


def _read_header(stream: io.BytesIO, label: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    from numpy.lib import format as numpy_format

    read = {(1, 0): numpy_format.read_array_header_1_0, (2, 0): numpy_format.read_array_header_2_0}
    try:
        version = numpy_format.read_magic(stream)
        shape, _, dtype = read[version](stream, max_header_size=_LONGEST_HEADER)
    except KeyError:
        raise DamagedDataError(f"{label} is a numpy file of a version that no .cs file has") from None
    except Exception as error:  # the header is a Python expression; what it may raise is open
        raise DamagedDataError(f"{label} has a damaged header: {error}") from error
    return tuple(shape), np.dtype(dtype)


def _add_columns(columns: dict[str, Any], name: str, values: Any) -> None:
    if values.ndim == 1:
        columns[name] = _plain(values)
        return
    for number, part in enumerate(values.reshape(len(values), -1).T):
        columns[f"{name}/{number}"] = _plain(part)


def _plain(values: Any) -> Any:
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "replace").astype(object)
    return np.ascontiguousarray(values).astype(values.dtype.newbyteorder("="), copy=False)
