"""``empiarreader verify`` and ``empiarreader mirror``: what was downloaded, checked and kept in step."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from empiarreader.byteunits import describe_files
from empiarreader.commands.exit_codes import DAMAGED, NOT_FOUND
from empiarreader.commands.terminal import progress
from empiarreader.commands.transferring import conclude, not_empty, parse_rate, transfer_options, watching
from empiarreader.errors import ArchiveFileNotFoundError
from empiarreader.printable import one_line

_VERIFY_COMMAND_HELP = """\
\b
$ empiarreader verify maps

Check a folder against the manifest in it: every file is read and hashed again.

Prints what is missing, changed (somebody has written to it), damaged (nobody has, and its bytes are others)
or extra (the manifest does not know it). Ends with 5 if anything is damaged or changed, else with 3 if
anything is missing, else with 0.
"""
_MIRROR_COMMAND_HELP = """\
\b
$ empiarreader mirror 10943 /data/empiar "data/**/*.mrc"
$ EMPIARREADER_MIRROR=/data/empiar python analysis.py

Bring a folder into step with an entry, or with the files of it that a pattern selects.

Fetches what is new or has changed, and prints what the archive has withdrawn; --delete removes that. Files
lie as in the archive, ENTRY/data/..., so that EMPIARREADER_MIRROR can name the folder.
"""


@click.command("verify", help=_VERIFY_COMMAND_HELP, short_help="Check a folder against its manifest.")
@click.argument("directory", type=click.Path(exists=True, file_okay=False))
@click.option("--workers", type=click.IntRange(1, 256), help="Files to read at once. Default: processors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
@click.option("--verbose", "-v", is_flag=True, help="Name the files that are as they were, too.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but what is wrong.")
@click.pass_context
def verify_command(
    ctx: click.Context, directory: str, workers: int | None, as_json: bool, verbose: bool, quiet: bool
) -> None:
    """Check a folder against its manifest."""
    from empiarreader.downloading.verifying import verify

    with progress("bytes", quiet=quiet) as tell:
        found = verify(directory, workers=workers, progress=tell)
    states = {"missing": found.missing, "changed": found.changed, "damaged": found.damaged}
    named = {"whole": found.whole, **states} if verbose or as_json else states
    records = [{"state": state, **asdict(file)} for state, files in named.items() for file in files]
    records += [{"state": "extra", "path": path} for path in found.extra]
    for record in records:
        click.echo(json.dumps(record) if as_json else one_line(f"{record['state']}: {record['path']}"))
    if not quiet:
        counts = ", ".join(f"{len(files)} {state}" for state, files in states.items())
        whole = describe_files(len(found.whole))
        click.echo(f"{whole} unchanged, {counts}, {len(found.extra)} extra", err=True)
    if found.damaged or found.changed:
        ctx.exit(DAMAGED)
    if found.missing:
        ctx.exit(NOT_FOUND)


@click.command("mirror", help=_MIRROR_COMMAND_HELP, short_help="Keep a folder in step with an entry.")
@click.argument("entry")
@click.argument("directory", type=click.Path(file_okay=False), callback=not_empty)
@click.argument("pattern", required=False)
@click.option("--regexp", is_flag=True, help="Take the pattern as a regular expression.")
@click.option("--delete", is_flag=True, help="Remove what the archive has withdrawn.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file that came or is gone.")
@transfer_options
@click.pass_context
def mirror_command(
    ctx: click.Context,
    entry: str,
    directory: str,
    pattern: str | None,
    regexp: bool,
    delete: bool,
    as_json: bool,
    workers: int,
    protocol: str,
    limit_rate: str | None,
    overwrite: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Keep a folder in step with an entry."""
    from empiarreader.downloading.mirroring import mirror

    with watching(verbose=verbose and not as_json, quiet=quiet) as (told, watch):
        done = mirror(
            entry,
            directory,
            pattern,
            regexp=regexp,
            delete=delete,
            overwrite=overwrite,
            workers=workers,
            protocol=protocol,
            bytes_per_second=parse_rate(limit_rate),
            progress=told,
            watch=watch,
        )
    if pattern is not None and not (done.manifest.files or done.manifest.failures or done.withdrawn):
        raise ArchiveFileNotFoundError(f"no file of entry {entry} matches {pattern!r}, and none did")
    gone = "removed" if done.removed else "withdrawn"
    for state, files in (("new", done.new), ("changed", done.changed), (gone, done.withdrawn)):
        for file in files:
            if as_json:
                click.echo(json.dumps({"state": state, **asdict(file)}))
            elif state == gone or verbose:
                click.echo(f"{state}: {one_line(file.path)}")
    if not quiet:
        click.echo(done.describe(), err=True)
    conclude(ctx, done.manifest, "archive")
