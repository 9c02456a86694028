"""``empiarreader info``, ``ls`` and ``find``: one entry, what it says about itself and what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from empiarreader.addresses import normalise_path
from empiarreader.byteunits import describe_bytes
from empiarreader.commands.finding import count_line, find_files, protocol_option, selecting_options
from empiarreader.commands.parts import Part, part_option
from empiarreader.commands.terminal import progress, say, speaking_options
from empiarreader.errors import ArchiveFileNotFoundError
from empiarreader.printable import one_line

if TYPE_CHECKING:
    from empiarreader.entry import EmpiarEntry
    from empiarreader.listing.tree import ArchiveFile
    from empiarreader.metadata.records import Imageset

Command = Callable[..., None]

_INFO_COMMAND_HELP = """\
\b
$ empiarreader info 10943
$ empiarreader info 10943 --check

Show title, size, references and imagesets of an entry.

With --check, also count the images that the archive lists for each imageset.
"""
_LS_COMMAND_HELP = """\
\b
$ empiarreader ls 10934 data
$ empiarreader ls -R 10934 data --json
$ empiarreader ls -l 10934 data --exact
$ empiarreader ls -R 10934 --count

List files and directories of an entry, by path, or one file.

Directories end with a slash. The archive's pages show sizes rounded to three figures, marked with ~ here;
--exact asks for each, and --protocol ftp gets them with the listing.
"""
_FIND_COMMAND_HELP = """\
\b
$ empiarreader find 10943 "data/**/*.mrc" --limit 1 --json
$ empiarreader find 10934 --kind gains
$ empiarreader find 10943 "data/**/*.mrc" "data/**/*.tif" --ignore-case --count

Find files of an entry by globs over their paths, by kind, or by both.

* and ? stay within one name, ** stands for any directories. Directories that cannot hold a match are not
listed.
"""


@click.command("info", help=_INFO_COMMAND_HELP, short_help="Show what an entry says about itself.")
@click.argument("entry")
@click.option("--check", is_flag=True, help="Count the images of each imageset in the archive.")
@click.option("--json", "as_json", is_flag=True, help="Print everything that the API says, as JSON.")
@speaking_options
def info_command(entry: str, check: bool, as_json: bool, quiet: bool) -> None:
    """Show what an entry says about itself."""
    if as_json and check:
        raise click.UsageError("--json prints what the API says, and --check what the archive holds.")
    with progress("directories", quiet=quiet) as tell:
        found = _entry(entry, tell=tell)
        if as_json:
            click.echo(json.dumps(found.record))
            return
        for line in _lines_about(found):
            click.echo(one_line(line))
        counts = found.count_images() if check else ()
    for count in counts:
        click.echo(one_line(count.describe()))


def _listing_options(command: Command) -> Command:
    """Add the options that ``ls`` and ``find`` share."""
    options = (
        click.option("--long", "-l", "long", is_flag=True, help="Print size and date before each path."),
        click.option("--exact", is_flag=True, help="Ask for the exact size of each file."),
        click.option("--count", is_flag=True, help="Print how many files there are, and their size."),
        click.option("--limit", type=click.IntRange(1), help="Print no more than this many."),
        click.option("--refresh", is_flag=True, help="Ask for listings that are kept from the last hour."),
        protocol_option("Door of the archive to list through."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
        speaking_options,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("ls", help=_LS_COMMAND_HELP, short_help="List a directory of an entry.")
@click.argument("entry")
@click.argument("directory", default="")
@click.option("--recursive", "-R", is_flag=True, help="List all directories below it, too.")
@_listing_options
def ls_command(
    entry: str,
    directory: str,
    recursive: bool,
    protocol: str,
    refresh: bool,
    long: bool,
    limit: int | None,
    count: bool,
    exact: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """List a directory of an entry."""
    with progress("directories", quiet=quiet) as tell:
        listed = _list(_entry(entry, protocol, refresh, tell), directory, recursive)
    if count:
        files = [file for file in listed.values() if file is not None]
        click.echo(count_line(_sized(files, exact, quiet), as_json=as_json))
        return
    paths = sorted(listed)[:limit]
    files = [file for path in paths if (file := listed[path]) is not None]
    sized = {file.path: file for file in _sized(files, exact, quiet)}
    for path in paths:
        click.echo(_line(path, sized.get(path), long, as_json))
    _tell_limit(len(paths), len(listed), quiet)


@click.command("find", help=_FIND_COMMAND_HELP, short_help="Find files anywhere in an entry.")
@click.argument("entry")
@click.argument("patterns", nargs=-1)
@selecting_options
@part_option("Print")
@_listing_options
def find_command(
    entry: str,
    patterns: tuple[str, ...],
    part: Part | None,
    protocol: str,
    refresh: bool,
    long: bool,
    limit: int | None,
    count: bool,
    exact: bool,
    as_json: bool,
    quiet: bool,
    **selected: Any,
) -> None:
    """Find files anywhere in an entry."""
    if not patterns and selected["kind"] is None:
        raise click.UsageError("Give a pattern, a --kind, or both; `empiarreader ls -R` lists everything.")
    with progress("directories", quiet=quiet) as tell:
        files: Sequence[ArchiveFile] = find_files(
            _entry(entry, protocol, refresh, tell), patterns, **selected
        )
    chosen = files if part is None else part.of(files)
    shown = _sized(chosen if count else chosen[:limit], exact, quiet)
    if count:
        click.echo(count_line(shown, as_json=as_json))
        return
    for file in shown:
        click.echo(_line(file.path, file, long, as_json))
    _tell_limit(len(shown), len(chosen), quiet)


def _entry(
    entry: str,
    protocol: str = "https",
    refresh: bool = False,
    tell: Callable[[int, int], object] | None = None,
) -> EmpiarEntry:
    from empiarreader.entry import EmpiarEntry
    from empiarreader.listing.tree import LISTING_AGE_SECONDS

    age = 0.0 if refresh else LISTING_AGE_SECONDS
    return EmpiarEntry(entry, protocol=protocol, max_age_seconds=age, progress=tell)


def _list(entry: EmpiarEntry, path: str, recursive: bool) -> dict[str, ArchiveFile | None]:
    """Return what a directory holds, or the one file, by path; directories end with a slash and are None."""
    try:
        listed = list(entry.walk(path)) if recursive else [entry.list_directory(path)]
    except ArchiveFileNotFoundError:
        wanted = normalise_path(path)
        around = entry.list_directory(wanted.rpartition("/")[0])
        found = {file.path: file for file in around.files if file.path == wanted}
        if not found:
            raise
        return dict(found)
    directories = {f"{directory}/": None for part in listed for directory in part.directories}
    return directories | {file.path: file for part in listed for file in part.files}


def _sized(files: Sequence[ArchiveFile], exact: bool, quiet: bool) -> Sequence[ArchiveFile]:
    if not exact:
        return files
    from empiarreader.listing.sizes import with_exact_sizes

    with progress("sizes", quiet=quiet) as tell:
        return with_exact_sizes(files, tell)


def _line(path: str, file: ArchiveFile | None, long: bool, as_json: bool) -> str:
    """Return the line of a file, or of a directory where there is no file."""
    if as_json:
        return json.dumps({"path": path} if file is None else asdict(file))
    if not long:
        return one_line(path)
    size, modified = ("", "") if file is None else (_size(file), file.modified or "?")
    return f"{size:>15}  {modified:16}  {one_line(path)}"


def _size(file: ArchiveFile) -> str:
    """Return the size in bytes, or as the archive's page rounds it."""
    if file.size_bytes is not None:
        return str(file.size_bytes)
    rounded = file.approximate_size_bytes
    return "?" if rounded is None else f"~{describe_bytes(rounded)}"


def _tell_limit(shown: int, count: int, quiet: bool) -> None:
    if shown < count:
        say(f"{shown} of {count}; --limit {count} shows all", quiet=quiet)


def _lines_about(entry: EmpiarEntry) -> list[str]:
    lines = [f"{entry.accession}: {entry.title}", *_facts(entry)]
    for imageset in entry.imagesets:
        lines += [f"imageset: {imageset.name}", *(f"    {fact}" for fact in _imageset_facts(imageset))]
    return lines


def _facts(entry: EmpiarEntry) -> list[str]:
    references = [
        f"{archive.upper()} {name}" for archive, names in entry.references.items() for name in names
    ]
    facts = {
        "status": " ".join(filter(None, (entry.status, entry.release_date))),
        "size": entry.dataset_size,
        "experiment": entry.experiment_type,
        "doi": entry.doi,
        "authors": ", ".join(entry.authors),
        "references": ", ".join(references),
        "citation": entry.citation.title if entry.citation else "",
        "address": entry.url,
    }
    return [f"{name}: {value}" for name, value in facts.items() if value]


def _imageset_facts(imageset: Imageset) -> list[str]:
    pixels = imageset.pixel_width_angstrom
    sizes = [imageset.image_width, imageset.image_height]
    facts = {
        "directory": imageset.directory,
        "category": imageset.category,
        "format": imageset.data_format,
        "images": imageset.count,
        "frames each": imageset.frames_per_image,
        "width x height": f"{sizes[0]} x {sizes[1]}" if all(sizes) else None,
        "pixel": f"{pixels} Å" if pixels is not None else None,
    }
    return [f"{name}: {value}" for name, value in facts.items() if value not in {None, ""}]
