"""``empiarreader info``, ``ls`` and ``find``: one entry, what it says about itself and what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

import click

from empiarreader.commands.counting import count_line, deeper_hint
from empiarreader.commands.parts import Part, part_option
from empiarreader.commands.terminal import say, speaking_options
from empiarreader.entry import EmpiarEntry
from empiarreader.errors import ArchiveFileNotFoundError
from empiarreader.listing.kinds import Kind
from empiarreader.listing.sizes import with_exact_sizes
from empiarreader.listing.tree import LISTING_AGE_SECONDS, ArchiveFile
from empiarreader.metadata.records import Imageset
from empiarreader.printable import printable

Command = Callable[..., None]

KINDS = get_args(Kind)

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

List files and directories of an entry, by path.

Directories end with a slash. The archive's pages show sizes rounded to three figures, marked with ~ here;
--exact asks for each, and --protocol ftp gets them with the listing.
"""
_FIND_COMMAND_HELP = """\
\b
$ empiarreader find 10943 "data/**/*.mrc" --limit 1 --json
$ empiarreader find 10934 --kind gains
$ empiarreader find 10943 "data/**/*.mrc" --count

Find files of an entry by a glob over their paths, by kind, or by both.

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
    found = EmpiarEntry(entry)
    if as_json:
        click.echo(json.dumps(found.record))
        return
    for line in (f"{found.accession}: {found.title}", *_facts(found)):
        click.echo(printable(line))
    for imageset in found.imagesets:
        click.echo(printable(f"imageset: {imageset.name}"))
        for line in _imageset_facts(imageset):
            click.echo(printable(f"    {line}"))
    for count in found.count_images() if check else ():
        click.echo(printable(count.describe()))


def _listing_options(command: Command) -> Command:
    """Add the options that ``ls`` and ``find`` share."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
        click.option("--exact", is_flag=True, help="Ask for the exact size of each file."),
        click.option("--refresh", is_flag=True, help="Ask for listings that are kept from the last hour."),
        click.option("--long", "-l", "long", is_flag=True, help="Print size and date before each path."),
        click.option("--limit", type=click.IntRange(1), help="Print no more than this many."),
        click.option("--count", is_flag=True, help="Print how many files there are, and their size."),
        click.option(
            "--protocol",
            type=click.Choice(["https", "ftp"]),
            default="https",
            show_default=True,
            help="Door of the archive to list through.",
        ),
    ):
        command = option(command)
    return speaking_options(command)


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
    found = _entry(entry, protocol, refresh)
    listed = list(found.walk(directory)) if recursive else [found.list_directory(directory)]
    files = [file for part in listed for file in part.files]
    if count:
        click.echo(count_line(with_exact_sizes(files) if exact else files, as_json=as_json))
        return
    directories = [f"{path}/" for part in listed for path in part.directories]
    shown = set(sorted([*directories, *(file.path for file in files)])[:limit])
    files = [file for file in files if file.path in shown]
    lines = {path: _directory_line(path, long, as_json) for path in directories if path in shown}
    lines |= {file.path: _line(file, long, as_json) for file in (with_exact_sizes(files) if exact else files)}
    for _, line in sorted(lines.items()):
        click.echo(line)
    _tell_limit(len(lines), sum(len(part.files) + len(part.directories) for part in listed), quiet)


@click.command("find", help=_FIND_COMMAND_HELP, short_help="Find files anywhere in an entry.")
@click.argument("entry")
@click.argument("pattern", required=False)
@click.option("--kind", type=click.Choice(KINDS), help="Print files of this kind alone.")
@click.option("--dir", "directory", default="", help="Directory to begin in.")
@click.option("--regexp", is_flag=True, help="Take the pattern as a regular expression.")
@part_option("Print")
@_listing_options
def find_command(
    entry: str,
    pattern: str | None,
    kind: str | None,
    directory: str,
    regexp: bool,
    part: Part | None,
    protocol: str,
    refresh: bool,
    long: bool,
    limit: int | None,
    count: bool,
    exact: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find files anywhere in an entry."""
    if pattern is None and kind is None:
        raise click.UsageError("Give a pattern, a --kind, or both.")
    where = _entry(entry, protocol, refresh)
    if pattern is None:
        files = where.files(kind=kind, directory=directory)
    else:
        files = where.find(pattern, directory=directory, regexp=regexp, kind=kind)
    if not files:
        wanted = " and ".join(filter(None, (pattern and repr(pattern), kind and f"the kind {kind}")))
        raise ArchiveFileNotFoundError(
            f"no file in entry {entry} matches {wanted}{deeper_hint(pattern, regexp)}"
        )
    chosen = files if part is None else part.of(files)
    shown = chosen if count else chosen[:limit]
    shown = with_exact_sizes(shown) if exact else shown
    if count:
        click.echo(count_line(shown, as_json=as_json))
        return
    for file in shown:
        click.echo(_line(file, long, as_json))
    _tell_limit(len(shown), len(chosen), quiet)


def _entry(entry: str, protocol: str, refresh: bool) -> EmpiarEntry:
    return EmpiarEntry(entry, protocol=protocol, max_age_seconds=0 if refresh else LISTING_AGE_SECONDS)


def _line(file: ArchiveFile, long: bool, as_json: bool) -> str:
    if as_json:
        return json.dumps(_as_dict(file))
    if not long:
        return printable(file.path)
    rounded = "?" if file.approximate_size_bytes is None else f"~{file.approximate_size_bytes}"
    size = rounded if file.size_bytes is None else str(file.size_bytes)
    return f"{size:>15}  {file.modified or '?':16}  {printable(file.path)}"


def _directory_line(path: str, long: bool, as_json: bool) -> str:
    if as_json:
        return json.dumps({"path": path})
    return f"{'':15}  {'':16}  {printable(path)}" if long else printable(path)


def _tell_limit(shown: int, count: int, quiet: bool) -> None:
    if shown < count:
        say(f"{shown} of {count}; --limit {count} shows all", quiet=quiet)


def _as_dict(file: ArchiveFile) -> dict[str, Any]:
    return asdict(file)


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
