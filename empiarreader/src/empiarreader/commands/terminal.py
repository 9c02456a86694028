"""What all subcommands say to a terminal beside their results: the log, and how far they are."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any, TypeVar

import click

from empiarreader.printable import one_line

_SOON_SECONDS = 0.5
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def speaking_options(command: _Decorated) -> _Decorated:
    """Give a command ``-v``, which shows the library's log, and ``-q``: the argument ``quiet``."""
    verbose = click.option(
        "--verbose",
        "-v",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_show_log,
        help="Say what is asked of whom.",
    )
    quiet = click.option("--quiet", "-q", is_flag=True, help="Say nothing but results and errors.")
    return verbose(quiet(command))


def _show_log(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Show the library's log on stderr while the command runs; the library itself never does."""
    if not value:
        return
    logger, handler = logging.getLogger("empiarreader"), _StderrHandler()
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.DEBUG)

    def hide() -> None:
        logger.removeHandler(handler)
        logger.setLevel(before)

    ctx.call_on_close(hide)


def say(text: str, *, quiet: bool) -> None:
    """Say something on stderr that is no result."""
    if not quiet:
        click.echo(one_line(text), err=True)


@contextmanager
def progress(label: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is, on a terminal; call what is yielded with how much is done, and with all of it.

    What takes no time shows nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    began = monotonic()
    bars: list[Any] = []
    with ExitStack() as shown:

        def tell(done: int, total: int) -> None:
            if not bars and monotonic() - began < _SOON_SECONDS:
                return
            if not bars:
                bars.append(shown.enter_context(click.progressbar(length=1, label=label, file=sys.stderr)))
            (bar,) = bars
            bar.length = max(done, total, 1)
            bar.update(done - bar.pos)
            bar.render_progress()  # also where there is less to do than it seemed

        yield tell


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        over_the_bar = "\r\x1b[K" if sys.stderr.isatty() else ""
        click.echo(over_the_bar + one_line(self.format(record)), err=True)
