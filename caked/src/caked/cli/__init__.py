"""The command line. ``inspect`` never waits for torch: what it does is done with headers."""

from __future__ import annotations

import logging
import sys

import click

from caked import __version__
from caked.cli.commands import Commands, speaking_options

__all__ = ["main"]

_HELP = """\b
$ caked inspect particles/ --json
$ caked preview particles.star --output preview.png
$ caked convert particles.cs particles.star

Cryo-EM images and volumes for PyTorch."""


@click.group(cls=Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="caked")
@speaking_options
def main() -> None:
    """Set up the log; the commands do the rest."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
