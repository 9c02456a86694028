"""``empiarreader prefetch`` and ``empiarreader cache``: what lies on this disk."""

from __future__ import annotations

import json
from typing import Any

import click

from empiarreader import settings
from empiarreader.byteunits import describe_bytes, describe_files
from empiarreader.commands.exit_codes import SOME_FAILED, exit_code
from empiarreader.commands.finding import find_files, selecting_options
from empiarreader.commands.terminal import progress, say, speaking_options
from empiarreader.printable import one_line

_PREFETCH_HELP = """\
\b
$ empiarreader prefetch 10943 "data/**/*.mrc" --limit 10
$ EMPIARREADER_OFFLINE=1 python analysis.py

Fetch files of an entry into the cache, to be read from there later, also without a network.

Patterns are those of `empiarreader find`. Listings and metadata of the entry are kept, too.
"""
_CACHE_HELP = """\
\b
$ empiarreader cache ls
$ empiarreader cache clear

Show or empty the cache: whole files, unpacked files, listings, metadata and what was found out about files.
"""
_CACHE_LS_HELP = """\
\b
$ empiarreader cache ls --json

List the files in the cache, last used first: size in bytes, last use, kind and address.

The sum, and the limit (EMPIARREADER_CACHE_SIZE), go to stderr.
"""
_CACHE_CLEAR_HELP = """\
\b
$ empiarreader cache clear

Remove everything from the cache. Programs that have a file of it open can read it to its end.
"""


@click.command("prefetch", help=_PREFETCH_HELP, short_help="Fetch files into the cache, for later.")
@click.argument("entry")
@click.argument("patterns", nargs=-1, required=True)
@selecting_options
@click.option("--limit", type=click.IntRange(1), help="Fetch no more than this many.")
@click.option("--json", "as_json", is_flag=True, help="Print where the files lie, one JSON object a file.")
@speaking_options
@click.pass_context
def prefetch_command(
    ctx: click.Context,
    /,
    entry: str,
    patterns: tuple[str, ...],
    limit: int | None,
    quiet: bool,
    as_json: bool,
    **selected: Any,
) -> None:
    """Fetch files of an entry into the cache."""
    from empiarreader.entry import EmpiarEntry
    from empiarreader.prefetching import prefetch

    with progress("directories", quiet=quiet) as tell:
        files = find_files(EmpiarEntry(entry, progress=tell), patterns, **selected)[:limit]
    with progress("files", quiet=quiet) as tell:
        found = prefetch(files, progress=lambda done, total, url: tell(done, total))
    if as_json:
        for path in found.paths:
            click.echo(json.dumps({"path": str(path)}))
    size = describe_bytes(found.size_bytes)
    say(f"{describe_files(len(found.paths))}, {size}, in the cache", quiet=quiet)
    if found.failures:
        for failure in found.failures:
            click.echo(f"  {failure.error}", err=True)
        codes = {exit_code(failure.error) for failure in found.failures}
        ctx.exit(codes.pop() if len(codes) == 1 and not found.paths else SOME_FAILED)


@click.group("cache", help=_CACHE_HELP, short_help="Show or empty the cache.")
def cache_command() -> None:
    """Show or empty the cache."""


@cache_command.command("ls", help=_CACHE_LS_HELP, short_help="List the files in the cache.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file.")
@speaking_options
def cache_ls_command(as_json: bool, quiet: bool) -> None:
    """List the files in the cache."""
    from empiarreader.cache.facts import facts_bytes
    from empiarreader.cache.store import default_store

    store = default_store()
    items = store.items()
    for item in items:
        used = f"{item.last_used:%Y-%m-%dT%H:%M:%SZ}"
        record = {
            "url": item.url,
            "kind": item.kind,
            "size_bytes": item.size_bytes,
            "last_used": used,
            "path": str(item.path),
        }
        line = f"{item.size_bytes:>14}  {used}  {item.kind:<6}  {item.url}"
        click.echo(json.dumps(record) if as_json else one_line(line))
    taken = sum(item.size_bytes for item in items)
    room = f"{describe_bytes(taken)} of {describe_bytes(store.limit_bytes)}"
    facts = f"{describe_bytes(facts_bytes())} of facts"
    say(f"{describe_files(len(items))}, {room}, and {facts}, in {settings.cache_dir()}", quiet=quiet)


@cache_command.command("clear", help=_CACHE_CLEAR_HELP, short_help="Empty the cache.")
@click.option("--json", "as_json", is_flag=True, help="Print how many bytes were freed, as JSON.")
@speaking_options
def cache_clear_command(as_json: bool, quiet: bool) -> None:
    """Remove everything from the cache."""
    from empiarreader.cache.facts import clear_facts
    from empiarreader.cache.store import default_store

    freed = default_store().clear() + clear_facts()
    if as_json:
        click.echo(json.dumps({"freed_bytes": freed}))
    say(f"freed {freed} bytes in {settings.cache_dir()}", quiet=quiet or as_json)
