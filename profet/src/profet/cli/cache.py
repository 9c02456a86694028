"""``profet cache``: what lies in the verified cache, whether it is whole, and what may go."""

from __future__ import annotations

import json
import re

import click

from profet import housekeeping
from profet.cli.terminal import complain, printable, speaking_options
from profet.counting import counted
from profet.housekeeping import CacheEntry, Removed

_DAMAGED = 5
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)i?B?\s*", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_HELP = """\b
$ profet cache ls
$ profet cache verify
$ profet cache prune --older-than 90 --max-size 20G

Look after the cache: the files that profet keeps in the hidden folder .profet of PROFET_CACHE_DIR
(~/.cache/pdb unless set). Saved files such as 4v1w.cif are yours, and are left alone.
"""

_LS = """\b
$ profet cache ls
$ profet cache ls --json > kept.jsonl

List what is kept: source, file, bytes on disk, date and version; with -v also the address.
"""
_VERIFY = """\b
$ profet cache verify

Read everything that is kept, and compare it with the sha256 recorded when it came.
"""
_PRUNE = """\b
$ profet cache prune
$ profet cache prune --older-than 90 --max-size 20G --damaged

Remove what killed processes left behind, and what the options name.
"""
_CLEAR = """\b
$ profet cache clear --yes

Remove everything that is kept. Files that were saved under their names stay.
"""


def size_bytes(text: str) -> int:
    """Read a size as people write it; a kilobyte has 1024 bytes.

    Examples
    --------
    >>> size_bytes("20G"), size_bytes("1.5 MB"), size_bytes("100")
    (21474836480, 1572864, 100)
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!a} is no size; write it as 500M or 20G")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


@click.group("cache", help=_HELP, short_help="List, verify, prune or clear the cache.")
def cache() -> None:
    """Hold the subcommands."""


@cache.command("ls", help=_LS, short_help="List what is kept, with its origin.")
@speaking_options
def ls(as_json: bool, quiet: bool, verbose: bool) -> None:
    """List what is kept."""
    count = total = 0
    for entry in housekeeping.entries():
        count, total = count + 1, total + entry.size_bytes
        if as_json:
            click.echo(json.dumps(_record(entry)))
        elif not quiet:
            click.echo(_line(entry, with_url=verbose))
    if not (as_json or quiet):
        click.echo(f"{counted(count, 'files')}, {_shown(total)}", err=True)


@cache.command("verify", help=_VERIFY, short_help="Read everything again and compare checksums.")
@speaking_options
def verify(as_json: bool, quiet: bool, verbose: bool) -> None:
    """Read everything again."""
    count, damaged = 0, 0
    for entry, problem in housekeeping.verify():
        count, damaged = count + 1, damaged + (problem is not None)
        if as_json:
            click.echo(json.dumps({**_record(entry), "problem": problem}))
        if problem is not None:
            complain(f"{entry.path}: {problem}")
        elif verbose and not as_json:
            click.echo(f"{printable(str(entry.path))}: whole")
    if not (as_json or quiet):
        click.echo(f"whole: {count - damaged} of {counted(count, 'files')}")
    if damaged:
        complain(
            "damaged files do not count and will be fetched again; profet cache prune --damaged removes them"
        )
        raise SystemExit(_DAMAGED)


@cache.command("prune", help=_PRUNE, short_help="Remove leftovers, and what is too old or too much.")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="DAYS", help="Not confirmed for so long.")
@click.option("--max-size", metavar="SIZE", help="Oldest first, until no more is left: 500M, 20G.")
@click.option("--damaged", is_flag=True, help="What verify finds fault with.")
@speaking_options
def prune(
    older_than: float | None,
    max_size: str | None,
    damaged: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Remove some."""
    most = None if max_size is None else size_bytes(max_size)
    removed = housekeeping.prune(older_than_days=older_than, most_bytes=most, damaged=damaged)
    _tell(removed, as_json=as_json, quiet=quiet)


@cache.command("clear", help=_CLEAR, short_help="Remove everything that is kept.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@speaking_options
def clear(yes: bool, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Remove all."""
    if not yes:
        click.confirm("Remove all files from the cache?", abort=True, err=True)
    _tell(housekeeping.clear(), as_json=as_json, quiet=quiet)


def _tell(removed: Removed, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps({"files": removed.files, "size_bytes": removed.size_bytes}))
    elif not quiet:
        click.echo(f"removed {counted(removed.files, 'files')}, {_shown(removed.size_bytes)}")


def _line(entry: CacheEntry, *, with_url: bool) -> str:
    origin = entry.provenance
    words = [f"{entry.source}/{entry.name}", f"{entry.size_bytes}"]
    if origin is None:
        words.append("does not count: no sidecar")
    else:
        words += [f"{origin.current_at:%Y-%m-%d}", origin.source_version or origin.release or "-"]
        words += [origin.url] * with_url
    return printable("  ".join(words))


def _record(entry: CacheEntry) -> dict[str, object]:
    origin = entry.provenance
    return {
        "source": entry.source,
        "name": entry.name,
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "url": origin and origin.url,
        "retrieved": origin and origin.retrieved,
        "checked": origin and origin.checked,
        "version": origin and (origin.source_version or origin.release),
        "sha256": origin and origin.sha256,
    }


def _shown(size: float) -> str:
    """Write a size for people.

    Examples
    --------
    >>> _shown(100), _shown(1572864)
    ('100 bytes', '1.5 MiB')
    """
    units = ["bytes", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:.0f} bytes" if units[0] == "bytes" else f"{size:.1f} {units[0]}"
