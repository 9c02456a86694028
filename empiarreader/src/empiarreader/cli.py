"""The command ``empiarreader``: parse, call one public function, present.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 some failed, 2 usage, 3 not found,
4 network, 5 damaged data, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from difflib import get_close_matches
from importlib import import_module
from typing import Any, cast

import click

from empiarreader import __version__
from empiarreader.commands.exit_codes import INTERRUPTED, SOME_FAILED, exit_code
from empiarreader.errors import EmpiarReaderError

_MAIN_HELP = """\
\b
$ empiarreader search --entry 10934 --select "*" --verbose
$ empiarreader find 10934 "data/**/*gain*" --limit 3

Search EMPIAR, the archive of raw cryoEM images, and download from it.
"""
# Where each command is defined, so that one command does not load what the others need.
_COMMANDS = {
    "browse": "browse:browse_command",
    "cache": "cache:cache_command",
    "catalogue": "catalogue:catalogue_command",
    "completion": "completion:completion_command",
    "download": "download:download_command",
    "export": "export:export_command",
    "find": "entry:find_command",
    "info": "entry:info_command",
    "ls": "entry:ls_command",
    "mirror": "keeping:mirror_command",
    "peek": "peek:peek_command",
    "prefetch": "cache:prefetch_command",
    "search": "search:search_command",
    "verify": "keeping:verify_command",
}


class _Group(click.Group):
    """A group whose commands end with one sentence and an exit code where something is wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, none of which is loaded for that."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loaded just now; None where there is none of the name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        return cast("click.Command", getattr(import_module(f"empiarreader.commands.{module}"), name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; where there is none, say which comes close."""
        if args[0] not in _COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], _COMMANDS, n=1)
            meant = f"; is {close[0]!r} meant?" if close else ""
            raise click.UsageError(f"There is no command {args[0]!r}{meant}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors of the library become its exit code."""
        try:
            return super().invoke(ctx)
        except EmpiarReaderError as error:
            click.echo(f"empiarreader: {error}", err=True)
            for note in getattr(error, "__notes__", ()):
                click.echo(note, err=True)
            ctx.exit(exit_code(error))
        except OSError as error:  # the library makes its own of all others
            if error.errno == errno.EPIPE:
                raise  # nobody reads on, which click takes as the end
            click.echo(f"empiarreader: cannot write to standard output: {error.strerror}", err=True)
            with contextlib.suppress(OSError):  # nor can Python when it ends, and would say so
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(SOME_FAILED)
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


if __name__ == "__main__":
    main()
