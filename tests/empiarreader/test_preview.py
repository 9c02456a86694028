"""Previews and contact sheets: what moves for them, what they show, and what they never overwrite."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from imagecodecs import png_decode, png_encode

import empiarreader
from eer_files import eer_bytes, random_electrons
from empiarreader import (
    EmpiarEntry,
    EmpiarSource,
    InvalidRequestError,
    LocalFileError,
    MissingExtraError,
    contact_sheet,
    open_image,
    preview,
)
from empiarreader.cli import main
from empiarreader.looking.plan import KINDS, Kind, plan_reading
from empiarreader.looking.targets import entry_targets
from empiarreader.thumbnails import to_grey
from mrc_vectors import mrc_bytes, mrc_header
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
MOST_OF_A_HEADER = 64 * 1024


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(10.0, 2.0, shape).astype(np.float32)


def _url(archive: Archive, path: str, entry: int = 10943) -> str:
    return archive.url(HOST, f"empiar/world_availability/{entry}/{path}")


def _moved(archive: Archive, match: str = "*") -> int:
    return sum(request.body_bytes_sent for request in archive.requests(match))


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["peek", *arguments])


def _tiff(frames: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, frames, photometric="minisblack", metadata=None, **options)
    return buffer.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_small_micrograph_moves_once_and_is_shown_whole(archive: Archive) -> None:
    pixels = _noise(600, 900)
    archive.add_entry(10943, {"data/a.mrc": mrc_bytes(pixels, voxel_size=(1.3, 1.3, 1.3))})
    seen = preview(_url(archive, "data/a.mrc"))

    expected = pixels.reshape(300, 2, 450, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(seen.picture, expected, rtol=1e-5)
    assert seen.kind == "image"
    assert seen.pixel_size_angstrom == pytest.approx((1.3, 1.3))
    assert seen.look.statistics.mean == pytest.approx(pixels.mean())
    assert seen.look.statistics.standard_deviation == pytest.approx(pixels.std())
    assert _moved(archive) == seen.bytes_moved == 1024 + pixels.nbytes


def test_of_a_micrograph_of_64_mib_16_move(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "large.mrc"
    band = _noise(1024, 4096)
    with path.open("wb") as file:  # sparse: only the band in the middle holds anything
        file.write(mrc_header((1, 4096, 4096), mode=2, voxel_size=(1.1, 1.1, 1.1)))
        file.seek(1024 + 1536 * 4096 * 4)
        file.write(band.tobytes())
        file.truncate(1024 + 4096 * 4096 * 4)
    archive.add_entry(10943, {"data/large.mrc": path})
    seen = preview(_url(archive, "data/large.mrc"))

    assert _moved(archive) == 1024 + 1024 * 4096 * 4
    assert seen.bytes_moved == _moved(archive)
    assert seen.shown() == "the image, rows 1536 to 2559 of 4096"
    np.testing.assert_allclose(seen.picture, band.reshape(128, 8, 512, 8).mean(axis=(1, 3)), rtol=1e-4)
    assert seen.spectrum is not None
    assert seen.spectrum.power.shape == (512, 512)
    assert seen.spectrum.frequencies().max() == pytest.approx(0.5 / 1.1 * 2**0.5)


def test_never_the_whole_of_a_movie(archive: Archive) -> None:
    frames = np.random.default_rng(0).poisson(2.0, (50, 1050, 1100)).astype(np.uint8)
    archive.add_entry(10943, {"data/movie.mrcs": mrc_bytes(frames.view(np.int8), mode=0)})
    seen = preview(_url(archive, "data/movie.mrcs"))

    frame = 1050 * 1100
    assert seen.kind == "movie"
    assert len(seen.look.plan.sections) == 2**24 // frame == 14
    assert _moved(archive) == 1024 + 14 * frame
    expected = frames[:14].sum(axis=0, dtype=np.float64)[:, :1098].reshape(350, 3, 366, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(seen.picture, expected, rtol=1e-5)
    assert seen.shown() == "the sum of frames 0 to 13 of 50"

    few = preview(_url(archive, "data/movie.mrcs"), most_frames=2)
    assert few.shown() == "the sum of frames 0 to 1 of 50"


def test_frames_too_large_to_move_are_read_in_part_and_summed(archive: Archive) -> None:
    frames = _noise(6, 1500, 1100).round(1)
    archive.add_entry(10943, {"data/movie.mrcs": mrc_bytes(frames)})
    seen = preview(_url(archive, "data/movie.mrcs"), limit_bytes=5_000_000, kind="movie")

    assert _moved(archive) <= 5_000_000 + 1024
    rows = seen.look.plan.rows
    assert len(rows) > 1024
    assert seen.shown() == f"frame 0 of 6, rows {rows.start} to {rows.stop - 1} of 1500"


@pytest.mark.parametrize("options", [{"compression": "lzw"}, {"compression": "lzw", "rowsperstrip": 16}])
def test_of_a_compressed_movie_whole_frames_move_as_far_as_they_may(
    archive: Archive, options: dict[str, Any]
) -> None:
    frames = np.random.default_rng(0).poisson(3.0, (20, 1040, 1100)).astype(np.uint8)
    body = _tiff(frames, **options)
    archive.add_entry(10943, {"data/a_fractions.tif": body})
    seen = preview(_url(archive, "data/a_fractions.tif"), limit_bytes=2_000_000)

    count = len(seen.look.plan.sections)
    assert 2 <= count < 10
    assert seen.look.statistics.mean == pytest.approx(frames[:count].sum(axis=0, dtype=np.float64).mean())
    assert _moved(archive) < 2_000_000 + len(frames) * 4096 + MOST_OF_A_HEADER


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_of_a_large_frame_in_strips_a_band_moves(archive: Archive, compression: str | None) -> None:
    frames = np.random.default_rng(0).poisson(3.0, (3, 2000, 2200)).astype(np.uint8)
    body = _tiff(frames, compression=compression, rowsperstrip=16)
    archive.add_entry(10943, {"data/a_fractions.tif": body})
    seen = preview(_url(archive, "data/a_fractions.tif"), limit_bytes=1_000_000)

    rows = seen.look.plan.rows
    assert 1_000_000 / len(body) * 6000 * 0.8 < len(rows) < 2000
    assert abs((rows.start + rows.stop) / 2 - 1000) <= 1
    band = frames[0, rows.start : rows.stop]
    assert seen.look.statistics.mean == pytest.approx(band.mean())
    assert seen.shown() == f"frame 0 of 3, rows {rows.start} to {rows.stop - 1} of 2000"
    assert _moved(archive) < 1_100_000 + 3 * 4096 + MOST_OF_A_HEADER


def test_electrons_of_an_eer_movie_are_summed(archive: Archive) -> None:
    generator = np.random.default_rng(0)
    frames = [random_electrons(generator, 64, 300) for _ in range(12)]
    archive.add_entry(10943, {"data/a.eer": eer_bytes(frames, 64)})
    seen = preview(_url(archive, "data/a.eer"))

    assert seen.kind == "movie"
    assert seen.shown() == "the sum of frames 0 to 11 of 12"
    whole = open_image(_url(archive, "data/a.eer")).sum("frame").values
    np.testing.assert_allclose(seen.picture, whole)


def test_a_volume_shows_its_middle_section(archive: Archive) -> None:
    volume = _noise(9, 40, 50)
    archive.add_file(
        "ftp.ebi.ac.uk",
        "pub/databases/emdb/structures/EMD-1234/map/emd_1234.map.gz",
        gzip.compress(mrc_bytes(volume, ispg=1, voxel_size=(2.0, 2.0, 2.0))),
    )
    seen = preview("EMD-1234")

    assert (seen.kind, seen.name, seen.shown()) == ("volume", "EMD-1234", "section 4 of 9")
    np.testing.assert_array_equal(seen.picture, volume[4])


def test_particles_stand_side_by_side(archive: Archive) -> None:
    stack = _noise(10, 32, 32)
    archive.add_entry(10943, {"data/p.mrcs": mrc_bytes(stack)})
    seen = preview(_url(archive, "data/p.mrcs"))

    assert (seen.kind, seen.shown()) == ("particles", "particles 0 to 9 of 10")
    np.testing.assert_array_equal(seen.picture[:32, :32], stack[0])
    np.testing.assert_array_equal(seen.picture[33:65, 33:65], stack[5])
    assert np.isnan(seen.picture[:, 32]).all()
    assert seen.spectrum is not None
    assert seen.spectrum.tiles == 10


def test_what_can_only_be_had_whole_and_is_too_large_is_refused_before_it_moves(archive: Archive) -> None:
    archive.add_entry(
        10943,
        {
            "data/a.tif.bz2": bz2.compress(_tiff(_noise(900, 900))),
            "data/a.png": bytes(png_encode(to_grey(_noise(1800, 1800)))),
            "data/a.mrc.gz": gzip.compress(mrc_bytes(_noise(900, 900))),
            "data/one.tif": _tiff(_noise(900, 900), compression="zlib"),
        },
    )
    for name in ("a.tif.bz2", "a.png", "a.mrc.gz", "one.tif"):
        with pytest.raises(InvalidRequestError, match=r"only be (fetched|had) whole.*higher limit"):
            preview(_url(archive, f"data/{name}"), limit_bytes=2_000_000)
        assert _moved(archive, f"*/{name}") <= 2**20 + 2**16  # what tells what is in a compressed file


def test_a_section_across_those_of_the_file_is_as_much_as_the_file(archive: Archive) -> None:
    volume = _noise(40, 50, 60)
    archive.add_entry(
        10943, {"data/a.map": mrc_bytes(volume, ispg=1, axes=(3, 2, 1), intervals=(60, 50, 40))}
    )
    with pytest.raises(InvalidRequestError, match="can only be had whole, which is 481 kB"):
        preview(_url(archive, "data/a.map"), limit_bytes=100_000)
    assert _moved(archive) == 1024

    seen = preview(_url(archive, "data/a.map"))
    assert seen.shape == (60, 50, 40)
    np.testing.assert_array_equal(seen.picture, volume.transpose(2, 1, 0)[30])


def test_files_that_an_entry_lists_are_looked_at(archive: Archive) -> None:
    pixels = _noise(20, 30)
    archive.add_entry(10943, {f"data/a {k}.mrc": mrc_bytes(pixels + k) for k in range(3)})
    files = EmpiarEntry(10943).find("data/*.mrc")

    np.testing.assert_allclose(preview(files[1]).picture, pixels + 1, rtol=1e-6)
    assert [image.name for image in contact_sheet(files).images] == [f"data/a {k}.mrc" for k in range(3)]


@pytest.mark.parametrize(
    ("path", "category", "shape", "kind"),
    [
        ("data/a.mrcs", "", (6, 64, 64), "particles"),
        ("data/a.mrcs", "", (6, 1100, 64), "movie"),
        ("data/a.mrcs", "micrographs - multiframe", (6, 64, 64), "movie"),
        ("data/a.mrc", "picked particles - multiframe - processed", (6, 1100, 64), "particles"),
        ("data/a.mrc", "tilt series", (6, 64, 64), "tilts"),
        ("data/a.st", "", (6, 64, 64), "tilts"),
        ("data/a_fractions.mrc", "", (6, 64, 64), "movie"),
        ("data/a.map", "", (6, 64, 64), "volume"),
        ("data/a.mrcs", "", (1, 64, 64), "image"),
    ],
)
def test_what_sections_are_is_told_by_entry_name_and_size(
    archive: Archive, path: str, category: str, shape: tuple[int, int, int], kind: str
) -> None:
    imagesets = [{"name": "Set", "directory": "data", "category": category}]
    archive.add_entry(10943, {path: mrc_bytes(_noise(*shape))}, {"imagesets": imagesets})
    (target,) = entry_targets(EmpiarEntry(10943))

    assert target.open().kind == kind


@given(
    st.tuples(st.integers(1, 60), st.integers(1, 5000), st.integers(1, 5000)),
    st.sampled_from([1, 2, 4]),
    st.sampled_from(KINDS),
    st.integers(1, 2**25),
)
def test_no_plan_reads_more_than_it_may(
    shape: tuple[int, int, int], itemsize: int, kind: Kind, limit: int
) -> None:
    try:
        plan = plan_reading(
            shape,
            ("z", "y", "x"),
            itemsize,
            kind=kind,
            limit_bytes=limit,
        )
    except InvalidRequestError:
        assert limit < 64 * shape[2] * itemsize
        return
    assert len(plan.sections) * len(plan.rows) * shape[2] * itemsize <= limit
    assert set(plan.sections) <= set(range(shape[0]))
    assert plan.rows.start >= 0
    assert plan.rows.stop <= shape[1]


def test_an_array_is_looked_at_like_its_file_and_moves_no_more(archive: Archive) -> None:
    archive.add_entry(10943, {"data/movie.mrcs": mrc_bytes(_noise(8, 1030, 40))})
    by_name = preview(_url(archive, "data/movie.mrcs"), limit_bytes=400_000)
    moved = _moved(archive)
    of_array = preview(open_image(_url(archive, "data/movie.mrcs")), limit_bytes=400_000)

    np.testing.assert_array_equal(of_array.picture, by_name.picture)
    assert _moved(archive) == 2 * moved
    assert preview(EmpiarSource(10943, "data").read_partition(0)).kind == "movie"


def test_the_entry_says_what_the_file_does_not(archive: Archive, here: Path) -> None:
    body = _tiff(np.random.default_rng(0).poisson(40.0, (64, 64)).astype(np.uint8))
    imageset = {"name": "Set", "directory": "data", "pixel_width": 0.824, "pixel_height": 0.824}
    archive.add_entry(10943, {"data/a.tif": body}, {"imagesets": [imageset]})
    done = _run("10943", "data/a.tif", "--json", "--output", "a.png")

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["pixel_size_angstrom"] == [0.824, 0.824]


def test_the_picture_on_the_sheet_has_the_images_orientation_and_a_true_scale_bar() -> None:
    import xarray

    pixels = np.zeros((100, 100), np.float32)
    pixels[:25, :50] = 1.0  # bright: top, left
    image = xarray.DataArray(pixels, dims=("y", "x"), attrs={"voxel_size": (0.0, 2.0, 2.0)})
    sheet = png_decode(preview(image).png)[..., :3].astype(int)

    top, left, side = 80, 25, 540  # where the picture lies on the sheet
    picture = sheet[top : top + side, left : left + side].mean(axis=2)
    assert picture[20:100, 20:240].mean() > 250
    assert picture[20:100, 300:520].mean() < 5
    assert picture[200:400].mean() < 5
    bar = (sheet[top + side - 40 : top + side, left : left + side].min(axis=2) > 250).sum(axis=1).max()
    assert bar == pytest.approx(540 * 50 / 200, abs=2)  # 5 nm of 20 nm


def test_a_name_from_the_archive_is_drawn_as_it_stands(
    recwarn: pytest.WarningsRecorder, archive: Archive
) -> None:
    name = r"data/$\frac{1}{0}$ \x1b 漢字 µ.mrc"
    archive.add_entry(10943, {name: mrc_bytes(_noise(16, 16))})
    source = EmpiarSource(10943, "data")

    assert preview(source.filenames[0]).png.startswith(b"\x89PNG")
    assert contact_sheet(source).png.startswith(b"\x89PNG")
    assert not recwarn.list


def test_a_notebook_shows_the_picture_and_the_facts(archive: Archive) -> None:
    archive.add_entry(10943, {"data/<b>.mrc": mrc_bytes(_noise(16, 16))})
    seen = preview(EmpiarSource(10943, "data").partition(0))

    assert seen._repr_png_() == seen.png
    page = seen._repr_html_()
    assert "data:image/png;base64," in page
    assert "<b>" not in page
    assert "16 x 16 float32" in page


def test_nothing_that_was_there_is_written_over(archive: Archive, here: Path) -> None:
    archive.add_entry(10943, {"data/a.mrc": mrc_bytes(_noise(16, 16))})
    seen = preview(_url(archive, "data/a.mrc"))
    mine = here / "a.png"
    mine.write_text("mine")
    dangling = here / "link.png"
    dangling.symlink_to(here / "nowhere")

    for path in (mine, dangling, here):
        with pytest.raises(LocalFileError):
            seen.save(path)
    with pytest.raises(LocalFileError, match="cannot write"):
        seen.save(here / "no" / "folder.png")
    assert mine.read_text() == "mine"
    assert seen.save(mine, overwrite=True).read_bytes() == seen.png
    assert sorted(path.name for path in here.iterdir()) == ["a.png", "link.png"]

    before = len(archive.requests())
    done = _run("10943", "data/a.mrc", "--output", "a.png")
    assert done.exit_code == 1
    assert "a.png is there already" in done.stderr
    assert not [
        r for r in archive.requests()[before:] if r.path.endswith("a.mrc")
    ]  # asked before it was read


def test_without_matplotlib_a_sentence_names_what_to_install(
    archive: Archive, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add_entry(10943, {"data/a.mrc": mrc_bytes(_noise(16, 16))})
    seen = preview(_url(archive, "data/a.mrc"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'empiarreader\[plot\]'"):
        _ = seen.png
    before = len(archive.requests())
    done = _run("10943", "data/a.mrc")
    assert done.exit_code == 1
    assert "pip install 'empiarreader[plot]'" in done.stderr
    assert len(archive.requests()) == before


def test_peek_prints_where_the_picture_is_and_what_is_on_it(archive: Archive, here: Path) -> None:
    archive.add_entry(10943, {f"data/m 1/a{k}.mrc": mrc_bytes(_noise(16, 20)) for k in range(3)})
    done = _run("10943", "data/**/*.mrc")

    assert done.exit_code == 0, done.output
    path, name, shape, shown, values, moved = done.stdout.splitlines()
    assert (path, name) == ("a0.png", "data/m 1/a0.mrc")
    assert shape == "16 x 20 float32, 1 Å a pixel"
    assert shown == "shown: the image"
    assert values.startswith("values read: ")
    assert moved == "moved: 2.3 kB in 2 requests"
    assert "the first of 3" in done.stderr
    assert (here / path).read_bytes().startswith(b"\x89PNG")
    assert _run("10943", "data/m 1/a1.mrc", "-q").stdout == "a1.png\n"


def test_a_local_file_moves_nothing(here: Path) -> None:
    (here / "a.mrc").write_bytes(mrc_bytes(_noise(16, 16)))
    facts = json.loads(_run("a.mrc", "--json").stdout)

    assert (facts["bytes_moved"], facts["requests"], facts["shape"]) == (0, 0, [16, 16])
    assert facts["path"] == "a.png"


def test_what_is_not_clear_is_a_usage_error_and_what_is_not_there_says_so(
    archive: Archive, here: Path
) -> None:
    archive.add_entry(10943, {"data/a.mrc": mrc_bytes(_noise(16, 16)), "data/b.txt": b"x"})

    assert _run("10943").exit_code == 2
    assert _run("nothing.mrc", "data/*").exit_code == 2
    assert _run("10943", "data/*.mrc", "--limit", "much").exit_code == 2
    assert _run("10943", "--imageset", "7").exit_code == 2
    assert _run("10943", "data/*.txt").exit_code == 3
    assert _run("nothing.mrc").exit_code == 3
    assert _run("10944", "data/*").exit_code == 3
    assert list(here.iterdir()) == []


def test_a_contact_sheet_shows_images_spread_evenly(archive: Archive, here: Path) -> None:
    files = {f"data/m{k:02}.mrc": mrc_bytes(np.full((16, 16), k, np.float32)) for k in range(21)}
    archive.add_entry(10943, {**files, "data/gain.mrc": mrc_bytes(_noise(16, 16)), "data/a.txt": b"x"})
    told: list[tuple[int, int, str]] = []
    sheet = contact_sheet(
        EmpiarSource(10943, "data", filename="m*"), count=5, progress=lambda *a: told.append(a)
    )

    assert [image.name for image in sheet.images] == [f"data/m{k:02}.mrc" for k in (0, 5, 10, 15, 20)]
    assert [image.picture.mean() for image in sheet.images if image.picture is not None] == [0, 5, 10, 15, 20]
    assert told == [(k + 1, 5, image.name) for k, image in enumerate(sheet.images)]
    assert sheet.bytes_moved == _moved(archive, "*/m[0-9]*.mrc") == 5 * (1024 + 16 * 16 * 4)

    done = _run("10943", "--imageset", "1", "--sheet", "4", "--json", "-o", "s.png")
    assert done.exit_code == 0, done.output
    assert [image["name"] for image in json.loads(done.stdout)["images"]] == [
        f"data/m{k:02}.mrc" for k in (0, 7, 13, 20)
    ]
    assert (here / "s.png").read_bytes().startswith(b"\x89PNG")


def test_an_image_that_cannot_be_read_is_named_on_its_sheet(archive: Archive, here: Path) -> None:
    archive.add_entry(10943, {"data/a.mrc": mrc_bytes(_noise(16, 16)), "data/b.mrc": b"no image at all"})
    done = _run("10943", "--sheet", "9")

    assert done.exit_code == 1
    assert "2 of 2 images, 1 of them not readable" in done.stdout
    assert "b.mrc" in done.stderr
    assert (here / "EMPIAR-10943-sheet.png").exists()


def test_a_sheet_has_no_gaps_below_wide_pictures_and_says_in_its_place_why_one_is_missing(
    archive: Archive,
) -> None:
    wide = {f"data/{name}.mrc": mrc_bytes(_noise(50, 100)) for name in "abcd"}
    archive.add_entry(10943, {**wide, "data/e.mrc": b"no image at all"})
    sheet = contact_sheet(EmpiarEntry(10943).find("data/*.mrc"))
    assert sheet.images[4].note == "is no MRC file: it has 15 bytes, and the header alone has 1024"

    grey = png_decode(sheet.png)[..., :3].mean(axis=2)
    cell, left, gap = 235, 18, 18
    height, width = grey.shape
    assert width == 3 * (cell + gap) + gap
    assert height == pytest.approx(105 + 2 * (cell / 2 + 42), abs=2)
    first = grey[60 : 60 + cell // 2 - 2, left : left + cell]
    assert first.std() > 30  # a picture to its lower edge
    assert (first[-4:].std(axis=1) > 30).all()
    missing = grey[-45 - 42 - cell // 2 : -45 - 42 - 2, left + cell + gap : left + 2 * cell + gap]
    assert missing.max() == pytest.approx(242, abs=2)
    assert (missing < 160).sum() > 100  # the reason, in ink


def test_a_name_of_two_lines_is_printed_on_one(archive: Archive, here: Path) -> None:
    archive.add_entry(10943, {"data/a\nfake.mrc": mrc_bytes(_noise(16, 16)), "data/b.mrc": b"no image"})
    done = _run("10943", "--sheet", "2", "-o", "s.png")

    assert done.stdout.splitlines()[1] == r"  data/a\nfake.mrc"
    assert _run("10943", "data/a*", "-o", "a.png").stdout.splitlines()[1] == r"data/a\nfake.mrc"


@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_a_pixel_size_that_is_none_is_refused(value: float, tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc_bytes(_noise(16, 16)))
    with pytest.raises(InvalidRequestError, match="pixel size"):
        preview(path, pixel_size_angstrom=value)
    with pytest.raises(InvalidRequestError):
        preview(path, size=5)
    with pytest.raises(InvalidRequestError):
        preview(path, kind="film")


def test_pixels_that_are_no_numbers_make_a_picture_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc_bytes(np.full((32, 32), np.nan, np.float32)))
    seen = preview(path)

    assert seen.look.statistics.mean is None
    assert json.loads(json.dumps(seen.facts()))["mean"] is None
    assert to_grey(seen.picture).max() == 0
    assert seen.png.startswith(b"\x89PNG")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("EMD-3197.map", "volume"),
        ("EMD-3001.map", "volume"),
        ("empiar_10076_7.mrc", "particles"),
        ("hand.5.mrcs", "particles"),
        ("float16_mode12.mrc", "image"),
    ],
)
def test_real_files_are_taken_for_what_they_are(name: str, kind: str, real_data: Path) -> None:
    seen = preview(real_data / "empiar" / "mrc" / name)

    assert seen.kind == kind
    assert np.isfinite(seen.picture).any()
    assert seen.png.startswith(b"\x89PNG")


def test_colours_and_waves_have_grey_pictures(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", colours, photometric="rgb", metadata=None)
    np.testing.assert_allclose(preview(tmp_path / "c.tif").picture, colours.mean(axis=2), rtol=1e-6)
    wave = (_noise(8, 8) + 1j * _noise(8, 8)).astype(np.complex64)
    (tmp_path / "w.mrc").write_bytes(mrc_bytes(wave, mode=4))
    np.testing.assert_allclose(preview(tmp_path / "w.mrc").picture, np.log1p(np.abs(wave)), rtol=1e-6)


def test_the_names_are_public() -> None:
    assert {"preview", "Preview", "contact_sheet", "ContactSheet", "SheetImage"} <= set(empiarreader.__all__)
