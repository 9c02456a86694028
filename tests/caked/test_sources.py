"""Sources: what they hold, how they read it, and that they travel."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import caked
from caked import (
    ArraySource,
    ConcatSource,
    FileSource,
    InvalidOptionError,
    ProtocolSource,
    RecipeError,
    Sections,
    ShapeError,
    Source,
    SourceNotFoundError,
    StackSource,
)
from caked.protocol import Region
from caked.sources import source_from_dict
from mrc_vectors import mrc_bytes, sample_array

MakeFolder = Callable[..., tuple[Path, np.ndarray]]
STACKS = np.random.default_rng(0).normal(size=(3, 5, 6, 7)).astype(np.float32)


class Remote:
    """A foreign source: the protocol and nothing else; it writes down what is asked of it."""

    def __init__(self, items: Iterable[np.ndarray] = STACKS) -> None:
        self.items = list(items)
        self.asked: list[tuple[int, Region | None]] = []

    @property
    def names(self) -> list[str]:
        return [f"data/class{i}_{i}.mrcs" for i in range(len(self.items))]

    def __len__(self) -> int:
        return len(self.items)

    def shape(self, i: int) -> tuple[int, ...]:
        return self.items[i].shape

    def dtype(self, i: int) -> np.dtype[Any]:
        return self.items[i].dtype

    def read(self, i: int, region: Region | None = None, out: np.ndarray | None = None) -> np.ndarray:
        self.asked.append((i, region))
        part = self.items[i] if region is None else self.items[i][region]
        if out is None:
            return part.copy()
        out[...] = part
        return out


@pytest.fixture
def stack_folder(tmp_path: Path) -> Path:
    for number, stack in enumerate(STACKS):
        (tmp_path / f"class{number}_{number}.mrcs").write_bytes(mrc_bytes(stack, voxel_size=(1.0, 2.0, 3.0)))
    return tmp_path


def test_files_are_taken_by_exact_ending_and_sorted(make_folder: MakeFolder) -> None:
    folder, _ = make_folder(["b_1.mrc", "a_1.MRC", "c.map"])
    for name in ("a.mrc.bak", "a.mrcx", ".hidden.mrc", "notes.txt"):
        (folder / name).write_text("not an image")
    (folder / "folder.mrc").mkdir()

    assert list(FileSource(folder).names) == ["a_1.MRC", "b_1.mrc", "c.map"]
    assert list(FileSource(folder, extensions=[".mrc"]).names) == ["a_1.MRC", "b_1.mrc"]
    assert list(FileSource(folder, pattern="b*").names) == ["b_1.mrc"]


def test_names_are_paths_within_the_folder(make_folder: MakeFolder) -> None:
    folder, images = make_folder(["run1/apo_1.mrc", "run2/apo_1.mrc"])
    source = FileSource(folder, pattern="**/*.mrc", group="parent")

    assert list(source.names) == ["run1/apo_1.mrc", "run2/apo_1.mrc"]
    assert source.group(1) == "run2"
    assert source.index("run2/apo_1.mrc") == 1
    assert source.path(1) == folder / "run2" / "apo_1.mrc"
    np.testing.assert_array_equal(source.read(1), images[1])
    with pytest.raises(SourceNotFoundError, match="no sample 'gone'"):
        source.index("gone")


def test_listed_files_keep_their_order(make_folder: MakeFolder) -> None:
    folder, images = make_folder(["x/b.mrc", "a.mrc"])
    source = FileSource([folder / "x" / "b.mrc", folder / "a.mrc"])

    assert list(source.names) == ["x/b.mrc", "a.mrc"]
    np.testing.assert_array_equal(source.read(0), images[0])
    with pytest.raises(InvalidOptionError, match="listed twice"):
        FileSource([folder / "a.mrc", folder / "a.mrc"])


def test_what_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no folder .*gone"):
        FileSource(tmp_path / "gone")
    with pytest.raises(SourceNotFoundError, match=r"holds no file that matches '\*' and ends with"):
        FileSource(tmp_path)
    with pytest.raises(SourceNotFoundError, match=r"no file .*a\.mrc and 1 more"):
        FileSource([tmp_path / "a.mrc", tmp_path / "b.mrc"])
    with pytest.raises(SourceNotFoundError, match="list of files is empty"):
        FileSource([])
    with pytest.raises(InvalidOptionError, match="not a pattern"):
        FileSource(tmp_path, pattern="")


def test_a_batch_of_files_is_read_in_the_order_asked_for_and_converted(make_folder: MakeFolder) -> None:
    folder, images = make_folder([f"a_{k}.mrc" for k in range(6)], (5, 4))
    source = FileSource(folder)
    out = np.zeros((3, 5, 4), dtype=np.float64)

    np.testing.assert_array_equal(source.read_batch([4, 0, 4]), images[[4, 0, 4]])
    assert source.read_batch([1, 2, 3], out) is out
    np.testing.assert_array_equal(out, images[1:4].astype(np.float64))


def test_a_file_of_one_section_is_an_image_unless_said_otherwise(tmp_path: Path) -> None:
    image = sample_array(2, (1, 6, 4))
    (tmp_path / "a.mrc").write_bytes(mrc_bytes(image, ispg=1, voxel_size=(3.0, 2.0, 1.5)))
    squeezed, kept = FileSource(tmp_path), FileSource(tmp_path, squeeze=False)

    assert squeezed.shape(0) == (6, 4)
    assert kept.shape(0) == (1, 6, 4)
    assert squeezed.pixel_size(0) == (2.0, 1.5)
    assert kept.pixel_size(0) == (3.0, 2.0, 1.5)
    np.testing.assert_array_equal(squeezed.read(0, (slice(2, 4),)), image[0, 2:4])
    np.testing.assert_array_equal(kept.read(0), image)


def test_files_of_two_shapes_make_no_batch_and_the_message_names_both(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(mrc_bytes(sample_array(2, (4, 4))))
    (tmp_path / "b.mrc").write_bytes(mrc_bytes(sample_array(2, (4, 6))))

    with pytest.raises(ShapeError, match=r"a\.mrc has \(4, 4\), b\.mrc has \(4, 6\)"):
        FileSource(tmp_path).read_batch([0, 1])


@given(indices=st.lists(st.integers(0, 14), min_size=1, max_size=20))
def test_stacks_streams_and_concatenations_give_the_same_batches(
    indices: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "equal_stacks"
    if not folder.exists():
        folder.mkdir()
        for number, stack in enumerate(STACKS):
            (folder / f"{number}.mrcs").write_bytes(mrc_bytes(stack))
    expected = STACKS.reshape(15, 6, 7)[indices]
    parts = ConcatSource([STACKS[0], STACKS[1], Sections(Remote(STACKS[2:]))], keys=["a", "b", "c"])
    for source in (StackSource(folder), Sections(Remote()), Sections(Remote(), threads=1), parts):
        np.testing.assert_array_equal(source.read_batch(indices), expected)
        np.testing.assert_array_equal(source.read(indices[0], (slice(1, 3),)), expected[0, 1:3])


def test_a_section_is_a_sample_whose_group_is_its_stack(stack_folder: Path) -> None:
    source = StackSource(stack_folder)

    assert len(source) == 15
    assert source.names[7] == "class1_1.mrcs#2"
    assert list(source.names[-2:]) == ["class2_2.mrcs#3", "class2_2.mrcs#4"]
    assert source.names.index("class1_1.mrcs#2") == 7
    assert source.group(7) == "class1_1.mrcs"
    assert source.meta(7)["section"] == 2
    assert source.pixel_size(7) == (2.0, 3.0)
    assert source.shape(7) == (6, 7)
    np.testing.assert_array_equal(source.read(7), STACKS[1, 2])
    with pytest.raises(IndexError):
        source.names[15]


def test_one_section_of_a_stream_asks_for_that_section_and_neighbours_are_asked_for_together() -> None:
    remote = Remote()
    source = Sections(remote, threads=1)
    source.read(7)
    assert remote.asked == [(1, (slice(2, 3),))]

    remote.asked.clear()
    source.read_batch([3, 4, 5, 6, 2, 14])
    assert remote.asked == [(0, (slice(2, 5),)), (1, (slice(0, 2),)), (2, (slice(4, 5),))]


def test_an_image_among_stacks_is_one_sample() -> None:
    source = Sections(Remote([STACKS[0], STACKS[1, 0]]))

    assert len(source) == 6
    assert source.names[5] == "data/class1_1.mrcs"
    np.testing.assert_array_equal(source.read_batch([5, 0]), [STACKS[1, 0], STACKS[0, 0]])
    np.testing.assert_array_equal(source.read(5, (slice(0, 2),)), STACKS[1, 0, :2])
    with pytest.raises(ShapeError, match="neither an image nor a stack"):
        len(Sections(Remote([STACKS])))


def test_a_stream_reads_several_samples_at_once_and_keeps_their_order() -> None:
    source = caked.stream(Remote(STACKS.reshape(15, 6, 7)), threads=4, meta={"entry": 10943})

    np.testing.assert_array_equal(source.read_batch([9, 1, 14]), STACKS.reshape(15, 6, 7)[[9, 1, 14]])
    assert source.meta(3) == {"entry": 10943}
    assert source.group(3) is None
    assert source.pixel_size(3) == (0.0, 0.0)


def test_a_stream_asks_for_its_names_once() -> None:
    class Listing(Remote):
        listed = 0

        @property
        def names(self) -> list[str]:
            self.listed += 1
            return super().names

    remote = Listing()
    dataset = caked.Dataset(Sections(remote), labels="prefix")
    assert dataset.batch(range(15))["name"][14] == "data/class2_2.mrcs#4"
    assert remote.listed == 1


def test_a_stream_asks_its_source_for_what_it_may_know() -> None:
    class Knowing(Remote):
        def meta(self, i: int) -> dict[str, Any]:
            return {"tilt": 3 * i}

        def group(self, i: int) -> str:
            return f"series {i // 2}"

        def header(self, i: int) -> Any:
            class Header:
                voxel_size = (4.0, 1.5, 1.5)

            return Header

    source = ProtocolSource(Knowing(), meta={"entry": 1})
    assert source.meta(2) == {"entry": 1, "tilt": 6}
    assert source.group(2) == "series 1"
    assert source.pixel_size(0) == (4.0, 1.5, 1.5)
    assert ProtocolSource(Knowing(), pixel_size_angstrom=[2.0, 2.0, 2.0]).pixel_size(0) == (2.0, 2.0, 2.0)
    assert ProtocolSource(Knowing(), group="prefix").group(2) == "class2"


def test_what_lacks_the_protocol_is_refused_without_being_asked() -> None:
    class Lazy:
        @property
        def names(self) -> list[str]:
            raise AssertionError("asked")

        def __len__(self) -> int:
            raise AssertionError("asked")

        def shape(self, i: int) -> tuple[int, ...]:
            raise AssertionError("asked")

    with pytest.raises(InvalidOptionError, match="it lacks dtype, read"):
        caked.stream(Lazy())  # type: ignore[arg-type]


def test_concatenated_sources_keep_apart_what_is_called_alike() -> None:
    first, second = ArraySource(STACKS[0], groups=["g"] * 5), ArraySource(STACKS[1], groups=["g"] * 5)
    with pytest.raises(InvalidOptionError, match="Two sources have a sample '0'"):
        ConcatSource([first, second])
    both = ConcatSource([first, second], keys=["apo", "holo"])

    assert both.names[6] == "holo/1"
    assert both.group(6) == "holo/g"
    assert both.meta(6)["source"] == "holo"
    assert both.shape(6) == (6, 7)
    with pytest.raises(InvalidOptionError, match="as many keys"):
        ConcatSource([first, second], keys=["apo", "apo"])
    with pytest.raises(InvalidOptionError, match="list of sources is empty"):
        ConcatSource([])


def test_an_array_source_checks_what_it_is_given() -> None:
    source = ArraySource(STACKS[0], pixel_size_angstrom=[1.5, 1.5])
    assert source.pixel_size(0) == (1.5, 1.5)
    assert source.read(0) is not source.array
    source.read(0)[...] = 0
    np.testing.assert_array_equal(source.array, STACKS[0])
    refused: list[Callable[[], ArraySource]] = [
        lambda: ArraySource(np.zeros(3)),
        lambda: ArraySource(np.array([["a"]])),
        lambda: ArraySource(STACKS[0], names=["a"]),
        lambda: ArraySource(STACKS[0], names=["a"] * 5),
        lambda: ArraySource(STACKS[0], groups=["a"]),
    ]
    for bad in refused:
        with pytest.raises(InvalidOptionError):
            bad()


def _every_source(folder: Path) -> list[Source]:
    return [
        FileSource(folder),
        StackSource(folder),
        Sections(FileSource(folder), threads=2),
        ConcatSource([FileSource(folder), StackSource(folder)], keys=["volumes", "images"]),
    ]


def test_sources_are_made_again_from_their_descriptions(stack_folder: Path) -> None:
    for source in _every_source(stack_folder):
        again = source_from_dict(source.to_dict())
        assert type(again) is type(source)
        assert list(again.names) == list(source.names)
        assert again.digest() == source.digest()
        np.testing.assert_array_equal(again.read(1), source.read(1))
    listed = FileSource([stack_folder / "class1_1.mrcs"], group=None)
    assert list(source_from_dict(listed.to_dict()).names) == ["class1_1.mrcs"]


def test_the_digest_of_files_tells_another_content_and_another_name(stack_folder: Path) -> None:
    source = StackSource(stack_folder)
    before, named = source.digest(), source.digest(content=False)
    path = stack_folder / "class0_0.mrcs"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))

    assert source.digest() != before
    assert source.digest(content=False) == named
    path.rename(path.with_name("class0_9.mrcs"))
    assert StackSource(stack_folder).digest(content=False) != named


def test_what_lives_in_memory_cannot_be_written_down() -> None:
    with pytest.raises(RecipeError, match="cannot be written"):
        ArraySource(STACKS[0]).to_dict()
    with pytest.raises(RecipeError, match="factory="):
        caked.stream(Remote()).to_dict()
    with pytest.raises(RecipeError, match="no source of the name 'tape'"):
        source_from_dict({"type": "tape"})
    with pytest.raises(RecipeError, match="does not fit"):
        source_from_dict({"type": "files"})


def _read_in_child(source: Source, queue: Any) -> None:
    queue.put(source.read_batch([4, 2]))


def test_sources_are_read_from_pickles_threads_and_forks_alike(stack_folder: Path) -> None:
    for source in _every_source(stack_folder)[1:3]:
        expected = source.read_batch([4, 2])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read_batch([4, 2]), expected)
        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(source.read_batch, [[4, 2]] * 64):
                np.testing.assert_array_equal(found, expected)
        context = get_context("fork")
        queue = context.Queue()
        child = context.Process(target=_read_in_child, args=(source, queue))
        child.start()
        np.testing.assert_array_equal(queue.get(timeout=60), expected)
        child.join(timeout=60)
        assert child.exitcode == 0


def test_no_file_stays_open(stack_folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for source in _every_source(stack_folder):
        source.read(0)
        source.read(0, (slice(0, 1),))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_ten_thousand_names_take_a_few_bytes_each_and_keep_any_character(tmp_path: Path) -> None:
    from caked.names import NameTable

    names = [f"folder/class_{k:05d}.mrc" for k in range(10_000)] + ["ü\udcff.mrc", ""]
    table = NameTable(names)

    assert list(table) == names
    assert table[-1] == ""
    assert len(pickle.dumps(table)) < 40 * len(names)
    with pytest.raises(IndexError):
        table[len(names)]


@pytest.mark.real_data
def test_real_particles_are_a_stack_or_a_volume_by_the_callers_word(real_data: Path) -> None:
    path = real_data / "caked" / "cryodrgn" / "empiar_10076_7.mrc"  # particles, and a header that says volume
    volume, particles = FileSource(path), StackSource(path)

    assert volume.shape(0) == (7, 320, 320)
    assert len(particles) == 7
    np.testing.assert_array_equal(particles.read_batch([6, 0]), volume.read(0)[[6, 0]])


def test_a_path_is_opened_by_its_ending(make_folder: Callable[..., tuple[Path, Any]], tmp_path: Path) -> None:
    folder, images = make_folder(["a.mrc", "b.mrc", "c.mrcs"], (3, 8, 8))
    (tmp_path / "p.star").write_text("data_particles\nloop_\n_rlnImageName\n2@data/c.mrcs\n")

    assert list(caked.Dataset(folder)[1]["image"].shape) == [1, 3, 8, 8]
    stack, file = caked.as_source(str(folder / "c.mrcs")), caked.as_source(folder / "a.mrc")
    assert list(stack.names) == ["c.mrcs#0", "c.mrcs#1", "c.mrcs#2"]
    assert list(file.names) == ["a.mrc"]
    np.testing.assert_array_equal(caked.as_source(tmp_path / "p.star").read(0), images[2, 1])
    np.testing.assert_array_equal(caked.as_source((folder / "b.mrc").as_uri()).read(0), images[1])
    with pytest.raises(SourceNotFoundError, match="no file or folder nowhere"):
        caked.Dataset("nowhere")
    with pytest.raises(InvalidOptionError, match="one sample at least"):
        caked.Dataset(folder).batch([])
