"""``caked convert``: particles and coordinates from one program's files to another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["command"]

_HELP = """\b
$ caked convert particles.cs particles.star
$ caked convert particles.star older.star --star-version 3.0
$ caked convert picks.star picks.box --box-size 256

Write particles or coordinates in the form that another program reads.

Pose, shift, CTF and units follow the conventions of RELION and cryoSPARC; images are not copied, and the
names of stacks stay as they are. The ending of TARGET says what is written: .star or .cs for particles;
.star, .box, .csv, .tsv or .txt for coordinates."""


@click.command("convert", help=_HELP, short_help="Convert particles and coordinates between programs.")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--star-version",
    type=click.Choice(["3.0", "3.1", "5"]),
    default="3.1",
    show_default=True,
    help="RELION that is to read particles.",
)
@click.option(
    "--image-size", type=click.IntRange(1), help="Side of the particle images, if stacks are not here."
)
@click.option("--box-size", type=click.IntRange(1), help="Side of the boxes of a .box file, in pixels.")
def command(
    source: Path, target: Path, star_version: Any, image_size: int | None, box_size: int | None
) -> None:
    """Convert, and print the name of the file."""
    from caked.conversion import convert

    done = convert(source, target, star_version=star_version, image_size=image_size, box_size=box_size)
    click.echo(f"wrote {done.count} {done.kind}", err=True)
    click.echo(str(done.path))
