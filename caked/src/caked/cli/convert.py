"""``caked convert``: particles and coordinates from one program's files to another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from caked.cli.commands import speaking_options, tell
from caked.counting import counted

__all__ = ["command"]

_HELP = """\b
$ caked convert particles.cs particles.star
$ caked convert particles.star older.star --star-version 3.0
$ caked convert particles.cs picks.csv --passthrough particles_passthrough.cs
$ caked convert picks.star picks.box --box-size 256

Write particles or coordinates in the form that another program reads.

Pose, shift, CTF and units follow the conventions of RELION and cryoSPARC; images are not copied, and the
names of stacks stay as they are. The ending of TARGET says what is written: .star or .cs for particles;
.star, .box, .csv, .tsv or .txt for coordinates, those of particles included."""


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
@click.option(
    "--passthrough",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A .cs file with what SOURCE lacks; may be given again.",
)
@click.option("--json", "as_json", is_flag=True, help="Tell of the file as one JSON object.")
@speaking_options
def command(source: Path, target: Path, as_json: bool, **options: Any) -> None:
    """Convert, and print the name of the file."""
    from caked.conversion import convert

    done = convert(source, target, **options)
    if as_json:
        click.echo(json.dumps({"path": str(done.path), "kind": done.kind, "count": done.count}))
        return
    tell(f"wrote {counted(done.count, done.kind)}")
    click.echo(str(done.path))
