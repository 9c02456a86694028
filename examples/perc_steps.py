"""The steps of the examples' pipeline: structures, images, batches, learning, and the story of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

import caked
import empiarreader
import profet

__all__ = [
    "Story",
    "fetch_structures",
    "find_particles",
    "learn",
    "make_recipe",
    "show_laziness",
    "show_micrograph",
    "simulate",
    "streamed",
]

SPLIT = {"train": 0.6, "validation": 0.2, "test": 0.2}


@dataclass
class Story:
    """What happens on the way, for the summary."""

    output: Path
    lines: list[str] = field(default_factory=list)
    pictures: list[tuple[str, Path]] = field(default_factory=list)

    def tell(self, line: str, *, heading: bool = False) -> None:
        """Print a line, and keep it."""
        click.echo(f"\n{line}" if heading else f"  {line}")
        self.lines.append(f"\n## {line}\n" if heading else f"- {line}")

    def show(self, caption: str, path: Path) -> None:
        """Keep a picture."""
        self.pictures.append((caption, path))
        self.tell(f"{caption}: {path.name}")

    def write(self) -> Path:
        """Write the page, and all pictures on one sheet."""
        from perc_pictures import draw_overview

        drawn = {path.stem: path for _, path in self.pictures}
        rows = [[drawn["micrograph"]], [drawn["batch"]], [drawn["training"], drawn["confusion"]]]
        draw_overview(rows, path=self.output / "overview.png")
        shown = [f"\n![{caption}]({path.name})" for caption, path in self.pictures]
        path = self.output / "summary.md"
        path.write_text("\n".join(["# What happened", *self.lines, "\n## Pictures", *shown, ""]))
        return path


def fetch_structures(queries: Sequence[tuple[str, str]], story: Story) -> dict[str, Path]:
    """Fetch structures by (id, database) and clean them; the cleaned file of each label."""
    story.tell("Structures, fetched and cleaned by profet", heading=True)
    fetcher = profet.Fetcher(save_directory=story.output / "structures")
    cleaned = {}
    for query, database in queries:
        filename, structure = fetcher.get_file(query, filetype="cif", filesave=True, db=database)
        is_uniprot = len(query) > 4
        path = Path(fetcher.remove(query, signal_peptides=is_uniprot))
        story.tell(f"{query}: {Path(str(filename)).name}, {len(structure):,} bytes; cleaned: {path.name}")
        cleaned[query.lower()] = path
    story.tell(f"databases that hold them: {fetcher.search_history()}")
    return cleaned


def simulate(structures: Mapping[str, Path], archive: Any, options: Any, story: Story) -> None:
    """Simulate particle images of the structures and add them to the archive as two EMPIAR entries."""
    from perc_simulation.content import add_particle_entries
    from perc_simulation.dataset import simulate_entries

    story.tell("Images, simulated from the cleaned structures", heading=True)
    entries = simulate_entries(structures, options=options, progress=story.tell)
    add_particle_entries(archive, entries, options=options)
    story.tell(
        f"{options.images_per_class} images of {options.box}² pixels a class at a signal-to-noise ratio of "
        f"{options.signal_to_noise:g}, in EMPIAR-{' and EMPIAR-'.join(map(str, entries))}"
    )


def find_particles(story: Story) -> caked.Source:
    """Find the particle stacks of both entries; download the first, stream the second."""
    from perc_simulation.dataset import ENTRIES

    story.tell("Images, found by empiarreader", heading=True)
    parts: list[Any] = []
    for number, entry_id in enumerate(ENTRIES):
        entry = empiarreader.EmpiarEntry(entry_id)
        imageset = next(s for s in entry.imagesets if s.category.startswith("picked particles"))
        stacks = entry.find("*.mrcs", directory=imageset.directory)
        story.tell(f"{entry.accession}, {entry.title!r}: {len(stacks)} stacks in {imageset.directory}")
        if number == 0:
            manifest = empiarreader.download(
                stacks, story.output / "downloads" / str(entry_id), layout="flat"
            )
            if manifest.failures:
                raise click.ClickException(f"could not download {manifest.failures[0]}")
            story.tell(f"downloaded {len(manifest.files)} files, each with its SHA-256 in the manifest")
            parts.append(caked.StackSource(story.output / "downloads" / str(entry_id), pattern="*.mrcs"))
        else:
            arguments = {"entry": entry_id, "directory": imageset.directory, "filename": "*.mrcs"}
            parts.append(streamed("open_entry", arguments))
            story.tell("streamed: its images go from the archive into batches, no file is stored")
    return caked.CachedSource(caked.ConcatSource(parts, keys=[f"EMPIAR-{entry}" for entry in ENTRIES]))


def streamed(factory: str, arguments: Mapping[str, Any]) -> caked.Source:
    """Images of a streamed source, which a recipe can make again by the name of its factory."""
    import perc_sources

    source = getattr(perc_sources, factory)(**arguments)
    return caked.Sections(caked.stream(source, factory=f"perc_sources:{factory}", arguments=arguments))


def show_laziness(url: str, story: Story) -> None:
    """Read one section of a stack, or one row of an image, and tell what moved."""
    before = empiarreader.traffic()
    stack = empiarreader.MrcSource(url).partition(0)
    header = empiarreader.traffic() - before
    section = stack[len(stack) // 2].values
    moved = empiarreader.traffic() - before - header
    story.tell(
        f"one of {len(stack)} {'rows' if stack.ndim == 2 else 'sections'}: {header.bytes_received:,} bytes "
        f"of header, then {moved.bytes_received:,} bytes for {section.nbytes:,} bytes of pixels"
    )


def show_micrograph(source: empiarreader.EmpiarSource, index: int, title: str, story: Story) -> None:
    """Read one micrograph and draw it with its power spectrum."""
    from perc_pictures import draw_micrograph

    micrograph = source.read_partition(index)
    size = float(micrograph.voxel_size.x)
    path = draw_micrograph(
        np.asarray(micrograph.values, np.float32),
        pixel_size_angstrom=size,
        title=title,
        path=story.output / "micrograph.png",
    )
    story.show(f"micrograph at {size:.2f} Å and its power spectrum", path)


def make_recipe(
    source: caked.Source, labels: Any, *, size: int, seed: int, by: str = "group"
) -> caked.Recipe:
    """Labels, split by micrograph, transforms and seed: all that the batches depend on."""
    transforms = caked.transforms
    return caked.Recipe(
        source=source,
        labels=labels,
        split=caked.SplitRule(fractions=SPLIT, by=by, stratify=True, seed=seed),  # type: ignore[arg-type]
        transforms=[
            transforms.FourierCrop(size=size),
            transforms.Standardise(),
            transforms.RandomRot90(),
            transforms.RandomFlip(),
            transforms.RandomRoll(shift=size // 10),
        ],
        seed=seed,
        batch_size=32,
        drop_last=True,
    )


def show_batch(recipe: caked.Recipe, batch: Mapping[str, Any], classes: Sequence[str], story: Story) -> None:
    """Draw the first images of a batch as they were read and as they go into the network."""
    from perc_pictures import draw_batch

    chosen = batch["index"].tolist()[:8]
    before = recipe.source.read_batch(chosen).astype(np.float32)
    labels = [classes[int(label)] for label in batch["label"][:8]]
    path = draw_batch(before, batch["image"][:8, 0].numpy(), labels, path=story.output / "batch.png")
    story.show("a labelled batch before and after the transforms", path)


def check_recipe(recipe: caked.Recipe, first_batch: Mapping[str, Any], story: Story) -> None:
    """Write the recipe, make the loaders again from the file, and compare the first batch bit for bit."""
    import torch

    path = recipe.save(story.output / "recipe.json")
    again = next(iter(caked.Recipe.load(path, allow=["perc_sources"]).build()["train"]))
    same = all(torch.equal(first_batch[key], again[key]) for key in ("image", "label", "index"))
    if not same:
        raise click.ClickException(f"{path} does not make the same batches again")
    story.tell(f"{path.name} makes the same batches again, bit for bit (sha256 {recipe.sha256[:12]}…)")


def learn(recipe: caked.Recipe, *, epochs: int, seed: int, story: Story) -> float:
    """Train on one part, score on another, draw the course and the confusion."""
    import torch

    from perc_learning import Result, SmallNetwork, majority_baseline, train
    from perc_pictures import draw_confusion, draw_training

    story.tell("Batches, made by caked", heading=True)
    loaders, parts = recipe.build(), recipe.datasets()
    classes = parts["train"].classes
    for part, dataset in parts.items():
        groups = len({recipe.source.group(int(i)) for i in dataset.indices})
        story.tell(f"{part}: {len(dataset)} images of {groups} micrographs, {dataset.class_counts()}")
    first_batch = next(iter(loaders["train"]))
    show_batch(recipe, first_batch, classes, story)
    check_recipe(recipe, first_batch, story)

    story.tell("A small network learns to tell the classes apart", heading=True)
    torch.manual_seed(seed)
    network = SmallNetwork(len(classes))
    labels = {part: dataset.own_labels().codes.tolist() for part, dataset in parts.items()}
    baseline = majority_baseline(labels["train"], labels["test"])
    started = time.perf_counter()
    with click.progressbar(length=epochs, label="  training", file=sys.stderr) as bar:

        def report(epoch: int, result: Result) -> None:
            bar.update(1)

        result = train(
            network,
            loaders["train"],
            loaders["validation"],
            loaders["test"],
            epochs=epochs,
            begin_epoch=loaders["train"].set_epoch,
            report=report,
        )
    story.show(
        "loss and accuracy", draw_training(result, baseline=baseline, path=story.output / "training.png")
    )
    story.show(
        "confusion of the held-out images",
        draw_confusion(result, classes, path=story.output / "confusion.png"),
    )
    story.tell(
        f"held-out accuracy {result.accuracy:.2f}, majority baseline {baseline:.2f} "
        f"({epochs} epochs in {time.perf_counter() - started:.0f} s)"
    )
    return result.accuracy
