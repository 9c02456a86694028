"""Which ids a subcommand is to work on: from its arguments, a file, or standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from profet.errors import MissingFileError

_STANDARD_INPUT = "-"
_BETWEEN_IDS = re.compile(r"[\s,;]+")
_LONGEST_LIST_BYTES = 64 << 20
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def ids_arguments(command: _Decorated) -> _Decorated:
    """Give a command ids: the arguments ``ids`` and ``from_file`` of `asked_ids`."""
    command = click.option(
        "--from",
        "from_file",
        metavar="FILE",
        default=None,
        help="Read ids from a file; - for standard input. What follows a # is passed over.",
    )(command)
    return click.argument("ids", nargs=-1, metavar="[ID...]")(command)


def asked_ids(ids: Iterable[str], from_file: str | None) -> list[str]:
    """All ids that were given, in order; ``-`` among them stands for those on standard input.

    Raises
    ------
    click.UsageError
        If there is none.
    MissingFileError
        If the file cannot be read.
    """
    found: list[str] = []
    for item in ids:
        found += _standard_input() if item == _STANDARD_INPUT else words(item)
    if from_file is not None:
        found += _standard_input() if from_file == _STANDARD_INPUT else _in_file(Path(from_file))
    if not found:
        raise click.UsageError("no ids were given: name them, or a file of them with --from FILE")
    return found


def words(text: str) -> list[str]:
    r"""Ids in a text: parted by blanks, commas, semicolons or lines, without comments.

    Examples
    --------
    >>> words("4v1w, 1aki  # lysozyme\n\nP05067\n")
    ['4v1w', '1aki', 'P05067']
    """
    lines = (line.partition("#")[0] for line in text.removeprefix("\ufeff").splitlines())
    return [word for line in lines for word in _BETWEEN_IDS.split(line) if word]


def _standard_input() -> list[str]:
    return _decoded(sys.stdin.buffer.read(_LONGEST_LIST_BYTES + 1), "standard input")


def _in_file(path: Path) -> list[str]:
    try:
        with path.expanduser().open("rb") as file:
            return _decoded(file.read(_LONGEST_LIST_BYTES + 1), str(path))
    except OSError as error:
        raise MissingFileError(f"cannot read ids from {path}: {error.strerror or error}") from error


def _decoded(data: bytes, name: str) -> list[str]:
    if len(data) > _LONGEST_LIST_BYTES:
        raise click.UsageError(f"{name} is longer than {_LONGEST_LIST_BYTES >> 20} MiB; no list of ids is")
    return words(data.decode("utf-8", errors="replace"))
