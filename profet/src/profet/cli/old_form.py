"""``profet ID...``: what profet has always done, fetch structures and save them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from profet.cli.database_name import DatabaseName
from profet.cli.group import OldForm
from profet.cli.outcomes import fetch_and_tell
from profet.cli.terminal import log_to_stderr, speaking_options
from profet.enums import FileType
from profet.ids import parse_id

if TYPE_CHECKING:
    from profet.result import FetchResult

EXAMPLE = """\b
$ profet 4v1w --filetype=pdb --save_directory=~/.pdb
$ profet P05067 P40202 --main_db=alphafold
"""


@click.command("old-form", cls=OldForm, hidden=True, help=f"{EXAMPLE}\nFetch structures and save them.")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--filetype",
    type=click.Choice([str(kind) for kind in FileType]),
    default="cif",
    show_default=True,
    help="File type to save; the other one if a structure does not exist in it.",
)
@click.option(
    "--main_db",
    type=DatabaseName(),
    default="pdb",
    show_default=True,
    help="Database to ask first.",
)
@click.option(
    "--save_directory",
    metavar="FOLDER",
    default=None,
    help="Where to save.  [default: PROFET_CACHE_DIR or ~/.cache/pdb]",
)
@speaking_options
def fetch(
    ids: tuple[str, ...],
    filetype: str,
    main_db: str,
    save_directory: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Fetch structures and save them."""
    from profet.fetcher import Fetcher

    log_to_stderr(quiet=quiet, verbose=verbose)
    for identifier in ids:
        parse_id(identifier)  # one wrong id, and nothing is asked
    fetcher = Fetcher(main_db, save_directory=save_directory)
    fetch_and_tell(
        ids,
        lambda take: fetcher.get_files(ids, filetype=filetype, progress=take),
        _record,
        as_json=as_json,
        quiet=quiet,
    )


def _record(result: FetchResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "database": result.database,
        "filetype": result.filetype,
        "path": None if result.path is None else str(result.path),
        "error": None if result.error is None else str(result.error),
        "url": None if result.provenance is None else result.provenance.url,
    }
