"""How files move, as ``download`` and ``mirror`` are told of it, show it, and say how it ended."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from empiarreader.byteunits import describe_bytes, describe_count, parse_bytes
from empiarreader.commands.exit_codes import SOME_FAILED, exit_code
from empiarreader.commands.finding import protocol_option
from empiarreader.commands.terminal import line_columns, open_bar
from empiarreader.errors import InvalidRequestError, RefusedAddressError
from empiarreader.printable import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from empiarreader.commands.parts import Part
    from empiarreader.downloading.manifest import Manifest
    from empiarreader.downloading.progress import Progress

LAYOUT_NOTE = "# layout: "
_LONGEST_WORDS = len("12345/12345 files, 12.3 GB, 12.3 MB/s, 12:34:56 left")


def transfer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how files move."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Say nothing but failures."),
        click.option("--verbose", "-v", is_flag=True, help="Say what is done."),
        click.option(
            "--overwrite", is_flag=True, help="Replace files of unknown origin that are in the way."
        ),
        click.option(
            "--limit-rate", metavar="RATE", help="Take no more than this a second, in all: 20M, 500k."
        ),
        protocol_option("Door of the archive."),
        click.option(
            "--workers",
            default=16,
            show_default=True,
            type=click.IntRange(1, 64),
            help="Connections at once, 16 at most.",
        ),
    ):
        command = option(command)
    return command


def not_empty(ctx: click.Context, parameter: click.Parameter, folder: str) -> str:
    """Refuse ``""``, which would mean this very folder and is a script's variable that was never set."""
    if not folder:
        raise click.BadParameter("it is empty; give a folder, . for this one")
    return folder


def parse_rate(text: str | None) -> float | None:
    """Return bytes a second, None for no limit."""
    if text is None:
        return None
    rate = parse_bytes(text.removesuffix("/s"))
    if not rate:
        raise InvalidRequestError(f"{text!r} is no rate; give bytes a second such as 20M or 500k")
    return float(rate)


def conclude(ctx: click.Context, done: Manifest, layout: str | None, *, part: Part | None = None) -> None:
    """List what failed, write the file to retry from, and end with the code that says why."""
    from empiarreader.downloading.manifest import FAILED_NAME

    # Jobs that have a share each do not replace one another's lists.
    name = FAILED_NAME if part is None else FAILED_NAME.replace(".", f"-{part.number}-of-{part.count}.")
    path, can_be_retried = done.directory / name, False
    try:
        can_be_retried = _write_failed(done, layout, path)
    except OSError as error:
        click.echo(one_line(f"cannot write {path}: {error.strerror}"), err=True)
    if not done.failures:
        return
    total = len(done.files) + len(done.failures)
    click.echo(f"{len(done.failures)} of {total} failed:", err=True)
    for failure in done.failures:
        click.echo(f"  {failure.error}", err=True)
    if can_be_retried:
        words = ("empiarreader", "download", "--download", str(path), "--save_dir", str(done.directory))
        click.echo(one_line(f"to try again: {shlex.join(words)}"), err=True)
    codes = {exit_code(failure.error) for failure in done.failures}
    # Why, where nothing was saved for one and the same reason; else that some failed.
    ctx.exit(codes.pop() if len(codes) == 1 and not done.files else SOME_FAILED)


@contextmanager
def watching(
    *, verbose: bool, quiet: bool, made: str | None = None
) -> Iterator[tuple[Callable[[int, int, str], None] | None, Callable[[Progress], None] | None]]:
    """Have progress shown: a line a file where asked for, else a bar, on a terminal only.

    ``made`` is a folder that was not there before, which the first of those lines follows.
    """

    def say(done: int, total: int, url: str) -> None:
        if done == 1 and made is not None:
            click.echo(f"Created save_dir: {made}")
        click.echo(f"Finished {done} of {total}: {one_line(url)}")

    if verbose or quiet or not sys.stderr.isatty():
        yield (say if verbose else None), None
        return
    room = line_columns() - len(" 100%  ")
    bar = open_bar(
        "",
        text_columns=_LONGEST_WORDS,
        show_eta=False,
        item_show_func=lambda shown: shown and _in_words(shown)[:room],
    )

    def move(progress: Progress) -> None:
        bar.length = max(progress.size_bytes_in_all or 1, 1)
        bar.update(progress.size_bytes - bar.pos, progress)

    with bar:
        yield None, move


def _in_words(progress: Progress) -> str:
    words = [
        f"{progress.files}/{describe_count(progress.files_in_all, 'files')}",
        describe_bytes(progress.size_bytes),
        f"{describe_bytes(progress.bytes_per_second)}/s",
    ]
    if progress.seconds_left is not None:
        hours, seconds = divmod(round(progress.seconds_left), 3600)
        words.append(f"{hours}:{seconds // 60:02d}:{seconds % 60:02d} left")
    return ", ".join(words)


def _write_failed(done: Manifest, layout: str | None, path: Path) -> bool:
    """Write the addresses that may come another time, in a form that --download takes; or remove old ones.

    Returns whether there are any.
    """
    urls = [failure.url for failure in done.failures if not isinstance(failure.error, RefusedAddressError)]
    if not urls or not done.directory.is_dir():
        path.unlink(missing_ok=True)
        return False
    head = f"{LAYOUT_NOTE}{layout}\n" if layout else ""
    lines = "".join(f"{url}\n" for url in urls)
    path.write_text(head + lines, encoding="utf-8", errors="surrogateescape")
    return True
