"""One writer a format: it is given batches, and says of each sample where its image went."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from caked.errors import InvalidOptionError, ShapeError
from caked.exporting.samples import describe
from caked.io.particles import WHOLE_FILE, ParticleTable
from caked.io.poses import euler_from_matrices
from caked.io.write import write_mrc
from caked.io.write_star import write_particles_star
from caked.protocol import Array
from caked.transforms.base import Batch

__all__ = ["Writer", "open_writer"]

STACK = "particles.mrcs"
_CHUNK_BYTES = 4 * 1024 * 1024
_CTF_AND_GROUPS = (
    "defocus_u_angstrom",
    "defocus_v_angstrom",
    "defocus_angle_degrees",
    "voltage_kilovolts",
    "spherical_aberration_millimetres",
    "amplitude_contrast",
    "phase_shift_degrees",
    "ctf_bfactor_square_angstrom",
    "ctf_scale",
    "optics_group",
    "half_set",
)


class Writer(Protocol):
    """Takes batches until it is closed."""

    def add(self, batch: Batch) -> list[str]:
        """Write the images of a batch, and return where each went."""
        ...

    def close(self) -> None:
        """Finish the files."""
        ...


def open_writer(kind: str, folder: Path, count: int, *, samples_per_shard: int) -> Writer:
    """Return the writer of a format, for ``count`` samples in all."""
    if kind == "mrc":
        return MrcWriter(folder, count)
    if kind == "shards":
        return ShardWriter(folder, samples_per_shard)
    return ArrayWriter(folder, count, as_zarr=kind == "zarr")


def _images(batch: Batch) -> Array:
    images = batch["image"]
    if not hasattr(images, "detach") or images.is_nested:
        raise ShapeError("This format holds images of one shape; bring them to one size, or write shards.")
    return np.asarray(images.detach().cpu().numpy())


class ArrayWriter:
    """One array of all images, as a numpy file or in zarr."""

    def __init__(self, folder: Path, count: int, *, as_zarr: bool) -> None:
        self.folder, self.count, self.as_zarr = folder, count, as_zarr
        self.written = 0
        self.array: Any = None

    def add(self, batch: Batch) -> list[str]:
        """Write the images of a batch behind those before."""
        images = _images(batch)
        images = images[:, 0] if images.shape[1] == 1 else images
        if self.array is None:
            self.array = self._open((self.count, *images.shape[1:]), images.dtype)
        if images.shape[1:] != self.array.shape[1:]:
            raise ShapeError(
                f"{batch['name'][0]} has the shape {images.shape[1:]}, those before {self.array.shape[1:]}; "
                "bring them to one size, or write shards."
            )
        start, self.written = self.written, self.written + len(images)
        self.array[start : self.written] = images
        return [f"{self.name}#{k}" for k in range(start, self.written)]

    @property
    def name(self) -> str:
        """Name of the array's file or folder."""
        return "images.zarr" if self.as_zarr else "images.npy"

    def _open(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
        path = self.folder / self.name
        if not self.as_zarr:
            return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        try:
            import zarr
        except ImportError as error:
            raise InvalidOptionError("To write zarr: pip install './caked[zarr]' (or zarr).") from error
        each = max(1, int(np.prod(shape[1:])) * dtype.itemsize)
        chunk = min(shape[0], max(1, _CHUNK_BYTES // each))
        return zarr.create_array(str(path), shape=shape, dtype=dtype, chunks=(chunk, *shape[1:]))

    def close(self) -> None:
        """Flush what is written."""
        if not self.as_zarr and self.array is not None:
            self.array.flush()


class MrcWriter:
    """Images as one stack, volumes as a file each, and a STAR file that lists them."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self.stack: Any = None
        self.written = 0
        self.columns: list[dict[str, Any]] = []
        self.files: list[str] = []
        self.pixel_sizes: set[tuple[float, ...]] = set()

    def add(self, batch: Batch) -> list[str]:
        """Write the images of a batch."""
        images = _images(batch)
        if images.shape[1] != 1 or images.ndim not in (4, 5) or images.dtype.kind == "c":
            raise InvalidOptionError(
                f"MRC files hold real images and volumes of one channel, not {images.shape[1:]} of "
                f"{images.dtype}; write npy, zarr or shards."
            )
        sizes = [tuple(row.tolist()) for row in batch["pixel_size_angstrom"]]
        self.pixel_sizes |= set(sizes)
        start, self.written = self.written, self.written + len(images)
        places = (
            self._add_sections(images[:, 0], start)
            if images.ndim == 4
            else self._add_volumes(images[:, 0], start, sizes)
        )
        self.columns.append(_table_columns(batch, sizes))
        return places

    def _add_sections(self, images: Array, start: int) -> list[str]:
        import mrcfile

        if self.stack is None:
            shape = (self.count, *images.shape[1:])
            self.stack = mrcfile.new_mmap(self.folder / STACK, shape=shape, mrc_mode=2)
            self.stack.set_image_stack()
        if images.shape[1:] != self.stack.data.shape[1:]:
            raise ShapeError(
                f"An image has the shape {images.shape[1:]}, those before {self.stack.data.shape[1:]}; bring "
                "them to one size, or write shards."
            )
        self.stack.data[start : start + len(images)] = images
        return [f"{STACK}#{k}" for k in range(start, start + len(images))]

    def _add_volumes(self, volumes: Array, start: int, sizes: Sequence[tuple[float, ...]]) -> list[str]:
        names = [f"volume_{start + k:06d}.mrc" for k in range(len(volumes))]
        for name, volume, size in zip(names, volumes, sizes, strict=True):
            write_mrc(self.folder / name, volume, voxel_size=size)
        self.files += names
        return names

    def close(self) -> None:
        """Finish the header of the stack, and write the list of particles."""
        side = None
        if self.stack is not None:
            side = int(self.stack.header.nx)
            if len(self.pixel_sizes) == 1 and all(size := next(iter(self.pixel_sizes))):
                self.stack.voxel_size = (size[1], size[0], 0.0)
            self.stack.update_header_stats()
            self.stack.close()
        write_particles_star(self.folder / "particles.star", self._table(), image_size=side)

    def _table(self) -> ParticleTable:
        keys = [key for key in self.columns[0] if all(key in part for part in self.columns)]
        joined = {key: np.concatenate([part[key] for part in self.columns]) for key in keys}
        count = self.written
        if self.stack is not None:
            places = [STACK], np.zeros(count, np.int32), np.arange(count, dtype=np.int32)
        else:
            places = self.files, np.arange(count, dtype=np.int32), np.full(count, WHOLE_FILE, np.int32)
        micrographs = joined.pop("micrograph", None)
        return ParticleTable.from_columns(
            places=places,
            pixel_size_angstrom=joined.pop("pixel_size", None),
            angles=joined.pop("angles", None),
            shifts=joined.pop("shift_angstrom", None),
            micrographs=None if micrographs is None else micrographs.tolist(),
            columns=joined,
            kept={},
        )


def _table_columns(batch: Batch, sizes: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    """Return what a list of particles says of a batch; pixels that are not square are left unsaid."""
    columns: dict[str, Any] = {
        key: batch[key].cpu().numpy() for key in _CTF_AND_GROUPS if hasattr(batch.get(key), "cpu")
    }
    if "pose" in batch:
        columns["angles"] = euler_from_matrices(batch["pose"].cpu().numpy())
    if hasattr(batch.get("shift_angstrom"), "cpu"):
        columns["shift_angstrom"] = batch["shift_angstrom"].cpu().numpy()
    if "micrograph" in batch:
        columns["micrograph"] = np.array(batch["micrograph"], dtype=object)
    if all(size and size[0] > 0 and max(size) - min(size) <= 1e-4 * size[0] for size in sizes):
        columns["pixel_size"] = np.array([size[0] for size in sizes])
    return columns


class ShardWriter:
    """Tar files of some samples, each an array and what is known of it under one name."""

    def __init__(self, folder: Path, samples_per_shard: int) -> None:
        self.folder, self.samples_per_shard = folder, samples_per_shard
        self.written = 0
        self.shard: tarfile.TarFile | None = None

    def add(self, batch: Batch) -> list[str]:
        """Write each sample of a batch."""
        return [self._add_one(batch, k) for k in range(len(batch["name"]))]

    def _add_one(self, batch: Batch, k: int) -> str:
        number, key = self.written // self.samples_per_shard, f"{self.written:08d}"
        if self.written % self.samples_per_shard == 0:
            self.close()
            path = self.folder / _shard_name(number)
            self.shard = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - close() ends it
        image = batch["image"][k].detach().cpu().numpy()
        buffer = io.BytesIO()
        np.save(buffer, image[0] if len(image) == 1 else image, allow_pickle=False)
        self._add_member(f"{key}.npy", buffer.getvalue())
        self._add_member(f"{key}.json", json.dumps(describe(batch, k, ())).encode("utf-8", "surrogateescape"))
        self.written += 1
        return f"{_shard_name(number)}#{key}"

    def _add_member(self, name: str, content: bytes) -> None:
        assert self.shard is not None
        member = tarfile.TarInfo(name)  # without owner and time: the same samples make the same bytes
        member.size = len(content)
        self.shard.addfile(member, io.BytesIO(content))

    def close(self) -> None:
        """Finish the shard that is open."""
        if self.shard is not None:
            self.shard.close()


def _shard_name(number: int) -> str:
    return f"shard-{number:05d}.tar"
