"""``empiarreader info``, ``ls`` and ``find``: one entry, what it says about itself and what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from empiarreader.entry import EmpiarEntry
from empiarreader.errors import ArchiveFileNotFoundError
from empiarreader.printable import printable
from empiarreader.records import Imageset
from empiarreader.tree import ArchiveFile

_INFO_COMMAND_HELP = """\
\b
$ empiarreader info 10943

Show title, size, references and imagesets of an entry.
"""
_LS_COMMAND_HELP = """\
\b
$ empiarreader ls 10934 data
$ empiarreader ls -R 10934 data --json

List files and directories of an entry, by path.

Directories end with a slash. Sizes in JSON are rounded to three figures, as the archive shows them.
"""
_FIND_COMMAND_HELP = """\
\b
$ empiarreader find 10943 "data/**/*.mrc" --limit 1 --json

Find files of an entry by a glob over their paths.

* and ? stay within one name, ** stands for any directories. Directories that cannot hold a match are not
listed.
"""


@click.command("info", help=_INFO_COMMAND_HELP, short_help="Show what an entry says about itself.")
@click.argument("entry")
@click.option("--json", "as_json", is_flag=True, help="Print everything that the API says, as JSON.")
def info_command(entry: str, as_json: bool) -> None:
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


@click.command("ls", help=_LS_COMMAND_HELP, short_help="List a directory of an entry.")
@click.argument("entry")
@click.argument("directory", default="")
@click.option("--recursive", "-R", is_flag=True, help="List all directories below it, too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def ls_command(entry: str, directory: str, recursive: bool, as_json: bool) -> None:
    """List a directory of an entry."""
    found = EmpiarEntry(entry)
    listed = list(found.walk(directory)) if recursive else [found.list_directory(directory)]
    lines: list[tuple[str, dict[str, Any]]] = []
    for part in listed:
        lines += [(f"{path}/", {"path": f"{path}/"}) for path in part.directories]
        lines += [(file.path, _as_dict(file)) for file in part.files]
    for path, record in sorted(lines, key=lambda line: line[0]):
        click.echo(json.dumps(record) if as_json else printable(path))


@click.command("find", help=_FIND_COMMAND_HELP, short_help="Find files anywhere in an entry.")
@click.argument("entry")
@click.argument("pattern")
@click.option("--dir", "directory", default="", help="Directory to begin in.")
@click.option("--regexp", is_flag=True, help="Take the pattern as a regular expression.")
@click.option("--limit", type=click.IntRange(1), help="Print no more than this many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def find_command(
    entry: str, pattern: str, directory: str, regexp: bool, limit: int | None, as_json: bool
) -> None:
    """Find files anywhere in an entry."""
    files = EmpiarEntry(entry).find(pattern, directory=directory, regexp=regexp)
    if not files:
        raise ArchiveFileNotFoundError(f"no file in entry {entry} matches {pattern!r}")
    _print_files(files[:limit], as_json=as_json)


def _print_files(files: Iterable[ArchiveFile], *, as_json: bool) -> None:
    for file in files:
        click.echo(json.dumps(_as_dict(file)) if as_json else printable(file.path))


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
