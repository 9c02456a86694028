"""From a data set to a folder: batch by batch, and whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from caked.dataset import Dataset, TupleDataset
from caked.errors import InvalidOptionError
from caked.exporting.samples import SAMPLES, write_samples
from caked.exporting.writers import Writer, open_writer
from caked.transforms.compose import without_random

__all__ = ["ExportFormat", "Exported", "export"]

ExportFormat = Literal["mrc", "npy", "zarr", "shards"]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written: the folder, the files in it by their names, and how many samples they hold."""

    directory: Path
    files: tuple[str, ...]
    count: int


def export(
    dataset: Dataset | TupleDataset,
    directory: str | os.PathLike[str],
    *,
    format: ExportFormat = "mrc",
    batch_size: int = 32,
    augment: bool = False,
    samples_per_shard: int = 1000,
    progress: Callable[[int], object] | None = None,
) -> Exported:
    """Write the samples of a data set as they come out of its transforms, in its order.

    Parameters
    ----------
    dataset
        What to write; a source alone is ``Dataset(source)``.
    directory
        A new folder, or an empty one. It appears when everything is written.
    format
        ``"mrc"``: images as one stack ``particles.mrcs``, volumes as one ``.mrc`` each, with
        ``particles.star`` (RELION 3.1: optics groups, pose, shift, CTF, as far as they are known).
        ``"npy"``: one array ``images.npy``, ``(n, *spatial)`` or ``(n, channel, *spatial)``.
        ``"zarr"``: the same as ``images.zarr`` (needs ``caked[zarr]``). ``"shards"``: tar files of a
        thousand samples, an ``.npy`` and a ``.json`` each, as webdataset and others read them; shapes may
        differ there.
    batch_size
        Samples that are processed at a time.
    augment
        Whether random transforms are applied, as they draw in epoch 0; otherwise they are left out.
    samples_per_shard
        For ``"shards"``.
    progress
        Called with the number of samples written so far, after each batch.

    Returns
    -------
    Exported
        Beside the images there is always ``samples.jsonl``: a line for each sample with its name, class,
        group and everything else that is known of it. :class:`caked.TableLabels` reads classes from it.

    Raises
    ------
    InvalidOptionError
        If the folder is not empty, or the format cannot hold the samples.
    ShapeError
        If shapes differ where the format needs one.
    """
    if format not in get_args(ExportFormat):
        raise InvalidOptionError(
            f"Samples are written as {', '.join(get_args(ExportFormat))}, not {format!r}."
        )
    if batch_size < 1 or samples_per_shard < 1:
        raise InvalidOptionError("A batch and a shard have one sample at least.")
    inner = dataset.dataset if isinstance(dataset, TupleDataset) else dataset
    if not len(inner):
        raise InvalidOptionError(f"{inner!r} has no sample to write.")
    chosen = inner if augment else inner.subset(inner.indices, transform=without_random(inner.transform))
    target = Path(directory)
    with _new_folder(target) as folder:
        writer = open_writer(format, folder, len(chosen), samples_per_shard=samples_per_shard)
        with (folder / SAMPLES).open("w", encoding="utf-8", errors="surrogateescape") as lines:
            _write(chosen, writer, lines, batch_size, progress)
        writer.close()
        files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.iterdir()))
    return Exported(directory=target, files=files, count=len(chosen))


def _write(
    dataset: Dataset, writer: Writer, lines: Any, batch_size: int, progress: Callable[[int], object] | None
) -> None:
    for start in range(0, len(dataset), batch_size):
        batch = dataset.batch(range(start, min(start + batch_size, len(dataset))))
        places = writer.add(batch)
        write_samples(lines, batch, places, dataset.classes)
        if progress is not None:
            progress(start + len(batch["name"]))


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Give a folder beside the target to write into; it becomes the target if the block ends well."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidOptionError(
            f"{target} is there and not empty; give a new folder, so that nothing is lost."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a process of the same number that was killed
    part.mkdir()
    try:
        yield part
        part.replace(target)  # an empty folder is replaced; one that has been filled meanwhile is not
    except OSError as error:
        if target.is_dir() and any(target.iterdir()):
            raise InvalidOptionError(f"{target} was filled by another process meanwhile.") from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
