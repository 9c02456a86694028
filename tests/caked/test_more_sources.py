"""Movies, pairs, structures, stores, addresses: each beside what another library makes of the same data."""

from __future__ import annotations

import bz2
import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array
import gemmi
import h5py
import mrcfile
import numpy as np
import pytest
import tifffile
import torch
import zarr
from scipy.ndimage import gaussian_filter

import caked
from caked import (
    ArraySource,
    CachedSource,
    DamagedFileError,
    Dataset,
    FileSource,
    InvalidOptionError,
    LazyArraySource,
    MovieSource,
    PairSource,
    PatchSource,
    RecipeError,
    RefusedFileError,
    Sections,
    ShapeError,
    Source,
    SourceNotFoundError,
    StoreSource,
    StructureSource,
    UnreachableSourceError,
    UrlSource,
)
from caked.sources import source_from_dict
from mrc_vectors import mrc_bytes

FRAMES = np.random.default_rng(0).integers(0, 9, size=(2, 5, 6, 7)).astype(np.uint8)
GAIN = np.random.default_rng(1).uniform(0.5, 1.5, size=(6, 7)).astype(np.float32)


def _alike_again(source: Source) -> Source:
    """The same source by way of its description, and of a pickle."""
    again = pickle.loads(pickle.dumps(source_from_dict(source.to_dict())))
    assert isinstance(again, Source)
    assert list(again.names) == list(source.names)
    assert again.digest() == source.digest()
    np.testing.assert_array_equal(again.read(0), source.read(0))
    return again


@pytest.fixture
def movies(tmp_path: Path) -> Path:
    folder = tmp_path / "movies"
    folder.mkdir()
    for k, frames in enumerate(FRAMES):
        tifffile.imwrite(folder / f"m{k}.tif", frames, photometric="minisblack", compression="lzw")
    (tmp_path / "gain.mrc").write_bytes(mrc_bytes(GAIN))
    return folder


def test_frames_are_kept_grouped_or_summed_with_gain_and_dose(movies: Path, tmp_path: Path) -> None:
    files = FileSource(movies, squeeze=False)
    expected = FRAMES.astype(np.float64) * GAIN
    kept = MovieSource(files, gain=tmp_path / "gain.mrc", dose_per_frame_electrons_per_square_angstrom=1.5)
    np.testing.assert_allclose(kept.read(1), expected[1], rtol=1e-6)
    assert kept.columns([0])["dose_electrons_per_square_angstrom"].tolist() == [[0.0, 1.5, 3.0, 4.5, 6.0]]
    np.testing.assert_allclose(kept.read(1, (slice(3, 5), slice(1, 4))), expected[1, 3:5, 1:4], rtol=1e-6)

    grouped = MovieSource(
        files, frames=2, first=1, gain=GAIN, dose_per_frame_electrons_per_square_angstrom=2.0
    )
    assert grouped.shape(0) == (2, 6, 7)
    sums = np.stack([expected[0, 1:3].sum(axis=0), expected[0, 3:5].sum(axis=0)])
    np.testing.assert_allclose(grouped.read(0), sums, rtol=1e-6)
    assert grouped.meta(0)["dose_electrons_per_square_angstrom"].tolist() == [2.0, 6.0]

    summed = MovieSource(files, frames="sum")
    np.testing.assert_array_equal(summed.read_batch([1, 0]), FRAMES[[1, 0]].sum(axis=1))
    np.testing.assert_array_equal(summed.read(0, (slice(2, 4),)), FRAMES[0].sum(axis=0)[2:4])
    assert Dataset(summed).batch([0])["image"].shape == (1, 1, 6, 7)
    for source in (kept, summed):
        _alike_again(source)
    with pytest.raises(RecipeError, match="gain in memory"):
        grouped.to_dict()


def test_movies_refuse_what_they_cannot_do(movies: Path) -> None:
    files = FileSource(movies, squeeze=False)
    with pytest.raises(InvalidOptionError, match="'keep', 'sum' or a number"):
        MovieSource(files, frames=0)
    with pytest.raises(InvalidOptionError, match="are none"):
        MovieSource(files, first=3, last=2)
    with pytest.raises(ShapeError, match=r"has 5 frames, none from 7"):
        MovieSource(files, first=7).shape(0)
    with pytest.raises(ShapeError, match=r"gain reference has shape \(7, 6\)"):
        MovieSource(files, gain=GAIN.T).read(0)
    with pytest.raises(ShapeError, match="a movie is"):
        MovieSource(np.zeros((1, 2, 2, 2, 2))).shape(0)


def test_tiff_pages_are_what_tifffile_reads(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", FRAMES[0, 0], byteorder=">", photometric="minisblack")
    floats = np.random.default_rng(0).normal(size=(3, 6, 7)).astype(np.float32)
    tifffile.imwrite(tmp_path / "several.tiff", floats, photometric="minisblack", bigtiff=True)
    source = FileSource(tmp_path)

    assert [source.shape(i) for i in range(2)] == [(6, 7), (3, 6, 7)]
    np.testing.assert_array_equal(source.read(0), tifffile.imread(tmp_path / "one.tif"))
    np.testing.assert_array_equal(source.read(1, (slice(1, 3), slice(2, 5))), floats[1:3, 2:5])
    stack = caked.StackSource(tmp_path / "several.tiff")
    np.testing.assert_array_equal(stack.read_batch([2, 0]), floats[[2, 0]])


def test_tiff_that_is_cut_coloured_or_uneven_is_reported(tmp_path: Path) -> None:
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, FRAMES[0], photometric="minisblack", compression="zlib")
    (tmp_path / "cut.tif").write_bytes(whole.read_bytes()[:-40])
    (tmp_path / "zero.tif").write_bytes(b"II*\0" + bytes(40))
    for name in ("cut.tif", "zero.tif"):
        with pytest.raises(DamagedFileError, match=f"{name} is corrupted"):
            FileSource(tmp_path / name).read(0)
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    with pytest.raises(RefusedFileError, match=r"rgb\.tif has pages of uint8"):
        FileSource(tmp_path / "rgb.tif").shape(0)
    with tifffile.TiffWriter(tmp_path / "uneven.tif") as file:
        file.write(np.zeros((4, 4), np.uint8), photometric="minisblack")
        file.write(np.zeros((5, 4), np.uint8), photometric="minisblack")
    with pytest.raises(RefusedFileError, match="Pages of one shape"):
        FileSource(tmp_path / "uneven.tif").shape(0)


def _packed(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Two counts of 4 bits a byte as SerialEM packs them, the left one in the low half."""
    return np.asarray(counts[..., 0::2] | counts[..., 1::2] << 4)


@pytest.mark.parametrize("pages", [1, 3])
def test_tiff_pages_that_serialem_packed_come_out_in_full_width(tmp_path: Path, pages: int) -> None:
    counts = np.random.default_rng(0).integers(0, 16, size=(pages, 20, 26), dtype=np.uint8)
    title = "SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0"
    for name, description in (("packed.tif", title), ("plain.tif", "a movie")):
        with tifffile.TiffWriter(tmp_path / name) as file:
            for page in _packed(counts):
                file.write(page, photometric="minisblack", compression="lzw", description=description)
    expected = counts if pages > 1 else counts[0]
    packed, plain = FileSource(tmp_path / "packed.tif"), FileSource(tmp_path / "plain.tif")

    assert (packed.shape(0), packed.dtype(0)) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(packed.read(0), expected)
    region = (*[slice(0, 1)] * (pages > 1), slice(3, 17), slice(5, 12))
    np.testing.assert_array_equal(packed.read(0, region), expected[region])
    assert plain.shape(0) == (*expected.shape[:-1], 13)
    np.testing.assert_array_equal(plain.read(0), _packed(expected))


@pytest.mark.parametrize(("y", "x", "width"), [(7420, 3838, 7676), (8184, 5760, 11520), (7420, 3000, 3000)])
def test_tiff_pages_of_just_half_a_camera_hold_two_counts_a_byte(
    tmp_path: Path, y: int, x: int, width: int
) -> None:
    page = np.zeros((y, x), dtype=np.uint8)
    page[-1, -1] = 0xF1
    tifffile.imwrite(tmp_path / "a.tif", page, compression="lzw", rowsperstrip=256)
    source = FileSource(tmp_path)

    assert source.shape(0) == (y, width)
    assert source.read(0, (slice(y - 1, y), slice(width - 2, width))).tolist() == [
        [1, 15] if width > x else [0, 0xF1]
    ]


def test_tiff_pages_of_four_bits_are_no_packed_bytes(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).integers(0, 16, size=(20, 26), dtype=np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", counts, bitspersample=4, photometric="minisblack",
        description="SerialEMCCD: Dose frac. image, 4 bits packed",
    )  # fmt: skip
    source = FileSource(tmp_path)

    assert source.shape(0) == (20, 26)
    np.testing.assert_array_equal(source.read(0), counts)


def test_pairs_are_read_together_and_cut_together() -> None:
    generator = np.random.default_rng(0)
    even, odd = generator.normal(size=(2, 3, 8, 9)).astype(np.float32)
    pairs = PairSource(ArraySource(even, names=["a", "b", "c"]), target=odd, mask=(even > 0).astype(np.uint8))
    batch = Dataset(pairs).batch([2, 0])
    assert torch.equal(batch["target"], torch.from_numpy(odd[[2, 0], None]))
    assert torch.equal(batch["mask"], (batch["image"] > 0).float())

    patches = PatchSource.grid(pairs, size=4, overlap=1)
    batch = Dataset(patches).batch([3, 10, 0])
    for row, i in enumerate((3, 10, 0)):
        item, (y, x) = patches.places.item[i], patches.places.start[i]
        np.testing.assert_array_equal(batch["target"][row, 0], odd[item, y : y + 4, x : x + 4])
        np.testing.assert_array_equal(batch["image"][row, 0], even[item, y : y + 4, x : x + 4])


def test_tiles_without_label_are_left_out() -> None:
    volumes = np.random.default_rng(0).normal(size=(1, 8, 8, 8)).astype(np.float32)
    labels = np.zeros((1, 8, 8, 8), dtype=np.uint8)
    labels[0, 5:7, 1, 2:7] = 3
    weights = np.ones_like(volumes)
    source = PairSource(volumes, target=labels, weight=weights)
    tiles = PatchSource.grid(source, size=4, content="target")
    assert list(tiles.names) == ["0@4,0,0", "0@4,0,4"]
    assert Dataset(tiles).batch([0, 1])["target"].sum(dim=(1, 2, 3, 4)).tolist() == [12.0, 18.0]
    fuller = PatchSource.grid(source, size=4, content="target", minimum_content=5 / 64)
    assert list(fuller.names) == ["0@4,0,4"]
    with pytest.raises(SourceNotFoundError, match="Every tile is empty"):
        PatchSource.grid(source, size=4, content="target", minimum_content=0.5)
    with pytest.raises(InvalidOptionError, match="no 'mask'"):
        PatchSource.grid(source, size=4, content="mask")


def test_halves_are_matched_by_name(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for half in ("even", "odd"):
        (tmp_path / half).mkdir()
    volumes = generator.normal(size=(2, 3, 4, 4, 4)).astype(np.float32)
    for k, name in enumerate(("c", "a", "b")):
        (tmp_path / "even" / f"{name}_EVN.mrc").write_bytes(mrc_bytes(volumes[0, k], ispg=1))
        (tmp_path / "odd" / f"{name}_ODD.mrc").write_bytes(mrc_bytes(volumes[1, k], ispg=1))
    even, odd = FileSource(tmp_path / "even"), FileSource(tmp_path / "odd")
    pairs = PairSource(even, target=odd, match="name", separators=["_EVN", "_ODD"])
    assert pairs.meta(1)["target"] == "b_ODD.mrc"
    np.testing.assert_array_equal(pairs.companions["target"].read_batch([2, 0]), volumes[1, [0, 1]])
    _alike_again(pairs)
    (tmp_path / "odd" / "b_ODD.mrc").unlink()
    with pytest.raises(InvalidOptionError, match=r"No target for 1 of 3 images, such as b_EVN\.mrc"):
        PairSource(even, target=FileSource(tmp_path / "odd"), match="name", separators=["_EVN", "_ODD"])
    with pytest.raises(InvalidOptionError, match="3 images cannot be paired with 2 of target"):
        PairSource(even, target=FileSource(tmp_path / "odd"))
    with pytest.raises(InvalidOptionError, match="second part"):
        PairSource(even)
    with pytest.raises(ShapeError, match="Images of a pair have one shape"):
        Dataset(PairSource(np.zeros((1, 4, 4)), target=np.zeros((1, 4, 5)))).batch([0])


PDB = """\
ATOM      1  N   ALA A   1      11.000  12.000  13.000  1.00 10.00           N
ATOM      2  CA AALA A   1      12.500  12.000  13.000  0.50 10.00           C
ATOM      3  CA BALA A   1      12.900  12.000  13.000  0.50 10.00           C
HETATM    4  S   SO4 A   2      14.000  15.250  16.000  1.00 10.00           S
END
"""


def test_atoms_are_read_from_pdb_and_cif_alike(tmp_path: Path) -> None:
    structure = gemmi.read_pdb_string(PDB)
    structure.setup_entities()
    cif = structure.make_mmcif_document().as_string().encode()
    source = StructureSource({"a": PDB.encode(), "b": cif, "c": gzip.compress(cif)})
    for i in range(3):
        atoms = source.atoms(i)
        assert atoms.positions_angstrom.tolist() == [[13, 12, 11], [13, 12, 12.5], [16, 15.25, 14]]
        assert atoms.atomic_numbers.tolist() == [7, 6, 16]
    for bad in (b"", b"ATOM  nothing", b"\x1f\x8b\x08 cut", b"loop_\n_atom_site.id\n"):
        with pytest.raises(DamagedFileError, match="bad is corrupted"):
            StructureSource({"bad": bad}).atoms(0)


def test_a_density_is_the_blurred_points_and_lies_where_the_atoms_are(tmp_path: Path) -> None:
    (tmp_path / "x.pdb").write_text(PDB)
    source = StructureSource(tmp_path, voxel_size_angstrom=0.5, resolution_angstrom=4.0, box=48)
    density = source.read(0)
    assert density.sum() * 0.5**3 == pytest.approx(7 + 6 + 16, rel=1e-5)
    # The centre of mass of the density is that of the atoms, by the origin.
    atoms = source.atoms(0)
    centre = np.average(atoms.positions_angstrom, axis=0, weights=atoms.atomic_numbers)
    voxels = np.indices(density.shape).reshape(3, -1) @ density.ravel() / density.sum()
    np.testing.assert_allclose(np.array(source.origin(0)) + 0.5 * voxels, centre, atol=2e-3)
    # Atoms that lie on voxels, blurred by scipy with the same width.
    points = np.zeros((24, 24, 24))
    points[10, 12, 9], points[14, 11, 12] = 7, 16
    from caked.sources.structures import gaussian_density

    ours = gaussian_density(
        np.array([[10.0, 12, 9], [14, 11, 12]]), np.array([7.0, 16]), (24,) * 3, sigma=1.8
    )
    np.testing.assert_allclose(ours, gaussian_filter(points, 1.8, truncate=8 / 1.8), atol=1e-6)
    _alike_again(source)
    np.testing.assert_array_equal(source.read(0, (slice(4, 9),)), density[4:9])
    assert StructureSource(tmp_path).read(0).sum() == pytest.approx(29, rel=1e-5)


def test_a_map_and_its_model_share_one_place(tmp_path: Path) -> None:
    (tmp_path / "x.pdb").write_text(PDB)
    models = StructureSource(tmp_path, voxel_size_angstrom=2.0)
    with mrcfile.new(tmp_path / "x.mrc") as file:
        file.set_data(np.zeros((8, 8, 8), dtype=np.float32))
        file.voxel_size = 2.0
        file.header.origin = (10.0, 8.0, 6.0)
    pairs = PairSource(FileSource(tmp_path / "x.mrc"), models=models, match="name")
    [coordinates] = Dataset(pairs).batch([0])["coordinates"]
    # The first atom is at (x, y, z) = (11, 12, 13) Å, so in voxels at ((13-6)/2, (12-8)/2, (11-10)/2).
    assert coordinates[0].tolist() == [3.5, 2.0, 0.5]
    assert coordinates.dtype == torch.float64
    _alike_again(pairs)
    (tmp_path / "y.mrc").write_bytes(mrc_bytes(np.zeros((4, 4, 4), np.float32), ispg=1, cell=(0.0, 0.0, 0.0)))
    unsized = PairSource(FileSource(tmp_path / "y.mrc"), models=models)
    with pytest.raises(InvalidOptionError, match=r"y\.mrc states no voxel size"):
        unsized.columns([0])


def _stores(folder: Path, values: np.ndarray) -> list[Source]:
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("group/images", data=values, chunks=(2, 4, 4), compression="gzip")
        file["numbers"] = np.arange(3)
    array = zarr.open_group(folder / "a.zarr", mode="w")
    array.create_array("images", data=values, chunks=(3, 6, 7))
    return [
        StoreSource(folder / "a.h5", pixel_size_angstrom=(1.5, 1.5)),
        StoreSource(folder / "a.zarr", "images", groups=["a"] * 9 + ["b"]),
    ]


def _dask(values: np.ndarray, samples: int) -> Any:
    return dask.array.from_array(values, chunks=(samples, *values.shape[1:]))  # type: ignore[no-untyped-call]


def test_stores_and_lazy_arrays_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(10, 6, 7)).astype(">f4")
    stores = _stores(tmp_path, values)
    lazy = [
        LazyArraySource(_dask(values, 4)),
        LazyArraySource(zarr.array(values.astype("<f4"), chunks=(4, 6, 7))),
    ]
    for source in [*stores, *lazy]:
        assert (len(source), source.shape(0), source.dtype(0)) == (10, (6, 7), np.dtype(np.float32))
        assert source.names[7] == "7"
        np.testing.assert_array_equal(source.read_batch([9, 2, 3, 2, 0]), values[[9, 2, 3, 2, 0]])
        np.testing.assert_array_equal(source.read(-1), values[-1])
        np.testing.assert_array_equal(source.read(4, (slice(1, 3), slice(0, 2))), values[4, 1:3, :2])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read(3), values[3])
        assert Dataset(source).batch([1])["image"].dtype == torch.float32
    for source in stores:
        _alike_again(source)
    assert stores[0].pixel_size(0) == (1.5, 1.5)
    assert stores[1].group(9) == "b"
    as_source = caked.as_source(_dask(values, 5))
    np.testing.assert_array_equal(as_source.read_batch([8, 1]), values[[8, 1]])


def test_stores_that_are_not_there_or_not_whole_are_reported(tmp_path: Path) -> None:
    _stores(tmp_path, np.zeros((10, 6, 7), np.float32))
    (tmp_path / "cut.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:900])
    with pytest.raises(DamagedFileError, match=r"cut\.h5 is corrupted"):
        StoreSource(tmp_path / "cut.h5")
    for name in ("gone.h5", "gone.zarr"):
        with pytest.raises(SourceNotFoundError, match=name.replace(".", r"\.")):
            StoreSource(tmp_path / name)
    with pytest.raises(SourceNotFoundError, match="no array 'other'"):
        StoreSource(tmp_path / "a.h5", "other")
    with pytest.raises(SourceNotFoundError, match="no array 'other'"):
        StoreSource(tmp_path / "a.zarr", "other")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(DamagedFileError, match=r"empty\.zarr is corrupted"):
        StoreSource(tmp_path / "empty.zarr")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["a"], file["b"] = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    with pytest.raises(InvalidOptionError, match=r"holds 2 arrays, \['a', 'b'\]"):
        StoreSource(tmp_path / "two.h5")
    with pytest.raises(InvalidOptionError, match="first axis of an array of numbers"):
        LazyArraySource(dask.array.zeros(3))


@pytest.fixture
def memory() -> Any:
    import fsspec

    files = fsspec.filesystem("memory")
    yield files
    files.store.clear()


def test_any_address_is_read_by_ranges(memory: Any) -> None:
    volumes = np.random.default_rng(0).normal(size=(3, 5, 6, 7)).astype(np.float32)
    contents = [mrc_bytes(volume, ispg=1, voxel_size=(3.0, 2.0, 1.5)) for volume in volumes]
    memory.pipe("/maps/a.mrc", contents[0])
    memory.pipe("/maps/b.map.gz", gzip.compress(contents[1]))
    memory.pipe("/maps/c.mrc.bz2", bz2.compress(contents[2]))
    memory.pipe("/maps/notes.txt", b"no")
    source = UrlSource("memory://maps/*")

    assert list(source.names) == [f"memory:///maps/{name}" for name in ("a.mrc", "b.map.gz", "c.mrc.bz2")]
    np.testing.assert_array_equal(source.read_batch([2, 0, 1]), volumes[[2, 0, 1]])
    np.testing.assert_array_equal(source.read(0, (slice(1, 3), slice(2, 4))), volumes[0, 1:3, 2:4])
    np.testing.assert_array_equal(source.read(1, (slice(1, 3), slice(2, 4))), volumes[1, 1:3, 2:4])
    assert source.pixel_size(0) == (3.0, 2.0, 1.5)
    sections = Sections(source)
    np.testing.assert_array_equal(sections.read(6), volumes[1, 1])
    again = _alike_again(source)
    assert "storage_options" not in again.to_dict()


def test_an_archive_is_read_over_http_a_section_at_a_time(archive: Any) -> None:
    stack = np.random.default_rng(0).normal(size=(5, 16, 16)).astype(np.float32)
    archive.add_entry(10002, {"data/a.mrcs": mrc_bytes(stack)})
    source = UrlSource(f"{archive.settings()['EMPIARREADER_ARCHIVE_URL']}/10002/data/a.mrcs")
    np.testing.assert_array_equal(Sections(source).read_batch([3, 1]), stack[[3, 1]])


def test_addresses_that_fail_are_told_apart(memory: Any, tmp_path: Path) -> None:
    memory.pipe("/cut.mrc", mrc_bytes(np.zeros((4, 4), np.float32))[:-8])
    memory.pipe("/bad.mrc.gz", b"\x1f\x8b\x08 not gzip")
    with pytest.raises(DamagedFileError, match=r"cut\.mrc is corrupted"):
        UrlSource("memory://cut.mrc").read(0)
    with pytest.raises(DamagedFileError, match=r"bad\.mrc\.gz is corrupted"):
        UrlSource("memory://bad.mrc.gz").read(0)
    with pytest.raises(SourceNotFoundError, match=r"no file memory://gone\.mrc"):
        UrlSource("memory://gone.mrc").read(0)
    with pytest.raises(SourceNotFoundError, match="nothing at"):
        UrlSource("memory://nowhere/*.mrc")
    with pytest.raises(RefusedFileError, match="cannot be read"):
        UrlSource("tape://a.mrc").read(0)
    with pytest.raises((UnreachableSourceError, SourceNotFoundError)) as caught:
        UrlSource("http://127.0.0.1:9/a.mrc?key=secret").read(0)
    assert "secret" not in str(caught.value)


def test_a_folder_keeps_what_was_read_for_the_next_run_within_bounds(tmp_path: Path) -> None:
    class Counted(ArraySource):
        reads = 0

        def read_batch(self, indices: Any, out: Any = None) -> Any:
            Counted.reads += len(indices)
            return super().read_batch(indices, out)

    images = np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32)
    folder = tmp_path / "cache"
    first = CachedSource(Counted(images), directory=folder)
    np.testing.assert_array_equal(first.read_batch([3, 1, 3]), images[[3, 1, 3]])
    second = pickle.loads(pickle.dumps(CachedSource(ArraySource(images), directory=folder)))
    second.source = first.source
    assert Counted.reads == 2
    again = CachedSource(Counted(images), directory=folder)
    np.testing.assert_array_equal(again.read_batch([1, 3, 0]), images[[1, 3, 0]])
    assert Counted.reads == 3
    other = CachedSource(Counted(images + 1), directory=folder)  # other values under equal names
    np.testing.assert_array_equal(other.read(3), again.source.read(3))

    for path in folder.rglob("*.npy"):
        path.write_bytes(path.read_bytes()[:-3])
    np.testing.assert_array_equal(again.read(1), images[1])  # what is damaged is read again
    bounded = CachedSource(ArraySource(images), directory=tmp_path / "small", max_bytes=4000)
    for i in range(8):
        np.testing.assert_array_equal(bounded.read(i), images[i])
        assert bounded.kept_bytes <= 4000
    assert bounded.kept_bytes > 0
    files = CachedSource(FileSource(_one_file(tmp_path)), directory=tmp_path / "third")
    _alike_again(files)


def _one_file(folder: Path) -> Path:
    (folder / "one.mrc").write_bytes(mrc_bytes(np.eye(4, dtype=np.float32)))
    return folder / "one.mrc"


def test_what_a_source_knows_comes_into_batches_through_others(tmp_path: Path) -> None:
    class Knowing(ArraySource):
        def meta(self, i: int) -> dict[str, Any]:
            return {"half_set": 1 + i % 2, "defocus_u_angstrom": 1e4 + i, "path": "not a key"}

        def columns(self, indices: Any) -> Any:
            return Source.columns(self, indices)

    knowing, plain = Knowing(np.zeros((3, 4, 4))), ArraySource(np.zeros((2, 4, 4)))
    batch = Dataset(caked.ConcatSource([knowing, knowing], keys=["a", "b"])).batch([4, 0])
    assert batch["half_set"].tolist() == [2, 1]
    assert batch["defocus_u_angstrom"].tolist() == [10001.0, 10000.0]
    assert "path" not in batch
    mixed = Dataset(caked.ConcatSource([knowing, plain], keys=["a", "b"]))
    assert "half_set" not in mixed.batch([0])  # nor in any other batch, for one source does not know it
    assert Dataset(CachedSource(knowing)).batch([1])["half_set"].tolist() == [2]
    assert Dataset(caked.stream(knowing)).batch([1])["half_set"].tolist() == [2]


@pytest.mark.parametrize("how", ["pad", "list", "nested"])
def test_unlike_shapes_share_a_batch(how: Any, tmp_path: Path) -> None:
    shapes = [(4, 6), (5, 3), (4, 6), (2, 2)]
    images = [
        np.random.default_rng(k).normal(size=shape).astype(np.float32) for k, shape in enumerate(shapes)
    ]
    for k, image in enumerate(images):
        (tmp_path / f"a_{k}.mrc").write_bytes(mrc_bytes(image))
    dataset = Dataset(FileSource(tmp_path), labels="prefix", collate=how)
    loader = caked.Loader(dataset, batch_size=3, num_workers=0 if how == "list" else 1)
    batches = list(loader)
    assert [len(batch["index"]) for batch in batches] == [3, 1]
    for batch, first in zip(batches, (0, 3), strict=True):
        for row in range(len(batch["index"])):
            image = images[first + row]
            found = batch["image"][row]
            if how == "pad":
                assert batch["spatial_shape"][row].tolist() == list(image.shape)
                assert float(found[0, image.shape[0] :].abs().sum()) == 0
                assert float(found[0, :, image.shape[1] :].abs().sum()) == 0
                found = found[:, : image.shape[0], : image.shape[1]]
            np.testing.assert_array_equal(found[0], image)
    assert isinstance(batches[0]["image"], list) == (how == "list")
    if how == "pad":
        assert batches[0]["image"].shape == (3, 1, 5, 6)
    sample = dataset[1]
    assert sample["image"].shape == (1, 5, 3)
    pairs = dataset.as_tuples().__getitems__([0, 1])
    np.testing.assert_array_equal(pairs[1][0][0, :5, :3], images[1])
    with pytest.raises(ShapeError, match="collate='pad'"):
        Dataset(FileSource(tmp_path)).batch([0, 1])
    with pytest.raises(InvalidOptionError, match="not 'best'"):
        Dataset(FileSource(tmp_path), collate="best")  # type: ignore[arg-type]


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["EMD-3001.map", "emd_3001.map.gz", "EMD-3197.map", "EMD-3197.map.bz2"])
def test_real_maps_agree_with_mrcfile(name: str, real_data: Path) -> None:
    path = real_data / "caked" / "mrcfile" / name
    source = FileSource(path)
    with mrcfile.open(path, permissive=True) as file:
        along = [int(file.header[name]) for name in ("maps", "mapr", "mapc")]  # of its array; x is 1
        turn = [along.index(axis) for axis in (3, 2, 1)]
        np.testing.assert_array_equal(source.read(0), np.transpose(file.data, turn))
        voxel = tuple(float(file.voxel_size[axis]) for axis in "zyx")
        starts = [int(file.header[f"n{axis}start"]) for axis in "zyx"]  # along section, row, column
        origin = tuple(float(file.header.origin[axis]) for axis in "zyx")
    assert source.pixel_size(0) == pytest.approx(voxel)
    if not any(origin):
        origin = tuple(starts[axis] * size for axis, size in zip(turn, voxel, strict=True))
    assert source.origin(0) == pytest.approx(origin)
    [whole] = caked.stitch(
        (patches := PatchSource.grid(source, size=12, overlap=3)).read_batch(range(len(patches))), patches
    )
    np.testing.assert_array_equal(whole.image, source.read(0))


def test_two_processes_may_share_a_folder_of_kept_samples(
    tmp_path: Path, run_python: Callable[[str], str]
) -> None:
    code = (
        "import numpy as np, caked\n"
        f"images = np.arange(4096.0).reshape(16, 16, 16)\n"
        f"folder = {os.fspath(tmp_path)!r}\n"
        "s = caked.CachedSource(caked.ArraySource(images), directory=folder, max_bytes=9000)\n"
        "for _ in range(20):\n"
        "    assert (s.read_batch(range(16)) == images).all()\n"
        "print('fine')"
    )
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        assert [word.strip() for word in pool.map(run_python, [code, code])] == ["fine", "fine"]


def _new_sources(folder: Path) -> list[Source]:
    """One of each kind that reads from files, small."""
    generator = np.random.default_rng(0)
    stack = generator.normal(size=(6, 8, 8)).astype(np.float32)
    (folder / "s.mrcs").write_bytes(mrc_bytes(stack))
    rows = "".join(f"{k + 1}@s.mrcs {1e4 + k}\n" for k in range(6))
    (folder / "p.star").write_text(f"data_particles\nloop_\n_rlnImageName\n_rlnDefocusU\n{rows}")
    with h5py.File(folder / "s.h5", "w") as file:
        file["images"] = stack
    (folder / "x.pdb").write_text(PDB)
    particles = caked.ParticleSource(folder / "p.star")
    halves = PairSource(particles, target=StoreSource(folder / "s.h5"))
    return [
        particles,
        halves,
        PatchSource.grid(halves, size=5, overlap=2),
        MovieSource(FileSource(folder / "s.mrcs"), frames=2),
        caked.TiltSeriesSource.from_images(particles, by=lambda name: name[-1]),
        StructureSource(folder / "x.pdb", voxel_size_angstrom=2.0, box=8),
        CachedSource(halves, directory=folder / "cache"),
    ]


def test_nothing_stays_open_and_workers_read_the_same(tmp_path: Path) -> None:
    sources = _new_sources(tmp_path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    expected = [Dataset(source).batch(range(len(source))) for source in sources]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len({len(pickle.dumps(source)) > 20_000 for source in sources} - {False}) == 0
    for source, batch in zip(sources, expected, strict=True):
        copied = pickle.loads(pickle.dumps(source))  # as a worker that is spawned gets it
        parts = list(
            caked.Loader(Dataset(copied), batch_size=2, num_workers=1, multiprocessing_context="fork")
        )
        for key, values in batch.items():
            if isinstance(values, torch.Tensor):
                assert torch.equal(torch.cat([part[key] for part in parts]), values), (source, key)
            elif key == "coordinates":
                assert torch.equal(parts[0][key][0], values[0])
            else:
                assert [value for part in parts for value in part[key]] == values
