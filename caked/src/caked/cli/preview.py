"""``caked preview``: samples before and after each transform, as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from caked.cli.commands import printable, speaking_options, tell
from caked.cli.datasets import dataset_options, open_dataset

if TYPE_CHECKING:
    from caked.previewing import Preview

__all__ = ["command"]

_HELP = """\b
$ caked preview particles.star --output preview.png
$ caked preview subtomograms/ --labels prefix --transform rescale=32 --transform normalise
$ caked preview recipe.json --part train --count 8

Draw samples before and after each transform.

A row for each stage, a column for each sample; below them power spectra and the number of samples of each
class. PATH is a recipe, a STAR or .cs file, a stack, an image file, or a folder of files."""


@click.command("preview", help=_HELP, short_help="Draw samples before and after each transform.")
@dataset_options
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("preview.png"),
    show_default=True,
    help="Picture.",
)
@click.option("--count", type=click.IntRange(1, 24), default=6, show_default=True, help="How many samples.")
@click.option("--epoch", type=click.IntRange(0), default=0, show_default=True, help="Of random transforms.")
@click.option("--json", "as_json", is_flag=True, help="Tell what is on it as one JSON object.")
@speaking_options
def command(path: Path, output: Path, count: int, epoch: int, as_json: bool, **options: Any) -> None:
    """Draw the picture, and print what is on it."""
    from caked.previewing import preview

    shown = preview(open_dataset(path, **options), count=count, epoch=epoch)
    written = shown.save(output)
    if as_json:
        click.echo(json.dumps({"path": str(written), **_facts(shown)}))
        return
    for stage in shown.stages:
        shape = " x ".join(str(length) for length in stage.images.shape[1:])
        size = f", {stage.pixel_size_angstrom:g} Å a pixel" if stage.pixel_size_angstrom else ""
        tell(f"{stage.name}: {shape}{size}")
    if shown.class_counts:
        counts = ", ".join(f"{printable(name)} {count}" for name, count in shown.class_counts.items())
        tell(f"classes: {counts}")
    click.echo(str(written))


def _facts(shown: Preview) -> dict[str, Any]:
    stages = [
        {
            "name": stage.name,
            "shape": list(stage.images.shape[1:]),
            "pixel_size_angstrom": stage.pixel_size_angstrom or None,
        }
        for stage in shown.stages
    ]
    return {"stages": stages, "class_counts": shown.class_counts}
