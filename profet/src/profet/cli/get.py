"""``profet get ID...``: fetch many structures, and clean them if wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from profet.cli.asked import asked_ids, ids_arguments
from profet.cli.database_name import DatabaseName
from profet.cli.outcomes import fetch_and_tell
from profet.cli.terminal import log_to_stderr, speaking_options
from profet.enums import FileType
from profet.hits import ORDER

if TYPE_CHECKING:
    from profet.cleaning.options import CleanOptions
    from profet.result import FetchResult

_HELP = """\b
$ profet get 4v1w P05067 --save-directory structures
$ profet get --from ids.txt --jobs 16 --json > fetched.jsonl
$ profet get P05067 --filetype pdb --remove signal,hydrogens,water,hetatoms

Fetch structures and place them in a folder, many at once. What the cache holds is not asked for again. A
failure does not stop the others; failures are listed at the end.
"""
REMOVABLE = {
    "signal": "signal_peptides",
    "transit": "transit_peptides",
    "propeptides": "propeptides",
    "hydrogens": "hydrogens",
    "water": "water",
    "hetatoms": "hetatoms",
}


def removals(
    ctx: click.Context | None, param: click.Parameter | None, text: str | None
) -> CleanOptions | None:
    """Turn words with commas between them into options for cleaning."""
    if text is None:
        return None
    from profet.cleaning.options import CleanOptions

    words = [word.strip() for word in text.split(",") if word.strip()]
    wrong = [word for word in words if word not in REMOVABLE]
    if wrong or not words:
        raise click.BadParameter(f"{', '.join(map(ascii, wrong))}: choose from {', '.join(REMOVABLE)}")
    chosen: dict[str, Any] = {REMOVABLE[word]: True for word in words}
    return CleanOptions(**chosen)


@click.command("get", help=_HELP, short_help="Fetch many structures, and clean them if wanted.")
@ids_arguments
@click.option(
    "--filetype",
    type=click.Choice([str(kind) for kind in FileType]),
    default="cif",
    show_default=True,
    help="File type to save; another one if a structure does not exist in it.",
)
@click.option("--database", type=DatabaseName(), default="pdb", show_default=True, help="Ask first.")
@click.option(
    "-d",
    "--save-directory",
    metavar="FOLDER",
    default=None,
    help="Where to save.  [default: PROFET_CACHE_DIR or ~/.cache/pdb]",
)
@click.option(
    "--remove",
    metavar="WORDS",
    callback=removals,
    default=None,
    help=f"Clean too, into a second file: {', '.join(REMOVABLE)}; with commas between them.",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="How many to fetch at a time; services limit it further.",
)
@click.option(
    "--order",
    default=",".join(ORDER),
    show_default=True,
    metavar="WORDS",
    help="Which of several structures of a protein to get: what to compare first, as `profet find` does.",
)
@click.option(
    "--assembly", type=click.IntRange(min=1), default=None, help="Get this biological assembly instead."
)
@click.option("--refresh", is_flag=True, help="Ask the services whether there are newer versions.")
@speaking_options
def get(
    ids: tuple[str, ...],
    from_file: str | None,
    filetype: str,
    database: str,
    save_directory: str | None,
    remove: CleanOptions | None,
    jobs: int,
    order: str,
    assembly: int | None,
    refresh: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Fetch structures and save them."""
    from profet.fetcher import Fetcher

    log_to_stderr(quiet=quiet, verbose=verbose)
    wanted = asked_ids(ids, from_file)
    fetcher = Fetcher(database, save_directory=save_directory, order=order)
    fetch_and_tell(
        wanted,
        lambda take: fetcher.get_files(
            wanted,
            filetype=filetype,
            workers=jobs,
            progress=take,
            refresh=refresh,
            clean=remove,
            assembly=assembly,
        ),
        _record,
        as_json=as_json,
        quiet=quiet,
    )


def _record(result: FetchResult) -> dict[str, Any]:
    report = result.report
    return {
        "id": result.id,
        "database": result.database,
        "filetype": result.filetype,
        "path": None if result.path is None else str(result.path),
        "cleaned": None if report is None else str(report.path),
        "error": None if result.error is None else str(result.error),
        "error_type": None if result.error is None else type(result.error).__name__,
        "url": None if result.provenance is None else result.provenance.url,
        "version": None if result.provenance is None else result.provenance.source_version,
        "sha256": None if result.provenance is None else result.provenance.sha256,
        "notes": list(result.notes),
    }
