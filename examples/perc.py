"""Ids in, training batches out: profet, empiarreader and caked as one pipeline.

1. profet fetches structures by id and cleans them.
2. Images are simulated from them and put into the embedded archive as EMPIAR entries.
3. empiarreader finds them by metadata, listing and pattern; it downloads one entry and streams the other.
4. caked labels, splits, transforms and loads them.
5. A small network learns to tell the molecules apart, and is scored on images of micrographs it has not seen.
6. Pictures, a recipe that makes the same batches again, and a summary are left behind.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import caked
import empiarreader
import profet
from perc_steps import (
    Story,
    fetch_structures,
    find_particles,
    learn,
    make_recipe,
    show_laziness,
    show_micrograph,
    simulate,
    streamed,
)

MICROGRAPH_OF_THE_PAPER = "data/MotionCorr/job003/Tiff/EER/Images-Disc1/GridSquare_11149061/Data"
LIVE_ENTRIES = (11924, 12002, 10943)


@contextlib.contextmanager
def embedded_archive(real: Path | None) -> Iterator[Any]:
    """Start the embedded archive and point the libraries, for the rest of this program, at it."""
    from perc_archive import Archive
    from perc_simulation.content import add_structures, add_tutorial_entries

    with Archive(real_data=real) as archive:
        if real is None:
            add_structures(archive)
            add_tutorial_entries(archive)
        os.environ.update(archive.settings())
        yield archive


def run_embedded(
    story: Story, *, real: Path | None, images: int, snr: float, epochs: int, seed: int
) -> float:
    """Run on the embedded archive: synthetic molecules, or the real files of a folder."""
    from perc_simulation.dataset import SimulationOptions
    from perc_simulation.molecules import MOLECULES

    queries = [(m.query, "pdb" if m.pdb_id else "alphafold") for m in MOLECULES]
    if real is not None:
        queries = [("4v1w", "pdb"), ("P05067", "alphafold"), ("1jk9", "pdb"), ("5eil", "pdb")]
    options = SimulationOptions(
        images_per_class=images, particles_per_micrograph=max(1, images // 10), signal_to_noise=snr
    )
    with embedded_archive(real) as archive:
        structures = fetch_structures(queries, story)
        simulate(structures, archive, options, story)
        source = find_particles(story)
        stack = empiarreader.EmpiarEntry(12002).find("*.mrcs", directory="data/Particles")[0]
        show_laziness(stack.url, story)
        if real is not None:
            show_real_images(real, story)
        micrographs = empiarreader.EmpiarSource(11924, "data/Micrographs", filename="*.mrc")
        show_micrograph(micrographs, 0, micrographs.names[0], story)
        recipe = make_recipe(
            source, caked.RegexLabels(r"([^/_]+)_\d+\.mrcs"), size=options.box // 2, seed=seed
        )
        return learn(recipe, epochs=epochs, seed=seed, story=story)


def show_real_images(real: Path, story: Story) -> None:
    """Stream the particles of EMPIAR-10076, read EMDB maps from disk, and draw both."""
    from perc_pictures import draw_panels

    entry = empiarreader.EmpiarEntry(10076)
    particles = caked.Dataset(
        caked.Sections(empiarreader.EmpiarSource(10076, "data", filename="*.mrc")),
        transform=[caked.transforms.FourierCrop(size=80), caked.transforms.Standardise()],
    )
    panels = [(f"{entry.accession}, {i}", sample["image"][0].numpy()) for i, sample in enumerate(particles)]
    maps = caked.FileSource(real / "caked" / "mrcfile", pattern="EMD-*.map")
    for i, name in enumerate(maps.names):
        volume = maps.read(i)
        sizes = ", ".join(f"{size:.2f}" for size in maps.pixel_size(i))
        story.tell(f"{name}: {' × '.join(map(str, volume.shape))} voxels of {sizes} Å along its axes")
        panels.append((name, volume[volume.shape[0] // 2]))
    path = draw_panels(panels, path=story.output / "real_images.png")
    story.show(f"{len(particles)} particles of {entry.accession} and {len(maps)} EMDB maps", path)


def run_live(
    story: Story, *, epochs: int, seed: int, size: int = 128, files: int = 8, patches: int = 16
) -> float:
    """Run on the real archives: a structure, a micrograph of its entry, patches of three entries."""
    fetch_structures([("7qk5", "pdb")], story)
    story.tell("Images, found by empiarreader", heading=True)
    parts = []
    for entry_id in LIVE_ENTRIES:
        entry = empiarreader.EmpiarEntry(entry_id)
        story.tell(f"{entry.accession}: {entry.title}")
        names = first_images(entry, MICROGRAPH_OF_THE_PAPER if entry_id == 10943 else "", files)
        arguments = {"entry": entry_id, "files": names, "size": size, "limit": patches}
        parts.append(streamed("open_patches", arguments))
        story.tell(f"streaming {len(parts[-1])} patches of {size}² pixels from {len(names)} files")
    micrographs = empiarreader.EmpiarSource(
        10943, MICROGRAPH_OF_THE_PAPER, filename=".*EER\\.mrc", regexp=True
    )
    show_micrograph(micrographs, 0, "EMPIAR-10943", story)
    show_laziness(micrographs.filenames[0], story)
    source = caked.CachedSource(caked.ConcatSource(parts, keys=[f"EMPIAR-{n}" for n in LIVE_ENTRIES]))
    recipe = make_recipe(source, caked.MetaLabels("source"), size=size // 2, seed=seed)
    return learn(recipe, epochs=epochs, seed=seed, story=story)


def first_images(entry: empiarreader.EmpiarEntry, directory: str, count: int) -> list[str]:
    """Walk an entry until enough MRC images are found; their paths within it."""
    found: list[str] = []
    for folder in entry.walk(directory):
        images = [file.path for file in folder.files if file.path.lower().endswith((".mrc", ".mrcs"))]
        found += images[: count - len(found)]
        if len(found) == count:
            break
    if not found:
        raise empiarreader.ArchiveFileNotFoundError(
            f"{entry.accession} has no MRC images in {directory or 'it'}"
        )
    return found


HELP = """\b
$ python examples/perc.py                on the embedded archive
$ python examples/perc.py --real DIR     on real structures and images
$ python examples/perc.py --live         on the real archives

Ids in, training batches out: run profet, empiarreader and caked as one pipeline."""


@click.command(
    help=HELP,
    epilog="Exit code 0: done; 1: something failed; 3: not found; 4: no network; 5: damaged data.",
)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default="perc_output", show_default=True
)
@click.option(
    "--real", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of real files."
)
@click.option(
    "--live", is_flag=True, help="Run on the real archives (EMPIAR-11924, 12002 and 10943, PDB 7QK5)."
)
@click.option("--images", default=150, show_default=True, help="Simulated images of each class.")
@click.option("--snr", default=0.05, show_default=True, help="Their signal-to-noise ratio.")
@click.option("--epochs", default=60, show_default=True, help="Passes over the training images.")
@click.option("--seed", default=7, show_default=True)
def main(
    output: Path, real: Path | None, live: bool, images: int, snr: float, epochs: int, seed: int
) -> None:
    """Run the story that the options choose."""
    if live and real:
        raise click.UsageError("--live and --real exclude one another")
    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    story = Story(output.resolve())
    try:
        if live:
            run_live(story, epochs=epochs, seed=seed)
        else:
            run_embedded(story, real=real, images=images, snr=snr, epochs=epochs, seed=seed)
    except (profet.ProfetError, empiarreader.EmpiarReaderError, caked.CakedError) as error:
        click.echo(f"perc: {error}", err=True)
        sys.exit(exit_code(error))
    story.tell(f"all of it took {time.perf_counter() - started:.0f} s")
    click.echo(f"\nPictures, recipe and summary: {story.write().parent}")


def exit_code(error: Exception) -> int:
    """Exit code of an error: 3 not found, 4 no network, 5 damaged data, 1 anything else."""
    could_not_ask = (profet.ServiceError, empiarreader.ServiceError)
    damaged = (profet.DamagedFileError, empiarreader.DamagedDataError, caked.DamagedFileError)
    if isinstance(error, could_not_ask):
        return 4
    if isinstance(error, damaged):
        return 5
    return 3 if isinstance(error, LookupError | FileNotFoundError) else 1


if __name__ == "__main__":
    main()
