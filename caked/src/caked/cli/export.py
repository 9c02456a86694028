"""``caked export``: a processed data set, written to a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from caked.cli.commands import progress_bar, speaking_options, tell
from caked.cli.datasets import dataset_options, open_dataset
from caked.counting import counted

__all__ = ["command"]

_HELP = """\b
$ caked export particles.star --output binned --transform rescale=64
$ caked export recipe.json --part train --output shards --format shards

Write samples as they come out of their transforms.

\b
mrc     images as one stack, volumes as a file each, with a STAR file (RELION 3.1)
npy     one array
zarr    one array (needs caked[zarr])
shards  tar files of .npy and .json

Beside them there is always samples.jsonl, a line for each sample. The folder must be new or empty; it appears
when everything is written. Random transforms are left out, unless --augment is given."""


@click.command("export", help=_HELP, short_help="Write samples as they come out of their transforms.")
@dataset_options
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder to make.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["mrc", "npy", "zarr", "shards"]),
    default="mrc",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Processed at a time."
)
@click.option("--augment", is_flag=True, help="Apply random transforms, too, as they draw in epoch 0.")
@click.option("--json", "as_json", is_flag=True, help="Tell of the folder as one JSON object.")
@speaking_options
def command(
    path: Path, output: Path, format_: Any, batch_size: int, augment: bool, as_json: bool, **options: Any
) -> None:
    """Write the folder, and print its name."""
    from caked.exporting import export

    dataset = open_dataset(path, **options)
    with progress_bar(len(dataset), "Writing") as told:
        done = export(dataset, output, format=format_, batch_size=batch_size, augment=augment, progress=told)
    if as_json:
        click.echo(json.dumps({"path": str(done.directory), "files": done.files, "count": done.count}))
        return
    tell(
        f"wrote {counted(done.count, 'samples')}: {', '.join(done.files[:4])}{' …' if done.files[4:] else ''}"
    )
    click.echo(str(done.directory))
