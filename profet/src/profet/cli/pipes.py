"""Standard input and output in place of files, where a command says ``-``."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from profet.cli.input_name import file_name_of
from profet.errors import CacheError, ProfetError

PIPE = "-"
INPUT, OUTPUT = Path("standard input"), Path("standard output")
"""What they are called to people."""


def goes_to_pipe(file: str, output: str | None) -> bool:
    """Whether the result goes to standard output: because it is said, or because the input comes from there.

    Examples
    --------
    >>> goes_to_pipe("-", None), goes_to_pipe("-", "a.pdb"), goes_to_pipe("a.pdb", "-")
    (True, False, True)
    """
    return output == PIPE or (file == PIPE and output is None)


@contextlib.contextmanager
def standing_for(file: str, output: str | None) -> Iterator[tuple[str, str | None]]:
    """Paths to read and to write; standard input is copied in front, standard output written behind.

    The copy is called after the structure in it, as a result is that goes into a folder. What goes to
    standard output goes whole or, if the block raises, not at all.

    Parameters
    ----------
    file, output
        As given.

    Yields
    ------
    tuple
        The two paths.

    Raises
    ------
    CacheError
        If standard input cannot be kept for as long as it takes.
    """
    if file != PIPE and not goes_to_pipe(file, output):
        yield file, output
        return
    with tempfile.TemporaryDirectory(prefix="profet-") as folder:
        source, target = Path(folder, INPUT), Path(folder, OUTPUT)
        try:
            if file == PIPE:
                _copy_input(source)
                source = source.rename(source.with_name(file_name_of(source)))
            yield (
                str(source) if file == PIPE else file,
                str(target) if goes_to_pipe(file, output) else output,
            )
        except ProfetError as error:
            told = str(error).replace(folder + os.sep, "").replace(source.name, str(INPUT))
            error.args = (told, *error.args[1:])
            raise
        if target.exists():
            with target.open("rb") as result:
                shutil.copyfileobj(result, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def _copy_input(path: Path) -> None:
    try:
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    except OSError as error:
        raise CacheError.of(error, f"cannot keep {INPUT} in {path.parent}") from error
