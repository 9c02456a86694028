"""The command line: ``profet 4v1w --filetype=pdb --main_db=pdb --save_directory=~/.pdb``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

import click

from profet import __version__
from profet.choice import DATABASES
from profet.enums import FileType
from profet.errors import (
    DamagedFileError,
    InvalidChoiceError,
    InvalidIdError,
    ProfetError,
    ServiceError,
    StructureNotFoundError,
)
from profet.fetcher import Fetcher
from profet.ids import parse_id
from profet.result import FetchResult

SOME_FAILED = 1

_EXIT_CODES: tuple[tuple[type[ProfetError], int], ...] = (
    (InvalidIdError, 2),
    (InvalidChoiceError, 2),
    (StructureNotFoundError, 3),
    (ServiceError, 4),
    (DamagedFileError, 5),
)
_EXAMPLE = """\b
profet 4v1w --filetype=pdb --save_directory=~/.pdb
profet P05067 P40202 --main_db=alphafold
"""


def exit_code(error: ProfetError) -> int:
    """Exit code that stands for an error.

    Examples
    --------
    >>> exit_code(StructureNotFoundError("no such entry"))
    3
    """
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), SOME_FAILED)


def printable(text: str) -> str:
    r"""Return text that is safe to show on a terminal: control characters become visible.

    Examples
    --------
    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


class OldFormGroup(click.Group):
    """A group of subcommands that, without one, does what profet has always done: fetch the ids given."""

    default = "old-form"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default subcommand in front where none is named."""
        own = {name for param in self.get_params(ctx) for name in param.opts}
        if not args or (args[0] not in own and args[0] not in self.commands):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the usage of the old form."""
        formatter.write_usage(ctx.command_path, "ID... [OPTIONS]")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the options of the old form with the group's own."""
        params = (*self.commands[self.default].get_params(ctx), *self.get_params(ctx))
        options = (param for param in params if isinstance(param, click.Option))
        records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(list(dict(records).items()))
        self.format_commands(ctx, formatter)


class _OldFormContext(click.Context):
    """Context that goes by the name of the program: nobody has typed the name of a subcommand."""

    @property
    def command_path(self) -> str:
        """Name of the program."""
        return self.find_root().info_name or "profet"


class OldForm(click.Command):
    """What runs where no subcommand is named."""

    context_class = _OldFormContext


@click.group(cls=OldFormGroup, help=f"{_EXAMPLE}\nFetch protein structures by UniProt or PDB id.")
@click.version_option(__version__, prog_name="profet")
def cli() -> None:
    """Hold the subcommands."""


@cli.command(
    OldFormGroup.default, cls=OldForm, hidden=True, help=f"{_EXAMPLE}\nFetch structures and save them."
)
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
    type=click.Choice(DATABASES),
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each id.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say what is asked of whom.")
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
    _log_to_stderr(logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING)
    for identifier in ids:
        parse_id(identifier)  # one wrong id, and nothing is asked
    fetcher = Fetcher(main_db, save_directory=save_directory)
    results = _fetch_all(fetcher, ids, filetype, is_quiet=quiet)
    for result in results:
        _present(result, as_json=as_json, is_quiet=quiet)
    codes = [0 if result.error is None else exit_code(result.error) for result in results]
    if any(codes):
        raise SystemExit(codes[0] if len(set(codes)) == 1 else SOME_FAILED)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    args
        Arguments; None for those that the program was started with.

    Raises
    ------
    SystemExit
        With the exit code, if anything failed. If all went well the function returns.
    """
    arguments = sys.argv[1:] if args is None else list(args)
    try:
        cli.main(args=arguments, prog_name="profet", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        raise SystemExit(130) from None
    except ProfetError as error:
        _complain(error)
        raise SystemExit(exit_code(error)) from None


def _fetch_all(fetcher: Fetcher, ids: Sequence[str], filetype: str, *, is_quiet: bool) -> list[FetchResult]:
    if is_quiet or len(ids) == 1 or not sys.stderr.isatty():
        return fetcher.get_files(ids, filetype=filetype)
    with click.progressbar(length=len(set(ids)), label="Fetching", file=sys.stderr) as bar:
        return fetcher.get_files(ids, filetype=filetype, progress=lambda _: bar.update(1))


def _present(result: FetchResult, *, as_json: bool, is_quiet: bool) -> None:
    if result.error is not None:
        _complain(result.error)
    if as_json:
        click.echo(json.dumps(_record(result)))
    elif result.error is None and not is_quiet:
        click.echo(f"Saved {result.id} to '{printable(str(result.path))}'")


def _record(result: FetchResult) -> dict[str, Any]:
    return {
        "id": result.id,
        "database": result.database,
        "filetype": result.filetype,
        "path": None if result.path is None else str(result.path),
        "error": None if result.error is None else str(result.error),
        "url": None if result.provenance is None else result.provenance.url,
    }


def _complain(error: ProfetError) -> None:
    click.echo(f"profet: {printable(str(error))}", err=True)


def _log_to_stderr(level: int) -> None:
    """Show the library's own log; the program may do so, the library never does."""
    logger = logging.getLogger("profet")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _StderrHandler)]:
        logger.removeHandler(handler)
    handler = _StderrHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it tells of every repeated request


class _StderrHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        click.echo(printable(self.format(record)), err=True)
