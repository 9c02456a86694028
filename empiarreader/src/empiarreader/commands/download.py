"""``empiarreader download``: the published way to save the files of a list, and an entry or a part of one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empiarreader.byteunits import describe_bytes, parse_bytes
from empiarreader.commands.exit_codes import SOME_FAILED, exit_code
from empiarreader.commands.lists import read_addresses
from empiarreader.commands.parts import Part, part_option
from empiarreader.commands.published import PublishedDownload
from empiarreader.downloading.manifest import FAILED_NAME, Manifest, as_json_lines
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError, RefusedAddressError
from empiarreader.printable import printable

if TYPE_CHECKING:
    from empiarreader.downloading.progress import Progress
    from empiarreader.downloading.selecting import Downloadable
    from empiarreader.listing.tree import ArchiveFile

KINDS = ("movies", "micrographs", "gains", "particles", "coordinates", "tilt_series", "metadata")
_LAYOUT_NOTE = "# layout: "
_DOWNLOAD_COMMAND_HELP = """\
\b
$ empiarreader download --download found.txt --save_dir maps --verbose
$ empiarreader download 10943 "data/**/*.mrc" --to maps
$ empiarreader download 10934 --kind gains --to . --dry-run

Save files of the archive: those of a list, as `empiarreader search --save_search` writes it, or those of an
entry: all, those that a pattern selects, a kind, an imageset. Files of a list are saved side by side; for
those of an entry its directories are kept.

Files are saved whole or not at all. Run the same command again to go on after an interruption: what is
there and unchanged is not fetched again. Checksums are in empiarreader-manifest.jsonl in the folder, and
addresses that failed in empiarreader-failed.txt, which --download takes.
"""


def transfer_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how files move."""
    for option in (
        click.option("--quiet", "-q", is_flag=True, help="Say nothing but failures."),
        click.option("--verbose", "-v", is_flag=True, help="Say what is done."),
        click.option(
            "--overwrite", is_flag=True, help="Replace files of unknown origin that are in the way."
        ),
        click.option("--limit-rate", help="Take no more than this a second, in all: 20M, 500k."),
        click.option(
            "--protocol",
            type=click.Choice(["https", "ftp"]),
            default="https",
            show_default=True,
            help="Door of the archive.",
        ),
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


@click.command(
    "download",
    cls=PublishedDownload,
    help=_DOWNLOAD_COMMAND_HELP,
    short_help="Save files of a list, an entry or a part of one.",
)
@click.argument("entry", required=False)
@click.argument("patterns", nargs=-1)
@click.option(
    "--download",
    "addresses",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File of addresses, one a line; - reads them from standard input.",
)
@click.option(
    "--manifest",
    type=click.Path(exists=True),
    help="Somebody's manifest, or the folder it is in: fetch what it lists, and check by its SHA-256.",
)
@click.option("--save_dir", "--to", "save_dir", required=True, type=click.Path(), help="Folder to save in.")
@click.option("--dir", "--directory", "directory", default="", help="Directory of the entry to begin in.")
@click.option("--imageset", help="Take the files of the imageset of this name.")
@click.option("--kind", type=click.Choice(KINDS), help="Take files of this kind alone.")
@click.option("--regexp", is_flag=True, help="Take patterns as regular expressions.")
@click.option(
    "--layout", type=click.Choice(["flat", "tree", "archive"]), help="Directories below the folder."
)
@part_option("Fetch")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and fetch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was saved, one JSON object a file.")
@transfer_options
@click.pass_context
def download_command(
    ctx: click.Context,
    entry: str | None,
    patterns: tuple[str, ...],
    addresses: str | None,
    manifest: str | None,
    save_dir: str,
    directory: str,
    imageset: str | None,
    kind: str | None,
    regexp: bool,
    layout: str | None,
    part: Part | None,
    dry_run: bool,
    as_json: bool,
    workers: int,
    protocol: str,
    limit_rate: str | None,
    overwrite: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Save files of a list, an entry or a part of one."""
    if sum(source is not None for source in (entry, addresses, manifest)) != 1:
        raise click.UsageError("Give an ENTRY, a --download list or a --manifest: one of them.")
    rate = parse_rate(limit_rate)
    files: Sequence[str | ArchiveFile] | Manifest
    if addresses is not None:
        files, noted = _read_list(addresses)
        layout = layout or noted
    elif manifest is not None:
        files = Manifest.read(manifest)
    else:
        files = _find(str(entry), patterns, directory, imageset, kind, regexp, protocol)
    wanted: Downloadable = files if part is None else _share(files, part)
    if dry_run:
        _show_plan(ctx, wanted, save_dir, layout)
        return
    made = None if Path(save_dir).exists() else save_dir
    with watching(verbose=verbose and not as_json, quiet=quiet, made=made) as (progress, watch):
        from empiarreader.downloading.download import download

        done = download(
            wanted,
            save_dir,
            workers=workers,
            protocol=protocol,
            layout=layout,
            overwrite=overwrite,
            bytes_per_second=rate,
            progress=progress,
            watch=watch,
        )
    if as_json and done.files:
        click.echo(as_json_lines(done.files))
    if not quiet:
        size = sum(file.size for file in done.files)
        click.echo(f"{len(done.files)} files, {size} bytes, are in {save_dir}", err=True)
    conclude(ctx, done, layout if addresses is not None else layout or "tree", part=part)


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
    # Jobs that have a share each do not replace one another's lists.
    name = FAILED_NAME if part is None else FAILED_NAME.replace(".", f"-{part.number}-of-{part.count}.")
    _write_failed(done, layout, name)
    if not done.failures:
        return
    total = len(done.files) + len(done.failures)
    click.echo(f"{len(done.failures)} of {total} failed:", err=True)
    for failure in done.failures:
        click.echo(f"  {failure.error}", err=True)
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
        click.echo(f"Finished {done} of {total}: {printable(url)}")

    if verbose or quiet or not sys.stderr.isatty():
        yield (say if verbose else None), None
        return
    bar: Any = click.progressbar(
        length=1, file=sys.stderr, show_eta=False, item_show_func=lambda shown: shown and _in_words(shown)
    )

    def move(progress: Progress) -> None:
        bar.length = max(progress.size_bytes_in_all or 1, 1)
        bar.update(progress.size_bytes - bar.pos, progress)

    with bar:
        yield None, move


def _in_words(progress: Progress) -> str:
    words = [
        f"{progress.files}/{progress.files_in_all} files",
        describe_bytes(progress.size_bytes),
        f"{describe_bytes(progress.bytes_per_second)}/s",
    ]
    if progress.seconds_left is not None:
        hours, seconds = divmod(round(progress.seconds_left), 3600)
        words.append(f"{hours}:{seconds // 60:02d}:{seconds % 60:02d} left")
    return ", ".join(words)


def _find(
    entry: str,
    patterns: tuple[str, ...],
    directory: str,
    imageset: str | None,
    kind: str | None,
    regexp: bool,
    protocol: str,
) -> list[ArchiveFile]:
    """Return the files of an entry that are meant, each once."""
    from empiarreader.entry import EmpiarEntry

    where = EmpiarEntry(entry, protocol=protocol)
    if imageset is not None:
        directory = _directory_of(where, imageset)
    if patterns:
        lists = [where.find(one, directory=directory, regexp=regexp, kind=kind) for one in patterns]
    else:
        lists = [where.files(kind=kind, directory=directory)]
    found = {file.path: file for files in lists for file in files}
    if not found:
        wanted = ", ".join(map(repr, patterns)) or f"kind {kind}"
        raise ArchiveFileNotFoundError(f"no file in {where.accession} matches {wanted}")
    return [found[path] for path in sorted(found)]


def _share(files: Sequence[str | ArchiveFile] | Manifest, part: Part) -> Downloadable:
    if isinstance(files, Manifest):
        return replace(files, files=tuple(part.of(files.files)))
    return part.of(files)


def _directory_of(entry: Any, name: str) -> str:
    found = [imageset for imageset in entry.imagesets if imageset.name == name]
    if len(found) != 1:
        names = ", ".join(repr(imageset.name) for imageset in entry.imagesets)
        many = f"{len(found)} imagesets" if found else "no imageset"
        raise InvalidRequestError(f"{entry.accession} has {many} of the name {name!r}; there are {names}")
    return str(found[0].directory)


def _read_list(name: str) -> tuple[list[str], str | None]:
    """Return the addresses in a list, and the layout that a list of failures notes."""
    urls, remarks = read_addresses(name)
    noted = next((line.removeprefix(_LAYOUT_NOTE) for line in remarks if line.startswith(_LAYOUT_NOTE)), None)
    return urls, noted


def _show_plan(ctx: click.Context, files: Downloadable, save_dir: str, layout: str | None) -> None:
    from empiarreader.downloading.planning import plan_download

    plan = plan_download(files, save_dir, layout=layout)
    click.echo(printable(plan.describe()))
    for failure in plan.failures:
        click.echo(f"  {failure.error}", err=True)
    if plan.failures:
        ctx.exit(SOME_FAILED)


def _write_failed(done: Manifest, layout: str | None, name: str) -> None:
    """Write the addresses that may come another time, in a form that --download takes; or remove old ones."""
    path = done.directory / name
    urls = [failure.url for failure in done.failures if not isinstance(failure.error, RefusedAddressError)]
    if urls and done.directory.is_dir():
        head = f"{_LAYOUT_NOTE}{layout}\n" if layout else ""
        path.write_text(
            head + "".join(f"{url}\n" for url in urls), encoding="utf-8", errors="surrogateescape"
        )
    else:
        path.unlink(missing_ok=True)
