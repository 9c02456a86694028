"""``caked bench``: how fast a data set is read and transformed here."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from caked.cli.commands import speaking_options
from caked.cli.datasets import dataset_options, open_dataset

__all__ = ["command"]

_HELP = """\b
$ caked bench particles.star --transform rescale=64 --num-workers 2
$ caked bench recipe.json --part train --json

Measure how many samples a second a loader gives here.

Shuffled batches for some seconds; the first second is left out, for workers to start and files to be
found."""


@click.command("bench", help=_HELP, short_help="Measure how many samples a second a loader gives.")
@dataset_options
@click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Samples in a batch."
)
@click.option(
    "--num-workers", type=click.IntRange(0), default=0, show_default=True, help="Reading processes."
)
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True, help="How long.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@speaking_options
def command(
    path: Path, batch_size: int, num_workers: int, seconds: float, as_json: bool, **options: Any
) -> None:
    """Go through the loader, and print what was measured."""
    from caked.loader import Loader

    dataset = open_dataset(path, **options)
    loader = Loader(dataset, batch_size=min(batch_size, len(dataset)), shuffle=True, num_workers=num_workers)
    rate = _samples_per_second(loader, seconds)
    count, epoch = len(dataset), len(dataset) / rate
    if as_json:
        click.echo(json.dumps({"samples_per_second": rate, "samples": count, "epoch_seconds": epoch}))
    else:
        click.echo(f"{rate:.0f} samples/s; an epoch of {count} takes {epoch:.1f} s")


def _samples_per_second(loader: Any, seconds: float) -> float:
    warm = time.perf_counter() + min(1.0, seconds / 5)
    counted, began, now = 0, 0.0, 0.0
    while True:
        for batch in loader:
            now = time.perf_counter()
            if not began:
                began = now if now >= warm else 0.0
                continue
            counted += len(batch["index"])
            if now - began >= seconds:
                return counted / (now - began)
