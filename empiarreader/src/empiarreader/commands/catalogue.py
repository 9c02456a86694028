"""``empiarreader catalogue update`` and ``catalogue search``: the whole archive, from a local database."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from empiarreader.byteunits import describe_bytes
from empiarreader.catalogue.index import CatalogueHit, CatalogueUpdate, EmpiarIndex
from empiarreader.catalogue.online import OnlineHit, search_online
from empiarreader.errors import EntryNotFoundError
from empiarreader.printable import printable

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

One request covers 250 numbers, so the whole archive takes about fifteen. What was asked for within a day is
not asked for again.
"""
_SEARCH_HELP = """\
\b
$ empiarreader catalogue search ribosome --format TIFF --max-size 100GB --since 2024
$ empiarreader catalogue search '"tau filament" Krios' --json
$ empiarreader catalogue search spike --online

Find entries by words and properties, best first; without words, newest first.

All words must occur, in title, imagesets, papers, people or identifiers; those in quotation marks together.
A last * stands for any ending. Words of the field stand for their synonyms, too: gpcr, spike, cryoET.
"""


@click.group("catalogue", help=_GROUP_HELP, short_help="Search the whole archive.")
def catalogue_command() -> None:
    """Hold the subcommands."""


@catalogue_command.command("update", help=_UPDATE_HELP, short_help="Make or update the local catalogue.")
@click.option("--refresh", is_flag=True, help="Ask for everything, also what came within the last day.")
def update_command(refresh: bool) -> None:
    """Update the catalogue, telling on a terminal how far it is."""

    def tell(done: CatalogueUpdate) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{done.entries} entries", nl=False, err=True)

    done = EmpiarIndex().update(refresh=refresh, progress=tell)
    if sys.stderr.isatty():
        click.echo("\r", nl=False, err=True)
    click.echo(
        f"{done.entries} entries ({done.new} new, {done.changed} changed) from {done.requests} requests"
    )


@catalogue_command.command("search", help=_SEARCH_HELP, short_help="Find entries by words and properties.")
@click.argument("words", nargs=-1)
@click.option("--format", "format_", metavar="NAME", help="Format of images, such as TIFF or EER.")
@click.option("--method", metavar="NAME", help="Type of experiment, such as EMDB, FIB-SEM or ssET.")
@click.option("--scale", metavar="NAME", help="molecule, virus, cell, tissue or organism.")
@click.option("--min-size", metavar="SIZE", help="Least size, such as 10GB.")
@click.option("--max-size", metavar="SIZE", help="Greatest size, such as 2TB.")
@click.option("--since", metavar="DATE", help="Released on or after: 2024, 2024-06 or 2024-06-30.")
@click.option("--until", metavar="DATE", help="Released on or before.")
@click.option("--emdb", metavar="ID", help="Belongs to this entry of EMDB.")
@click.option("--pdb", metavar="ID", help="Belongs to this entry of the PDB.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Greatest number.")
@click.option("--online", is_flag=True, help="Ask EBI Search instead; it takes words alone.")
@click.option("--no-synonyms", is_flag=True, help="Take the words as they are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def search_catalogue_command(
    words: tuple[str, ...],
    format_: str | None,
    online: bool,
    no_synonyms: bool,
    as_json: bool,
    limit: int,
    **filters: Any,
) -> None:
    """Search the catalogue, and print a line for each hit."""
    text = " ".join(words)
    hits: Sequence[CatalogueHit | OnlineHit]
    if online:
        if format_ or any(filters.values()):
            raise click.UsageError("EBI Search takes words alone; leave the filters out, or --online.")
        hits = search_online(text, limit=limit)
    else:
        options = {"format": format_, "limit": limit, "use_synonyms": not no_synonyms, **filters}
        hits = EmpiarIndex().search(text, **options)
    if not hits:
        raise EntryNotFoundError("no entry matches")
    for hit in hits:
        click.echo(json.dumps(asdict(hit)) if as_json else printable(_line(hit)))


def _line(hit: CatalogueHit | OnlineHit) -> str:
    if isinstance(hit, OnlineHit):
        return f"EMPIAR-{hit.entry_id}  {hit.release_date:10}  {hit.title}"
    size = "?" if hit.size_bytes is None else describe_bytes(hit.size_bytes)
    formats = "/".join(hit.formats) or "?"
    return f"EMPIAR-{hit.entry_id}  {hit.release_date:10}  {size:>8}  {formats:10}  {hit.title}"
