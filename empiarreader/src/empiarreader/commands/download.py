"""``empiarreader download``: the published way to save the files of a list, and an entry or a part of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empiarreader.byteunits import describe_bytes, describe_files
from empiarreader.commands.exit_codes import SOME_FAILED
from empiarreader.commands.finding import find_files, selecting_options
from empiarreader.commands.lists import read_addresses
from empiarreader.commands.parts import Part, part_option
from empiarreader.commands.published import PublishedDownload
from empiarreader.commands.terminal import progress
from empiarreader.commands.transferring import (
    LAYOUT_NOTE,
    conclude,
    not_empty,
    parse_rate,
    transfer_options,
    watching,
)
from empiarreader.errors import InvalidRequestError
from empiarreader.printable import one_line

if TYPE_CHECKING:
    from empiarreader.downloading.manifest import Manifest
    from empiarreader.downloading.selecting import Downloadable
    from empiarreader.listing.tree import ArchiveFile

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
@click.option(
    "--save_dir",
    "--to",
    "save_dir",
    required=True,
    type=click.Path(),
    callback=not_empty,
    help="Folder to save in.",
)
@click.option("--imageset", help="Take the files of the imageset of this name.")
@selecting_options
@click.option(
    "--layout",
    type=click.Choice(["flat", "tree", "archive"]),
    help="flat: side by side, as a list is saved; tree: with the directories of the entry, as an entry is; "
    "archive: below its number, too.",
)
@part_option("Fetch")
@click.option("--dry-run", is_flag=True, help="Say what would be fetched, and fetch nothing.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print what was saved (or would be) as JSON.",
)
@transfer_options
@click.pass_context
def download_command(
    ctx: click.Context,
    /,
    entry: str | None,
    patterns: tuple[str, ...],
    addresses: str | None,
    manifest: str | None,
    save_dir: str,
    imageset: str | None,
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
    **selected: Any,
) -> None:
    """Save files of a list, an entry or a part of one."""
    if sum(source is not None for source in (entry, addresses, manifest)) != 1:
        raise click.UsageError("Give an ENTRY, a --download list or a --manifest: one of them.")
    if entry is None and (imageset or any(selected.values())):
        raise click.UsageError(
            "--dir, --imageset, --kind, --regexp and --ignore-case select among the files of an ENTRY; of a "
            "list or a manifest, everything is fetched."
        )
    if imageset is not None and selected["directory"]:
        raise click.UsageError("Give --imageset or --dir: an imageset has a directory of its own.")
    rate = parse_rate(limit_rate)
    files: Sequence[str | ArchiveFile] | Manifest
    if addresses is not None:
        files, noted = _read_list(addresses)
        layout = layout or noted
    elif manifest is not None:
        from empiarreader.downloading.manifest import Manifest

        files = Manifest.read(manifest)
    else:
        files = _find(str(entry), patterns, imageset, protocol, quiet=quiet, **selected)
    wanted: Downloadable = files if part is None else _share(files, part)
    if dry_run:
        _show_plan(ctx, wanted, save_dir, layout, as_json=as_json)
        return
    made = None if Path(save_dir).exists() else save_dir
    with watching(verbose=verbose and not as_json, quiet=quiet, made=made) as (told, watch):
        from empiarreader.downloading.download import download

        done = download(
            wanted,
            save_dir,
            workers=workers,
            protocol=protocol,
            layout=layout,
            overwrite=overwrite,
            bytes_per_second=rate,
            progress=told,
            watch=watch,
        )
    if as_json and done.files:
        from empiarreader.downloading.manifest import as_json_lines

        click.echo(as_json_lines(done.files))
    if not quiet:
        size = describe_bytes(sum(file.size for file in done.files))
        click.echo(one_line(f"{describe_files(len(done.files))}, {size}, in {save_dir}"), err=True)
    conclude(ctx, done, layout if addresses is not None else layout or "tree", part=part)


def _find(
    entry: str,
    patterns: tuple[str, ...],
    imageset: str | None,
    protocol: str,
    *,
    quiet: bool,
    **selected: Any,
) -> list[ArchiveFile]:
    """Return the files of an entry that are meant."""
    from empiarreader.entry import EmpiarEntry

    with progress("directories", quiet=quiet) as tell:
        where = EmpiarEntry(entry, protocol=protocol, progress=tell)
        if imageset is not None:
            selected["directory"] = _directory_of(where, imageset)
        return find_files(where, patterns, **selected)


def _share(files: Sequence[str | ArchiveFile] | Manifest, part: Part) -> Downloadable:
    from empiarreader.downloading.manifest import Manifest

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
    noted = next((line.removeprefix(LAYOUT_NOTE) for line in remarks if line.startswith(LAYOUT_NOTE)), None)
    return urls, noted


def _show_plan(
    ctx: click.Context, files: Downloadable, save_dir: str, layout: str | None, *, as_json: bool
) -> None:
    from empiarreader.downloading.planning import plan_download

    plan = plan_download(files, save_dir, layout=layout)
    if as_json:
        failures = [{"url": failure.url, "error": str(failure.error)} for failure in plan.failures]
        click.echo(json.dumps({**vars(plan), "directory": str(plan.directory), "failures": failures}))
    else:
        click.echo(one_line(plan.describe()))
    for failure in plan.failures:
        click.echo(f"  {failure.error}", err=True)
    if plan.failures:
        ctx.exit(SOME_FAILED)
