"""``profet find ID...``: which structures there are of a protein, and which is the best."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import click

from profet.cli.asked import asked_ids, ids_arguments
from profet.cli.database_name import DatabaseName
from profet.cli.terminal import going_on, leave, log_to_stderr, printable, speaking_options
from profet.errors import ProfetError
from profet.hits import ORDER, StructureHit, parse_order
from profet.ids import PdbId, parse_id

_HELP = """\b
$ profet find P05067
$ profet find P05067 --order resolution --limit 5
$ profet find P38634 --database 3dbeacons --json

List the structures that are known of a protein, the best one first.
"""


@click.command("find", help=_HELP, short_help="List the structures of a protein, best first.")
@ids_arguments
@click.option(
    "--database",
    "databases",
    multiple=True,
    type=DatabaseName(),
    help="Where to look; may be given several times.  [default: pdb and alphafold]",
)
@click.option(
    "--order",
    default=",".join(ORDER),
    show_default=True,
    metavar="WORDS",
    help="What to compare first; what is not named follows.",
)
@click.option("--observed", is_flag=True, help="Count only residues that were seen, as PDBe tells.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Show so many of each at most.")
@speaking_options
def find(
    ids: tuple[str, ...],
    from_file: str | None,
    databases: tuple[str, ...],
    order: str,
    observed: bool,
    limit: int | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """List structures, best first."""
    from profet.fetcher import Fetcher

    log_to_stderr(quiet=quiet, verbose=verbose)
    wanted, words = asked_ids(ids, from_file), parse_order(order)
    fetcher = Fetcher()
    errors: list[ProfetError | None] = []
    for typed in wanted:
        parse_id(typed)  # one wrong id, and nothing is asked
    for typed in wanted:
        with going_on(errors):
            hits = fetcher.find(typed, databases=databases or None, order=words, observed=observed)
            if as_json:
                _print_json(typed, hits[:limit])
            else:
                _print_table(typed, hits, limit, with_heading=len(wanted) > 1, quiet=quiet)
    leave(errors)


def _print_json(typed: str, hits: Sequence[StructureHit]) -> None:
    for hit in hits:
        click.echo(json.dumps({"query": typed, **hit.to_record()}))


def _print_table(
    typed: str, hits: Sequence[StructureHit], limit: int | None, *, with_heading: bool, quiet: bool
) -> None:
    if with_heading:
        click.echo(f"# {printable(typed)}")
    is_one_entry = isinstance(parse_id(typed), PdbId)  # whose proteins are listed, and none is the best
    headings = [name for name in _COLUMNS if name != "accession" or is_one_entry]
    rows = [headings, *([printable(_COLUMNS[name](hit)) for name in headings] for hit in hits[:limit])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if not (quiet or is_one_entry):
        best = f"{hits[0].id} is the best of {len(hits)}"
        click.echo(f"{printable(best)}{f': {printable(hits[0].reason)}' if hits[0].reason else ''}", err=True)


def _database(hit: StructureHit) -> str:
    return hit.database if hit.provider in ("", hit.database) else f"{hit.database} ({hit.provider})"


def _few(chains: Sequence[str], most: int = 6) -> str:
    """Names of chains, the first few of many.

    Examples
    --------
    >>> _few(["A", "B"]), _few(list("ABCDEFGHIJ"))
    ('A,B', 'A,B,C,D,E,F+4')
    """
    rest = f"+{len(chains) - most}" if len(chains) > most else ""
    return ",".join(chains[:most]) + rest or "-"


_COLUMNS: dict[str, Callable[[StructureHit], str]] = {
    "database": _database,
    "id": lambda hit: hit.id,
    "accession": lambda hit: hit.accession or "-",
    "chains": lambda hit: _few(hit.chains),
    "range": lambda hit: "-" if hit.range is None else f"{hit.range[0]}-{hit.range[1]}",
    "coverage": lambda hit: "-" if hit.coverage is None else f"{hit.coverage:.3f}",
    "resolution": lambda hit: "-" if hit.resolution is None else f"{hit.resolution:.2f}",
    "method": lambda hit: hit.method or "-",
}
