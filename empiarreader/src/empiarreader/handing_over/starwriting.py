"""STAR files as RELION writes them.

The starfile library, which reads them here, writes no ``# version`` lines, by which RELION tells its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = str | int | float

# RELION 3.1, 4 and 5 read it; 5 writes 50001. Source: src/metadata_table.cpp of RELION.
_VERSION = 30001


def star_text(blocks: Mapping[str, Mapping[str, Sequence[Value]]]) -> str:
    r"""Return the text of a STAR file: a loop for each block, its columns in the order given.

    Parameters
    ----------
    blocks
        By the name of the block, less ``data_``: columns by their name, less the underscore, all of one
        length. Texts are words: none has a space or a quotation mark in it.

    Examples
    --------
    >>> print(star_text({"movies": {"rlnMicrographMovieName": ["a.mrcs"], "rlnOpticsGroup": [1]}}).strip())
    # version 30001
    <BLANKLINE>
    data_movies
    <BLANKLINE>
    loop_
    _rlnMicrographMovieName #1
    _rlnOpticsGroup #2
    a.mrcs 1
    """
    return "".join(_block(name, columns) for name, columns in blocks.items())


def _block(name: str, columns: Mapping[str, Sequence[Value]]) -> str:
    head = [f"\n# version {_VERSION}\n", f"data_{name}\n", "loop_"]
    names = [f"_{column} #{number}" for number, column in enumerate(columns, 1)]
    rows = [" ".join(map(_word, row)) for row in zip(*columns.values(), strict=True)]
    return "\n".join([*head, *names, *rows]) + "\n\n"


def _word(value: Value) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)
