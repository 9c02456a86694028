"""``empiarreader catalogue update`` and ``catalogue search``: the whole archive, from a local database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from empiarreader.byteunits import describe_bytes, describe_count
from empiarreader.commands.terminal import progress, say, speaking_options
from empiarreader.errors import EntryNotFoundError
from empiarreader.printable import one_line

if TYPE_CHECKING:
    from empiarreader.catalogue.index import CatalogueHit, EmpiarIndex
    from empiarreader.catalogue.online import OnlineHit

_GROUP_HELP = """\
\b
$ empiarreader catalogue update
$ empiarreader catalogue search ribosome --format TIFF --max-size 100GB --since 2024

Search the whole archive through a local catalogue.
"""
_UPDATE_HELP = """\
\b
$ empiarreader catalogue update

Make the catalogue, or bring it up to date.

One request covers 250 numbers, so the whole archive takes about fifteen. The latest entries are asked for
again after a day, all others after a month.
"""
_SEARCH_HELP = """\
\b
$ empiarreader catalogue search ribosome --format TIFF --max-size 100GB --since 2024
$ empiarreader catalogue search '"tau filament" Krios NOT human' --json
$ empiarreader catalogue search spike --online

Find entries by words and properties, best first; without words, newest first.

All words must occur, in title, imagesets, papers, people or identifiers; those in quotation marks together.
OR between two words wants one of them, NOT before one wants it to be absent; a last * stands for any ending.
Words of the field stand for their synonyms, too: gpcr, spike, cryoET; and beta2 is β2 and beta-2.
"""
_OLD_DAYS = 45


@click.group("catalogue", help=_GROUP_HELP, short_help="Search the whole archive.")
def catalogue_command() -> None:
    """Hold the subcommands."""


@catalogue_command.command("update", help=_UPDATE_HELP, short_help="Make or update the local catalogue.")
@click.option("--refresh", is_flag=True, help="Ask for everything.")
@click.option("--complete", is_flag=True, help="Ask alone for each entry of which little is known.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@speaking_options
def update_command(refresh: bool, complete: bool, as_json: bool, quiet: bool) -> None:
    """Update the catalogue, telling on a terminal how far it is."""
    from empiarreader.catalogue.index import EmpiarIndex

    with progress("requests", quiet=quiet) as tell:
        done = EmpiarIndex().update(
            refresh=refresh, complete=complete, progress=lambda done: tell(done.requests, done.expected)
        )
        tell(done.requests, done.requests)
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        click.echo(
            f"{describe_count(done.entries, 'entries')} "
            f"({done.new} new, {done.changed} changed, {done.removed} removed) "
            f"from {describe_count(done.requests, 'requests')}"
        )
    if not done.requests:
        say("nothing was due; --refresh asks for everything all the same", quiet=quiet)
    if done.short:
        say(
            f"of {describe_count(done.short, 'entries')} EMPIAR said little, asked for many at once; "
            f"--complete asks for each of them: {describe_count(done.short, 'requests')}",
            quiet=quiet,
        )


@catalogue_command.command("search", help=_SEARCH_HELP, short_help="Find entries by words and properties.")
@click.argument("words", nargs=-1)
@click.option("--format", metavar="NAME", help="Format of images, such as TIFF or EER.")
@click.option("--method", metavar="NAME", help="Type of experiment, such as EMDB, FIB-SEM or ssET.")
@click.option("--scale", metavar="NAME", help="molecule, virus, cell, tissue or organism.")
@click.option("--min-size", metavar="SIZE", help="Least size, such as 10GB.")
@click.option("--max-size", metavar="SIZE", help="Greatest size, such as 2TB.")
@click.option("--since", metavar="DATE", help="Released on or after: 2024, 2024-06 or 2024-06-30.")
@click.option("--until", metavar="DATE", help="Released on or before.")
@click.option("--emdb", metavar="ID", help="Belongs to this entry of EMDB.")
@click.option("--pdb", metavar="ID", help="Belongs to this entry of the PDB.")
@click.option("--author", metavar="NAME", help="Names among its authors, or those of its papers.")
@click.option("--all", "also_unreleased", is_flag=True, help="Also entries that are withdrawn or on hold.")
@click.option(
    "--sort",
    type=click.Choice(["best", "newest", "smallest", "largest"]),
    default="best",
    help="Which come first. Default: best.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Greatest number.")
@click.option("--count", "only_count", is_flag=True, help="Print how many there are, and nothing else.")
@click.option("--online", is_flag=True, help="Ask EBI Search instead; it takes words alone.")
@click.option("--no-synonyms", is_flag=True, help="Take the words as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@speaking_options
def search_catalogue_command(
    words: tuple[str, ...],
    also_unreleased: bool,
    only_count: bool,
    online: bool,
    no_synonyms: bool,
    as_json: bool,
    sort: str,
    limit: int,
    quiet: bool,
    **filters: Any,
) -> None:
    """Search the catalogue, and print a line for each hit."""
    from empiarreader.catalogue.index import EmpiarIndex

    text = " ".join(words)
    if online:
        from empiarreader.catalogue.online import search_online

        if any(filters.values()) or only_count or also_unreleased or sort != "best":
            raise click.UsageError("EBI Search takes words alone; leave the other options out, or --online.")
        _show(search_online(text, limit=limit), as_json, why_nothing="EBI Search knows no such entry")
        return
    index = EmpiarIndex()
    question = {"released": not also_unreleased, "use_synonyms": not no_synonyms, **filters}
    if only_count:
        click.echo(index.count(text, **question))
        return
    hits = index.search(text, sort=sort, limit=limit, **question)
    _show(hits, as_json, why_nothing=None if hits else index.why_nothing(text, **question))
    if len(hits) == limit and (count := index.count(text, **question)) > limit:
        say(f"{limit} of {count} entries; --limit {count} shows all", quiet=quiet)
    _tell_age(index, quiet=quiet)


def _show(hits: Sequence[CatalogueHit | OnlineHit], as_json: bool, *, why_nothing: str | None) -> None:
    if not hits:
        raise EntryNotFoundError(f"no entry matches: {why_nothing}")
    for hit in hits:
        click.echo(json.dumps(asdict(hit)) if as_json else one_line(_line(hit)))


def _tell_age(index: EmpiarIndex, *, quiet: bool) -> None:
    updated = index.updated
    days = (datetime.now(UTC) - updated).days if updated else 0
    if days > _OLD_DAYS:
        say(
            f"the catalogue is {days} days old; renew it: empiarreader catalogue update",
            quiet=quiet,
        )


def _line(hit: CatalogueHit | OnlineHit) -> str:
    from empiarreader.catalogue.online import OnlineHit

    if isinstance(hit, OnlineHit):
        return f"EMPIAR-{hit.entry_id}  {hit.release_date:10}  {hit.title}"
    size = "?" if hit.size_bytes is None else describe_bytes(hit.size_bytes)
    formats = "/".join(hit.formats) or "?"
    withdrawn = "" if hit.status in {"REL", ""} else f"({hit.status}) "
    return f"EMPIAR-{hit.entry_id}  {hit.release_date:10}  {size:>8}  {formats:10}  {withdrawn}{hit.title}"
