"""STAR tables, parsed by the starfile library: RELION's, Warp's and M's, and crYOLO's ``.cbox``."""

from __future__ import annotations

import re
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from empiarreader.errors import DamagedDataError
from empiarreader.network.connections import on_fork
from empiarreader.tables.content import as_text

if TYPE_CHECKING:
    import pandas

# starfile cuts a row at any # and takes ' for a quotation mark. In STAR both mean something only where a word
# begins, so those within words travel through it as signs that no name holds.
_HASH, _APOSTROPHE = "\ue023", "\ue027"
_INNER_HASH = re.compile(r"(?<=\S)#")
_INNER_APOSTROPHE = re.compile(r"(?<=\S)'(?=\S)")


class _Starfile:
    """What all calls of starfile in a process share: a cache of lines, which each of them clears."""

    lock = threading.Lock()

    @classmethod
    def begin_again(cls) -> None:
        """Forget, in a process that was forked, a thread that only its parent has."""
        cls.lock = threading.Lock()


on_fork(_Starfile.begin_again)


def parse_star(content: bytes, label: str) -> dict[str, pandas.DataFrame]:
    r"""Return the data blocks of a STAR file by name, ``""`` for one without a name.

    A block without a loop becomes a table of one row; a loop without rows an empty table. Columns keep their
    names less the underscore (``rlnCoordinateX``); missing values (``<NA>``, ``nan``) are NaN.

    Raises
    ------
    DamagedDataError
        If it holds no STAR table.

    Examples
    --------
    >>> blocks = parse_star(b"data_p\n\nloop_\n_rlnVoltage #1\n_rlnImageName #2\n300 1@a#1.mrcs\n", "a")
    >>> blocks["p"].to_dict("records")
    [{'rlnVoltage': 300, 'rlnImageName': '1@a#1.mrcs'}]
    """
    import pandas
    import starfile

    text = as_text(content, label, "STAR file")
    if not any(line.strip().startswith("data_") for line in text.splitlines()):
        raise DamagedDataError(f"{label} is no STAR file: no line in it begins with data_")
    hidden = _INNER_APOSTROPHE.sub(_APOSTROPHE, _INNER_HASH.sub(_HASH, text))
    with _Starfile.lock, tempfile.TemporaryDirectory(prefix="empiarreader-") as folder:
        path = Path(folder) / "table.star"
        path.write_text(hidden, encoding="utf-8")
        try:
            blocks = starfile.read(path, always_dict=True)
        except Exception as error:  # whatever a parser meets in bytes from elsewhere
            raise DamagedDataError(f"{label} is a damaged STAR file: {error}") from error
    tables = {
        name: block if isinstance(block, pandas.DataFrame) else pandas.DataFrame([block])
        for name, block in blocks.items()
        if block is not None
    }
    return {_shown(name): _show(table) for name, table in tables.items()} if hidden != text else tables


def _show(table: pandas.DataFrame) -> pandas.DataFrame:
    table = table.rename(columns=lambda name: _shown(str(name)))
    for name in table.columns:
        if table[name].dtype.kind not in "biufc":
            table[name] = table[name].map(lambda value: _shown(value) if isinstance(value, str) else value)
    return table


def _shown(text: str) -> str:
    return text.replace(_HASH, "#").replace(_APOSTROPHE, "'")
