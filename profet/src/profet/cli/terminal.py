"""What all subcommands say to the terminal: exit codes, sentences on stderr, the log, progress."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import click

from profet.errors import (
    DamagedFileError,
    InvalidChoiceError,
    InvalidIdError,
    MissingFileError,
    ProfetError,
    RefusedError,
    ServiceError,
    StructureNotFoundError,
)

DONE = 0
SOME_FAILED = 1

_EXIT_CODES: tuple[tuple[type[ProfetError], int], ...] = (
    (InvalidIdError, 2),
    (InvalidChoiceError, 2),
    (StructureNotFoundError, 3),
    (MissingFileError, 3),
    (ServiceError, 4),
    (DamagedFileError, 5),
    (RefusedError, SOME_FAILED),
)
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def exit_code(error: ProfetError | None) -> int:
    """Exit code that stands for an error, or for none.

    Examples
    --------
    >>> exit_code(StructureNotFoundError("no such entry")), exit_code(None)
    (3, 0)
    """
    if error is None:
        return DONE
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), SOME_FAILED)


def leave(errors: Iterable[ProfetError | None]) -> None:
    """End the program with the code of what went wrong, or return if nothing did.

    Parameters
    ----------
    errors
        What became of each item, None for those that went well. If all failed alike the code is theirs,
        otherwise it says that some failed.
    """
    codes = {exit_code(error) for error in errors}
    if codes - {DONE}:
        raise SystemExit(codes.pop() if len(codes) == 1 else SOME_FAILED)


def printable(text: str) -> str:
    r"""Return text that is safe to show on a terminal: control characters become visible.

    Examples
    --------
    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def complain(error: object) -> None:
    """Say on stderr what went wrong."""
    clear_bar()
    click.echo(f"profet: {printable(str(error))}", err=True)


@contextlib.contextmanager
def going_on(errors: list[ProfetError | None]) -> Iterator[None]:
    """Do something with one item; if it fails, say so and go on. `errors` takes note of each for `leave`."""
    try:
        yield
    except ProfetError as error:
        complain(error)
        errors.append(error)
    else:
        errors.append(None)


def list_failures(outcomes: Mapping[str, ProfetError | None]) -> None:
    """Say at the end what failed: each reason once, with some of the ids that it befell.

    Parameters
    ----------
    outcomes
        By id, what went wrong; None for those that went well.
    """
    befallen: dict[str, list[str]] = {}
    for typed, error in outcomes.items():
        if error is not None:
            befallen.setdefault(str(error), []).append(typed)
    if len(outcomes) > 1 and befallen:
        complain(f"{sum(map(len, befallen.values()))} of {len(outcomes)} failed:")
    for reason, ids in befallen.items():
        complain(reason if len(ids) == 1 else f"{reason} ({_some(ids)})")


def _some(names: Sequence[str], most: int = 5) -> str:
    """Name a few of many.

    Examples
    --------
    >>> _some(["4v1w", "1aki"]), _some("abcdefgh", most=3)
    ('4v1w, 1aki', 'a, b, c and 5 more')
    """
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def speaking_options(command: _Decorated) -> _Decorated:
    """Give a command ``--json``, ``-q`` and ``-v``: the arguments ``as_json``, ``quiet`` and ``verbose``."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Say what is asked of whom."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line."),
    ):
        command = option(command)
    return command


def log_to_stderr(*, quiet: bool, verbose: bool) -> None:
    """Show the library's own log; the program may do so, the library never does."""
    logger = logging.getLogger("profet")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _StderrHandler)]:
        logger.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of every repeated request


@contextlib.contextmanager
def progress(length: int, label: str, *, quiet: bool) -> Iterator[Callable[[object], None]]:
    """Show how far it is, on a terminal and with more than one thing to do; call what is yielded for each."""
    if quiet or length < 2 or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda _: bar.update(1)


def clear_bar() -> None:
    """Make room for a line where the progress bar may be."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        clear_bar()
        click.echo(printable(self.format(record)), err=True)
