"""The command line: ``profet 4v1w --filetype=pdb --main_db=pdb --save_directory=~/.pdb``, and subcommands.

One module holds one subcommand, a click command that is named in `COMMANDS` below. What they share (exit
codes, text that is fit for a terminal, the log, progress) is in `profet.cli.terminal`, how ids are given in
`profet.cli.asked`. A module imports nothing heavy before its command runs: ``--help`` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

import click

from profet import __version__
from profet.cli import cache, clean, completion, find, get, old_form, sequence
from profet.cli.group import OldFormGroup
from profet.cli.terminal import SOME_FAILED, complain, exit_code
from profet.errors import ProfetError

COMMANDS: tuple[click.Command, ...] = (
    old_form.fetch,
    get.get,
    clean.clean,
    find.find,
    sequence.sequence,
    cache.cache,
    completion.completion,
)
"""Every subcommand; the first one is what runs where none is named."""

_HELP = f"""{old_form.EXAMPLE}
Fetch protein structures by UniProt or PDB id.
"""


@click.group(
    cls=OldFormGroup,
    default=old_form.fetch,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="profet")
def cli() -> None:
    """Hold the subcommands."""


for _command in COMMANDS:
    cli.add_command(_command)


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
        complain(error)
        raise SystemExit(exit_code(error)) from None
    except OSError as error:  # the library makes its own of all others
        complain(f"cannot write to standard output: {error.strerror or error}")
        with contextlib.suppress(OSError):  # nor can Python when it ends, and would say so
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(SOME_FAILED) from None
