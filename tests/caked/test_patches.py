"""Patches of micrographs and tomograms, and predictions on them put together again."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import caked
from caked import (
    ArraySource,
    DamagedFileError,
    Dataset,
    FileSource,
    InvalidOptionError,
    Loader,
    PairSource,
    PatchSource,
    RefusedFileError,
    ShapeError,
    SourceNotFoundError,
)
from caked.io.coordinates import read_coordinates
from caked.sources import source_from_dict
from caked.sources.places import BACKGROUND
from mrc_vectors import mrc_bytes

IMAGES = np.random.default_rng(0).normal(size=(2, 20, 27)).astype(np.float32)


@pytest.fixture
def micrographs(tmp_path: Path) -> Path:
    folder = tmp_path / "micrographs"
    folder.mkdir()
    for k, image in enumerate(IMAGES):
        (folder / f"m{k}.mrc").write_bytes(mrc_bytes(image, voxel_size=(1.0, 1.5, 1.5)))
    return folder


@given(
    shape=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    share=st.floats(0, 0.95),
    blend=st.sampled_from(["linear", "centre"]),
)
@settings(max_examples=60)
def test_a_grid_covers_an_image_and_stitching_gives_it_back(
    shape: tuple[int, int], size: tuple[int, int], share: float, blend: Any
) -> None:
    image = np.random.default_rng(1).normal(size=(1, *shape)).astype(np.float32)
    overlap = [int(share * edge) for edge in size]
    patches = PatchSource.grid(image, size, overlap=overlap)
    covered = np.zeros(shape, dtype=int)
    for y, x in patches.places.start:
        covered[max(y, 0) : y + size[0], max(x, 0) : x + size[1]] += 1
    assert covered.min() >= 1
    [whole] = caked.stitch(patches.read_batch(range(len(patches))), patches, blend=blend)
    np.testing.assert_array_equal(whole.image, image[0])


def test_a_tomogram_is_restored_from_a_loaders_batches_with_voxel_size_and_origin(tmp_path: Path) -> None:
    volume = np.random.default_rng(2).normal(size=(12, 17, 9)).astype(np.float32)
    with mrcfile.new(tmp_path / "tomo.mrc") as file:
        file.set_data(volume)
        file.voxel_size = (3.0, 2.0, 1.5)
        file.header.origin = (30.0, -20.0, 10.0)
    patches = PatchSource.grid(FileSource(tmp_path), size=8, overlap=3)
    batches = Loader(Dataset(patches), batch_size=5)
    [whole] = caked.stitch(((batch["index"], batch["image"]) for batch in batches), patches)

    np.testing.assert_array_equal(whole.image, volume[None])
    assert whole.name == "tomo.mrc"
    assert whole.pixel_size_angstrom == (1.5, 2.0, 3.0)
    assert whole.origin_angstrom == (10.0, -20.0, 30.0)
    whole.save(tmp_path / "out" / "restored.mrc")
    with mrcfile.open(tmp_path / "out" / "restored.mrc") as file:
        np.testing.assert_array_equal(file.data, volume)
        assert file.voxel_size.tolist() == (3.0, 2.0, 1.5)
        assert file.header.origin.tolist() == (30.0, -20.0, 10.0)


def test_images_come_out_one_by_one_as_soon_as_they_are_complete(micrographs: Path) -> None:
    patches = PatchSource.grid(FileSource(micrographs), size=(10, 10), overlap=2)
    asked: list[int] = []

    def predictions() -> Any:
        for i in range(len(patches)):
            asked.append(i)
            yield 2 * torch.from_numpy(patches.read(i))[None, None]

    results = caked.stitch(predictions(), patches)
    first = next(results)
    assert first.name == "m0.mrc"
    assert len(asked) == (patches.places.item == 0).sum()
    np.testing.assert_allclose(first.image[0], 2 * IMAGES[0], rtol=1e-7)
    assert [rest.name for rest in results] == ["m1.mrc"]


def test_in_overlaps_the_patch_that_lies_deeper_counts_more() -> None:
    patches = PatchSource.grid(np.zeros((1, 1, 6)), size=(1, 4), overlap=(0, 2))
    values = np.stack([np.zeros((1, 4)), np.ones((1, 4))])
    [linear] = caked.stitch(values, patches)
    # Weights 1 2 2 1 and 1 2 2 1: pixel 2 is 2 parts of the first and 1 of the second.
    np.testing.assert_allclose(linear.image, [[0, 0, 1 / 3, 2 / 3, 1, 1]], rtol=1e-7)
    [centre] = caked.stitch(values, patches, blend="centre")
    assert centre.image.tolist() == [[0, 0, 0, 1, 1, 1]]


def test_stitching_refuses_what_does_not_fit() -> None:
    patches = PatchSource.grid(np.zeros((1, 8, 8)), size=4)
    with pytest.raises(InvalidOptionError, match=r"are missing for 1 of 4 patches: 0@4,4"):
        list(caked.stitch(np.zeros((3, 4, 4)), patches))
    with pytest.raises(InvalidOptionError, match="too many"):
        list(caked.stitch([np.zeros((4, 4, 4)), np.zeros((1, 4, 4))], patches))
    with pytest.raises(InvalidOptionError, match="too many"):
        list(caked.stitch([(np.array([0, 0]), np.zeros((2, 4, 4)))], patches))
    with pytest.raises(ShapeError, match=r"0@0,0 has shape \(5, 4\)"):
        list(caked.stitch(np.zeros((4, 5, 4)), patches))
    with pytest.raises(InvalidOptionError, match="'linear' or by 'centre'"):
        list(caked.stitch(np.zeros((4, 4, 4)), patches, blend="best"))  # type: ignore[arg-type]
    [two] = caked.stitch(np.zeros((4, 2, 4, 4)), patches)
    with pytest.raises(InvalidOptionError, match="channel="):
        two.save("never.mrc")


def test_a_patch_at_a_point_has_it_in_its_centre_and_says_where_it_lies(micrographs: Path) -> None:
    points = {"m1": np.array([[10.0, 12.4], [9.6, 15.0]]), "m0": np.array([[2.0, 3.0], [11.0, 8.0]])}
    patches = PatchSource.at(FileSource(micrographs), points, size=(8, 6))

    assert list(patches.names) == ["m0.mrc@7,5", "m1.mrc@6,9", "m1.mrc@6,12"]  # the first one reached outside
    batch = Dataset(patches, labels=caked.MetaLabels("kind")).batch([2, 0])
    np.testing.assert_array_equal(batch["image"][1, 0], IMAGES[0, 7:15, 5:11])
    np.testing.assert_array_equal(batch["image"][0, 0], IMAGES[1, 6:14, 12:18])
    assert batch["group"] == ["m1.mrc", "m0.mrc"]
    assert batch["micrograph"] == ["m1.mrc", "m0.mrc"]
    assert batch["origin_angstrom"].tolist() == [[9.0, 18.0], [10.5, 7.5]]
    assert [patches.origin(i) for i in (2, 0)] == [(9.0, 18.0), (10.5, 7.5)]
    np.testing.assert_allclose(batch["shift_angstrom"], [[-0.6, 0.0], [0.0, 0.0]])
    assert patches.meta(1)["kind"] == "particle"
    assert patches.meta(1)["start"] == (6, 9)
    np.testing.assert_array_equal(patches.read(1, (slice(2, 4),)), IMAGES[1, 8:10, 9:15])

    padded = PatchSource.at(FileSource(micrographs), points, size=(8, 6), outside="pad", fill=7.0)
    expected = np.full((8, 6), 7.0, dtype=np.float32)
    expected[2:] = IMAGES[0, 0:6, 0:6]
    np.testing.assert_array_equal(padded.read(0), expected)
    again = source_from_dict(padded.to_dict())
    assert again.digest() == padded.digest()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(again)).read(0), expected)


def test_an_image_smaller_than_a_patch_lies_in_its_middle() -> None:
    patches = PatchSource.grid(np.ones((1, 3, 4)), size=(8, 9))
    assert list(patches.names) == ["0@-2,-2"]
    np.testing.assert_array_equal(np.argwhere(patches.read(0))[[0, -1]], [[2, 2], [4, 5]])


def test_a_patch_may_end_where_its_image_does() -> None:
    points = [[[2.0, 2.0], [18.0, 25.0], [18.0, 26.0], [1.0, 9.0]]]
    patches = PatchSource.at(IMAGES[:1], points, size=4)
    assert list(patches.names) == ["0@0,0", "0@16,23"]


def test_background_lies_anywhere_in_the_image() -> None:
    picks = [[[-90.0, -90.0]] * 400]
    patches = PatchSource.at(np.zeros((1, 6, 5)), picks, size=4, background=0.5, clearance=1.0, outside="pad")
    places = patches.places
    drawn = {tuple(start) for start in places.start[places.kind == BACKGROUND].tolist()}
    assert drawn == {(y, x) for y in range(3) for x in range(2)}


def test_what_lies_beyond_the_edge_is_filled_alike_in_image_and_mask() -> None:
    source = PairSource(ArraySource(IMAGES), mask=ArraySource(np.ones_like(IMAGES)))
    patches = PatchSource.at(source, [[[0.0, 5.0]], [[9.0, 9.0]]], size=4, outside="pad", fill=7.0)
    assert (patches.read(0)[:2] == 7).all()
    assert (patches.companions["mask"].read(0)[:2] == 7).all()


def test_background_keeps_clear_of_points_and_depends_on_the_seed_alone(micrographs: Path) -> None:
    points = {"m0": np.array([[10.0, 13.0]] * 6), "m1": np.array([[5.0, 5.0]])}
    source = FileSource(micrographs)
    patches = PatchSource.at(source, points, size=4, background=0.5, clearance=6.0, seed=3)
    dataset = Dataset(patches, labels=caked.MetaLabels("kind"))

    assert dataset.class_counts() == {"background": 7, "particle": 7}
    for i in range(len(patches)):
        if patches.meta(i)["kind"] == "background":
            of_image = points["m0" if patches.group(i) == "m0.mrc" else "m1"]
            centre = np.array(patches.meta(i)["start"]) + 2
            assert np.linalg.norm(of_image - centre, axis=1).min() >= 6.0
    names = list(PatchSource.at(source, points, size=4, background=0.5, clearance=6.0, seed=3).names)
    assert names == list(patches.names)
    assert names != list(PatchSource.at(source, points, 4, background=0.5, clearance=6.0, seed=4).names)


def test_patches_keep_the_points_that_lie_in_them() -> None:
    class Picked(ArraySource):
        def columns(self, indices: Any) -> Any:
            points = np.array([[1.0, 2.0], [9.0, 12.5], [19.0, 26.0]])
            return {**super().columns(indices), "coordinates": [points + i for i in indices]}

    patches = PatchSource.grid(Picked(IMAGES), size=(10, 9))
    batch = Dataset(patches).batch([0, 1, 11])
    assert batch["coordinates"][0].tolist() == [[1.0, 2.0]]
    assert batch["coordinates"][1].tolist() == [[9.0, 3.5]]
    assert patches.names[11] == "1@10,18"
    assert batch["coordinates"][2].tolist() == []  # the last point lies outside the second image
    assert batch["coordinates"][2].shape == (0, 2)


def test_equal_points_have_names_of_their_own() -> None:
    patches = PatchSource.at(np.zeros((1, 9, 9)), [[[4.0, 4.0], [4.0, 4.2]]], size=3)
    assert list(patches.names) == ["0@3,3", "0@3,3~1"]


def test_patches_under_a_mask_have_their_centre_under_it() -> None:
    masks = np.zeros((2, 20, 27), dtype=np.uint8)
    masks[0, 12:14, 10:20] = 1
    masks[1, :, :3] = 1  # too near the edge for a patch but for one column
    patches = PatchSource.under(IMAGES, 5, masks=masks, count=40, background=0.25, seed=1)
    kinds = [patches.meta(i)["kind"] for i in range(len(patches))]

    assert kinds.count("background") == 20
    for i, kind in enumerate(kinds):
        item, start = int(patches.places.item[i]), patches.places.start[i]
        assert (masks[item][tuple(start + 2)] == 1) == (kind == "particle")
        np.testing.assert_array_equal(
            patches.read(i), IMAGES[item, start[0] : start[0] + 5, start[1] : start[1] + 5]
        )
    with pytest.raises(InvalidOptionError, match="No mask leaves room"):
        PatchSource.under(IMAGES, 5, masks=np.zeros_like(masks))
    with pytest.raises(ShapeError, match="and its mask"):
        PatchSource.under(IMAGES, 5, masks=masks[:, :10])
    with pytest.raises(InvalidOptionError, match="as many masks"):
        PatchSource.under(IMAGES, 5)


def test_patches_refuse_what_does_not_fit() -> None:
    with pytest.raises(InvalidOptionError, match="overlap by 0 to 3"):
        PatchSource.grid(IMAGES, 4, overlap=4)
    with pytest.raises(InvalidOptionError, match="2 sizes from 1"):
        PatchSource.grid(IMAGES, (4, 4, 4))
    with pytest.raises(SourceNotFoundError, match="every one reaches outside"):
        PatchSource.at(IMAGES, [[[0.0, 0.0]], [[1.0, 1.0]]], size=8)
    with pytest.raises(ShapeError, match="have 2 coordinates"):
        PatchSource.at(IMAGES, [[[0.0, 0.0, 1.0]], [[1.0, 1.0, 1.0]]], size=8)
    with pytest.raises(InvalidOptionError, match="fraction below 1"):
        PatchSource.at(IMAGES, [[[9.0, 9.0]]] * 2, size=4, background=1.0)
    mixed = caked.ConcatSource([ArraySource(IMAGES), ArraySource(IMAGES[:, None])], keys=["a", "b"])
    with pytest.raises(ShapeError, match="of images or of volumes"):
        PatchSource.grid(mixed, 4)


def test_coordinates_of_every_form_are_the_same_points(tmp_path: Path) -> None:
    expected = np.array([[20.0, 10.0], [40.5, 30.0]])
    (tmp_path / "a.star").write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n10 20\n30 40.5\n")
    (tmp_path / "a.box").write_text("5\t15\t10\t10\n25 35.5 10 10\n")
    (tmp_path / "a.csv").write_text("x,y,score\n10,20,1\n30,40.5,2\n")
    for name in ("a.star", "a.box", "a.csv"):
        np.testing.assert_array_equal(read_coordinates(tmp_path / name)[""], expected)
    topaz = tmp_path / "topaz.txt"
    topaz.write_text("image_name\tx_coord\ty_coord\tscore\nm1\t1\t2\t0\nm2\t3\t4\t0\nm1\t5\t6\t0\n")
    assert {key: value.tolist() for key, value in read_coordinates(topaz).items()} == {
        "m1": [[2.0, 1.0], [6.0, 5.0]],
        "m2": [[4.0, 3.0]],
    }
    (tmp_path / "t.star").write_text(
        "data_particles\nloop_\n_rlnTomoName\n_rlnCoordinateX\n_rlnCoordinateY\n_rlnCoordinateZ\nTS_1 1 2 3\n"
    )
    assert read_coordinates(tmp_path / "t.star")["TS_1"].tolist() == [[3.0, 2.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.box", "1 2 3\n", DamagedFileError),
        ("a.csv", "x,y\n1,here\n", DamagedFileError),
        ("a.csv", "x,y\n1\n", DamagedFileError),
        ("a.txt", "1 2\n3 4\n", RefusedFileError),
        ("a.txt", "", RefusedFileError),
        ("a.star", "data_\nloop_\n_rlnCoordinateX\n1\n2\n", RefusedFileError),
    ],
)
def test_files_that_hold_no_points_are_reported(
    tmp_path: Path, name: str, content: str, error: type[Exception]
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=name.replace(".", r"\.")):
        read_coordinates(tmp_path / name)


def test_coordinates_of_other_images_are_refused(micrographs: Path) -> None:
    with pytest.raises(RefusedFileError, match="none fits"):
        PatchSource.at(FileSource(micrographs), {"other": [[1.0, 1.0]]}, size=4)
    with pytest.raises(RefusedFileError, match="no coordinates"):
        PatchSource.at(FileSource(micrographs), {}, size=4)
    twins = ArraySource(IMAGES, names=["a/m.mrc", "b/m.mrc"])
    with pytest.raises(RefusedFileError, match="several images have one name"):
        PatchSource.at(twins, {"m": [[9.0, 9.0]]}, size=4)
    with pytest.raises(RefusedFileError, match="several images have one name"):
        PatchSource.at(FileSource(micrographs), {"a/m0": [[9.0, 9.0]], "b/m0": [[5.0, 5.0]]}, size=4)
    whole = PatchSource.at(twins, {"b/m.mrc": [[9.0, 9.0]]}, size=4)
    assert list(whole.names) == ["b/m.mrc@7,7"]
    with pytest.raises(RefusedFileError, match="1 lists of points for 2 images"):
        PatchSource.at(FileSource(micrographs), [[[9.0, 9.0]]], size=4)


def test_a_folder_of_coordinates_is_matched_by_name(micrographs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "picks"
    folder.mkdir()
    (folder / "m1_autopick.star").write_text("data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n12 10\n")
    patches = PatchSource.at(FileSource(micrographs), folder, size=4)
    assert list(patches.names) == ["m1.mrc@8,10"]
    halved = PatchSource.at(FileSource(micrographs), folder, size=4, scale=0.5)
    assert list(halved.names) == ["m1.mrc@3,4"]


def test_only_the_part_under_a_patch_is_read_of_a_plain_file(tmp_path: Path) -> None:
    class Counting(ArraySource):
        asked: list[Any] = []  # noqa: RUF012

        def read(self, i: int, region: Any = None, out: Any = None) -> Any:
            self.asked.append(region)
            return super().read(i, region, out)

    patches = PatchSource.grid(Counting(IMAGES), size=10, overlap=0)
    patches.read_batch([len(patches) - 1, 0])
    assert Counting.asked == [(slice(0, 10), slice(0, 10)), (slice(10, 20), slice(17, 27))]


@pytest.mark.real_data
def test_real_picks_agree_with_their_table(real_data: Path) -> None:
    found = read_coordinates(real_data / "caked" / "topaz" / "EMPIAR-10025_particles.txt")
    assert len(found) == 30
    assert {len(points) for points in found.values()} == {50}
    rows = np.loadtxt(
        real_data / "caked" / "topaz" / "EMPIAR-10025_particles.txt", skiprows=1, usecols=(2, 1)
    )
    np.testing.assert_array_equal(np.concatenate(list(found.values())), rows)


@pytest.mark.real_data
def test_a_real_tomogram_is_restored_from_its_patches(real_data: Path) -> None:
    path = real_data / "caked" / "tomodrgn" / "tomogram_001.mrc"
    patches = PatchSource.grid(FileSource(path), size=40, overlap=8)
    [whole] = caked.stitch(patches.read_batch(range(len(patches))), patches)
    with mrcfile.open(path, permissive=True) as file:
        np.testing.assert_array_equal(whole.image, file.data)
        assert whole.pixel_size_angstrom == pytest.approx(tuple(file.voxel_size.tolist())[::-1])
