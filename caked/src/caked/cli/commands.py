"""What the commands have in common: where they live, how they fail, what they print."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, TypeVar

import click

from caked.errors import (
    CakedError,
    ClassesNotFoundError,
    DamagedFileError,
    InvalidOptionError,
    SourceNotFoundError,
    UnreachableSourceError,
)

__all__ = ["Commands", "exit_code", "printable", "progress_bar", "speaking_options", "tell"]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

SOME_FAILED, USAGE, NOT_FOUND, UNREACHABLE, DAMAGED, INTERRUPTED = 1, 2, 3, 4, 5, 130

_MODULES = {
    "inspect": "caked.cli.inspect",
    "preview": "caked.cli.preview",
    "export": "caked.cli.export",
    "convert": "caked.cli.convert",
    "bench": "caked.cli.bench",
}


class Commands(click.Group):
    """Commands that are imported when they are run, and end with a sentence and a status of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _MODULES:
            return None
        command: click.Command = import_module(_MODULES[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of the library becomes one sentence and its exit status."""
        try:
            return super().invoke(ctx)
        except CakedError as error:
            click.echo(f"caked: {printable(str(error))}", err=True)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("caked: interrupted", err=True)
            ctx.exit(INTERRUPTED)


def speaking_options(command: _Decorated) -> _Decorated:
    """Give a command ``-v`` and ``-q``, which hold for the whole of a command line wherever they stand."""
    for option in (
        click.option(
            *("-v", "--verbose"),
            is_flag=True,
            expose_value=False,
            callback=_heed,
            help="Tell on stderr what is noticed on the way.",
        ),
        click.option(
            *("-q", "--quiet"),
            is_flag=True,
            expose_value=False,
            callback=_heed,
            help="Tell nothing but results and errors.",
        ),
    ):
        command = option(command)
    return command


def _heed(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    said = ctx.meta.setdefault("caked.speaking", set())
    if value:
        said.add(option.name)
    level = logging.ERROR if "quiet" in said else logging.INFO if "verbose" in said else logging.WARNING
    logging.getLogger("caked").setLevel(level)


def exit_code(error: CakedError) -> int:
    """Return the exit status that stands for an error.

    Examples
    --------
    >>> exit_code(SourceNotFoundError("gone"))
    3
    """
    codes: tuple[tuple[type[CakedError], int], ...] = (
        (InvalidOptionError, USAGE),
        (SourceNotFoundError, NOT_FOUND),
        (ClassesNotFoundError, NOT_FOUND),
        (UnreachableSourceError, UNREACHABLE),
        (DamagedFileError, DAMAGED),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), SOME_FAILED)


def printable(text: str) -> str:
    r"""Return text with control characters escaped, for file names may hold anything.

    Examples
    --------
    >>> printable("a\x1b[31m.mrc")
    'a\\x1b[31m.mrc'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def tell(text: str) -> None:
    """Say on standard error what is not the result, unless ``-q`` was given."""
    if not _is_quiet():
        click.echo(text, err=True)


def _is_quiet() -> bool:
    return "quiet" in click.get_current_context().meta["caked.speaking"]


@contextmanager
def progress_bar(length: int, label: str) -> Iterator[Any]:
    """Give a function that is told how many are done; it draws a bar on a terminal and nothing elsewhere."""
    if not sys.stderr.isatty() or _is_quiet():
        yield lambda done: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda done: bar.update(done - bar.pos)
