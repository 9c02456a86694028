"""The command line. ``inspect`` never waits for torch: what it does is done with headers."""

from __future__ import annotations

import logging
import sys

import click

from caked import __version__
from caked.cli.commands import Commands

__all__ = ["main"]

_HELP = """\b
$ caked inspect particles/ --json
$ caked preview particles.star --output preview.png
$ caked convert particles.cs particles.star

Cryo-EM images and volumes for PyTorch."""


@click.group(cls=Commands, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="caked")
@click.option("-v", "--verbose", is_flag=True, help="Tell on stderr what is noticed on the way.")
@click.option("-q", "--quiet", is_flag=True, help="Tell nothing but results and errors.")
def main(verbose: bool, quiet: bool) -> None:
    """Set up the log; the commands do the rest."""
    level = logging.ERROR if quiet else logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
