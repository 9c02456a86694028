"""``profet clean FILE...``: take out of structure files what is not wanted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from profet.cli.get import REMOVABLE, removals
from profet.cli.pipes import INPUT, OUTPUT, PIPE, goes_to_pipe, standing_for
from profet.cli.terminal import (
    clear_bar,
    going_on,
    leave,
    log_to_stderr,
    printable,
    progress,
    speaking_options,
)
from profet.errors import ProfetError

if TYPE_CHECKING:
    from profet.cleaning.options import CleanOptions
    from profet.cleaning.report import CleanReport

_HELP = """\b
$ profet clean p05067.cif
$ profet clean 1aki.pdb.gz --remove water,hetatoms --chains A --altlocs highest
$ profet clean p05067.cif --remove signal --minimum-plddt 70 --output core.cif --json
$ zcat 1aki.pdb.gz | profet clean - --remove water > dry.pdb

Take out of structure files (mmCIF or PDB format, gzipped or not) what is not wanted, and say what went from
which chain, by which numbering. All else stays byte for byte, and the input is never written over. If no
option says what is to go, that is: signal,hydrogens,water,hetatoms. Selections keep what they name; with a
hyphen in front of each name they remove it (--chains=-C,-D). A - stands for standard input or output; what is
said then goes to standard error.
"""
_BY_DEFAULT = "signal,hydrogens,water,hetatoms"


@click.command("clean", help=_HELP, short_help="Take out of files what is not wanted.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--remove",
    metavar="WORDS",
    callback=removals,
    default=None,
    help=f"What is to go: {', '.join(REMOVABLE)}; with commas between them.",
)
@click.option("--chains", metavar="NAMES", default=None, help="Chains to keep (A,B) or to remove (-A,-B).")
@click.option("--altlocs", metavar="NAMES", default=None, help="Alternatives to keep: letters, or 'highest'.")
@click.option("--models", metavar="NUMBERS", default=None, help="Models to keep (1) or to remove (-2,-3).")
@click.option("--minimum-plddt", metavar="0..100", type=float, default=None, help="Confidence to keep.")
@click.option("--accession", metavar="ID", default=None, help="The protein whose signal peptide is meant.")
@click.option("-o", "--output", metavar="PATH", default=None, help="Where to write: a file, a folder, or -.")
@speaking_options
def clean(
    files: tuple[str, ...],
    remove: CleanOptions | None,
    accession: str | None,
    output: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **selections: Any,
) -> None:
    """Clean files one after the other."""
    from profet.cleaning.clean import clean as clean_file

    _check_output(files, output)
    log_to_stderr(quiet=quiet, verbose=verbose)
    options = _options(remove, selections)
    errors: list[ProfetError | None] = []
    with progress(len(files), "Cleaning", quiet=quiet) as tell:
        for file in files:
            with going_on(errors):
                with standing_for(file, output) as (source, target):
                    report = clean_file(source, output=target, options=options, accession=accession)
                _present(report, file, output, as_json=as_json, quiet=quiet)
            tell(file)
    leave(errors)


def _options(remove: CleanOptions | None, selections: dict[str, Any]) -> CleanOptions:
    from profet.cleaning.options import CleanOptions

    chosen = {name: value for name, value in selections.items() if value is not None}
    if remove is None and not chosen:
        remove = removals(None, None, _BY_DEFAULT)
    for name in ("chains", "altlocs", "models"):
        if name in chosen:
            chosen[name] = tuple(chosen[name].split(","))
    return replace(remove or CleanOptions(), **chosen)


def _check_output(files: tuple[str, ...], output: str | None) -> None:
    """Make sure that several files do not become one."""
    if len(files) < 2 or (output is None and PIPE not in files):
        return
    if PIPE in files:
        raise click.UsageError(
            "what comes from standard input is cleaned alone: its name is not known before"
        )
    if output is None or not Path(output).expanduser().is_dir():
        raise click.UsageError("several files are written beside themselves, or into a folder that is there")
    if len({Path(file).name for file in files}) < len(files):
        raise click.UsageError(f"two of the files have the same name, and so would be one in {output}")


def _present(report: CleanReport, file: str, output: str | None, *, as_json: bool, quiet: bool) -> None:
    """Say what was done; where the structure itself goes to standard output, on standard error."""
    piped = goes_to_pipe(file, output)
    report = replace(
        report, source=INPUT if file == PIPE else report.source, path=OUTPUT if piped else report.path
    )
    clear_bar()
    if as_json:
        click.echo(json.dumps(report.as_dict()), err=piped)
    elif not quiet:
        for line in str(report).splitlines():
            click.echo(printable(line), err=piped)
        if not piped:
            click.echo(f"Saved {printable(report.source.name)} to '{printable(str(report.path))}'")
