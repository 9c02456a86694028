"""What all subcommands say to a terminal beside their results: the log, and how far they are."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any, TypeVar

import click

from empiarreader.printable import one_line

_SOON_SECONDS = 0.5
_USUAL_COLUMNS = 80
_LEAST_BAR, _LONGEST_BAR = 5, 36
_TIME_LEFT = len("  1d 00:00:00")
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


def line_columns() -> int:
    """Return how many columns a line on the terminal may have that is written over later."""
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return (columns or _USUAL_COLUMNS) - 1


def open_bar(label: str, *, text_columns: int, **options: Any) -> Any:
    """Return a progress bar that fits onto one line; where that is short, figures without the bar itself.

    Parameters
    ----------
    label
        Stands before it.
    text_columns
        How much stands behind the percents.
    options
        Of :func:`click.progressbar`.
    """
    room = line_columns() - len(label) - len("  []  100%  ") - text_columns
    template = "%(label)s  [%(bar)s]  %(info)s" if room >= _LEAST_BAR else "%(label)s %(info)s"
    width = max(1, min(room, _LONGEST_BAR))
    return click.progressbar(
        length=1, label=label, width=width, bar_template=template, file=sys.stderr, **options
    )


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
                bar = open_bar(label, text_columns=_TIME_LEFT, show_eta=line_columns() > 2 * _TIME_LEFT)
                bars.append(shown.enter_context(bar))
            (bar,) = bars
            bar.length = max(done, total, 1)
            bar.update(done - bar.pos)
            bar.render_progress()  # also where there is less to do than it seemed

        yield tell


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        over_the_bar = "\r\x1b[K" if sys.stderr.isatty() else ""
        click.echo(over_the_bar + one_line(self.format(record)), err=True)
