"""The command ``empiarreader``: parse, call one public function, present.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 some failed, 2 usage, 3 not found,
4 network, 5 damaged data, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import click

from empiarreader import __version__
from empiarreader.commands.browse import browse_command
from empiarreader.commands.cache import cache_command, prefetch_command
from empiarreader.commands.catalogue import catalogue_command
from empiarreader.commands.completion import completion_command
from empiarreader.commands.download import download_command
from empiarreader.commands.entry import find_command, info_command, ls_command
from empiarreader.commands.exit_codes import INTERRUPTED, exit_code
from empiarreader.commands.export import export_command
from empiarreader.commands.keeping import mirror_command, verify_command
from empiarreader.commands.peek import peek_command
from empiarreader.commands.search import search_command
from empiarreader.errors import EmpiarReaderError

_MAIN_HELP = """\
\b
$ empiarreader search --entry 10934 --select "*" --verbose
$ empiarreader find 10934 "data/**/*gain*" --limit 3

Search EMPIAR, the archive of raw cryoEM images, and download from it.
"""


class _Group(click.Group):
    """A group whose commands end with one sentence and an exit code where something is wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors of the library become its exit code."""
        try:
            return super().invoke(ctx)
        except EmpiarReaderError as error:
            click.echo(f"empiarreader: {error}", err=True)
            for note in getattr(error, "__notes__", ()):
                click.echo(note, err=True)
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("empiarreader: interrupted", err=True)
            if threading.active_count() > 1:
                # Requests under way would be waited for. Nothing needs them: what is on disk is whole.
                sys.stdout.flush()
                os._exit(INTERRUPTED)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Group, help=_MAIN_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="empiarreader")
def main() -> None:
    """Search EMPIAR and download from it."""


for _command in (
    search_command,
    download_command,
    verify_command,
    mirror_command,
    info_command,
    ls_command,
    find_command,
    prefetch_command,
    cache_command,
    catalogue_command,
    completion_command,
    export_command,
    peek_command,
    browse_command,
):
    main.add_command(_command)


if __name__ == "__main__":
    main()
