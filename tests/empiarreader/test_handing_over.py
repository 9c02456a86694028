"""What is handed over to RELION, Scipion, Globus and Aspera: which files, by which names, with which values.

That the programs themselves take it is proved in ``test_handing_over_programs.py``.
"""

from __future__ import annotations

import glob
import json
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

import empiarreader
from eer_files import eer_bytes, random_electrons
from empiarreader import Acquisition, GainOrientation, Handed, export_relion, export_scipion
from empiarreader.cli import main
from empiarreader.handing_over.beamshifts import cluster
from empiarreader.handing_over.links import is_safe, safe_names
from empiarreader.handing_over.scipion import common_pattern
from empiarreader.handing_over.starwriting import star_text
from perc_archive import Archive

MICROSCOPE = Acquisition(voltage_kv=300, spherical_aberration_mm=2.7, amplitude_contrast=0.1)
ALL_SAID = ("--voltage", "300", "--cs", "2.7", "--amplitude-contrast", "0.1", "--pixel-size", "1.06")


def _stack(path: Path, shape: tuple[int, ...] = (4, 16, 12), *, pixel_size: float = 1.06) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path, np.arange(np.prod(shape), dtype="i2").reshape(shape)) as file:
        file.voxel_size = pixel_size
    return path


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_a_file_that_comes_to_be_while_another_is_written_stays(
    movies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    star, write = tmp_path / "m.star", Path.write_bytes

    def written_meanwhile(path: Path, content: bytes) -> int:
        write(star, b"theirs")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", written_meanwhile)
    done = _run(movies, "--relion", star, "--kind", "movies", *ALL_SAID)

    assert done.exit_code == 1
    assert "came to be there meanwhile" in done.stderr
    assert star.read_bytes() == b"theirs"
    assert not list(tmp_path.glob(".*.part"))


def test_a_source_that_is_nothing_is_missed_as_a_folder_too(tmp_path: Path) -> None:
    done = _run(tmp_path / "mvoies", "--relion", tmp_path / "import.star")

    assert done.exit_code == 3
    assert "there is no folder, image or list" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def movies(tmp_path: Path) -> Path:
    for number in range(3):
        _stack(tmp_path / f"raw/m{number}.mrcs")
    return tmp_path / "raw"


@pytest.fixture
def downloaded(archive: Archive, tmp_path: Path) -> Path:
    """A folder with the manifest of a download: movies of two imagesets, their gain, and a table."""
    made = {
        name: _stack(tmp_path / "made" / name).read_bytes() for name in ("a 1.mrcs", "a 2.mrcs", "b 1.mrcs")
    }
    gain = _stack(tmp_path / "made/gain.mrc", (16, 12)).read_bytes()
    archive.add_entry(
        10001,
        {
            "data/first/a 1.mrcs": made["a 1.mrcs"],
            "data/first/a 2.mrcs": made["a 2.mrcs"],
            "data/second/b 1.mrcs": made["b 1.mrcs"],
            "data/first/gain.mrc": gain,
            "data/first/notes.star": b"data_x\n",
        },
        {
            "imagesets": [
                _imageset("First: K3", "data/first", 1.06),
                _imageset("Second", "data/second", 0.53),
            ]
        },
    )
    folder = tmp_path / "project" / "raw"
    empiarreader.download(empiarreader.EmpiarEntry(10001).files(), folder).raise_for_failures()
    return folder


def _imageset(name: str, directory: str, pixel_size: float | None) -> dict[str, object]:
    return {
        "name": name,
        "directory": directory,
        "category": "micrographs - multiframe",
        "data_format": "MRCS",
        "pixel_width": pixel_size,
        "pixel_height": pixel_size,
    }


def test_imagesets_become_optics_groups_with_their_own_pixel_sizes(downloaded: Path) -> None:
    handed = export_relion(downloaded, downloaded.parent / "movies.star", acquisition=MICROSCOPE)

    blocks = starfile.read(handed.path)
    optics, rows = blocks["optics"], blocks["movies"]
    assert list(optics.rlnOpticsGroupName) == ["opticsGroup1_First_K3", "opticsGroup2_Second"]
    assert list(optics.rlnMicrographOriginalPixelSize) == [1.06, 0.53]
    assert set(optics.rlnVoltage) == {300.0}
    assert set(optics.rlnSphericalAberration) == {2.7}
    assert set(optics.rlnAmplitudeContrast) == {0.1}
    assert list(rows.rlnOpticsGroup) == [1, 1, 2]
    assert [Path(downloaded.parent, name).resolve().name for name in rows.rlnMicrographMovieName] == [
        "a 1.mrcs",
        "a 2.mrcs",
        "b 1.mrcs",
    ]
    assert handed.files == 3
    assert [one.pixel_size_angstrom for one in handed.sets] == [1.06, 0.53]


def test_a_pixel_size_that_is_given_goes_before_the_entrys(downloaded: Path) -> None:
    given_size = Acquisition(
        voltage_kv=300, spherical_aberration_mm=2.7, amplitude_contrast=0.1, pixel_size_angstrom=2.12
    )
    handed = export_relion(downloaded, downloaded.parent / "movies.star", acquisition=given_size)

    assert set(starfile.read(handed.path)["optics"].rlnMicrographOriginalPixelSize) == {2.12}


@pytest.mark.parametrize("write", [export_relion, export_scipion])
def test_pixels_that_the_entry_says_are_not_square_are_asked_for(
    archive: Archive, tmp_path: Path, write: Callable[..., Handed]
) -> None:
    movie = _stack(tmp_path / "made/a.mrcs", pixel_size=1.0).read_bytes()
    imageset = {**_imageset("Set", "data", 1.06), "pixel_height": 2.12}
    archive.add_entry(10001, {"data/a.mrcs": movie}, {"imagesets": [imageset]})
    folder = tmp_path / "raw"
    empiarreader.download(empiarreader.EmpiarEntry(10001).files(), folder).raise_for_failures()
    written = tmp_path / ("m.star" if write is export_relion else "project")

    with pytest.raises(empiarreader.InvalidRequestError, match="pixel"):
        write(folder, written, acquisition=MICROSCOPE)
    assert not written.exists()


@pytest.mark.parametrize(("size", "quoted"), [((2.12, 2.12, 1.06), False), ((9.9, 1.06, 1.06), True)])
def test_pixels_that_a_header_says_are_not_square_are_not_quoted(
    tmp_path: Path, size: tuple[float, float, float], quoted: bool
) -> None:
    with mrcfile.new(tmp_path / "a.mrcs", np.zeros((2, 16, 12), "i2")) as file:
        file.voxel_size = size[::-1]  # x first
    with pytest.raises(empiarreader.InvalidRequestError) as caught:
        export_relion(tmp_path, tmp_path / "m.star", kind="movies", acquisition=MICROSCOPE)

    assert ("the header of a.mrcs says 1.06 Å a pixel" in str(caught.value)) == quoted


def test_where_entry_and_file_differ_about_the_pixel_size_the_user_is_told(downloaded: Path) -> None:
    handed = export_relion(downloaded, downloaded.parent / "movies.star", acquisition=MICROSCOPE)

    told = [note for note in handed.notes if note.startswith("Second: 0.53 Å")]
    assert len(told) == 1
    assert "b 1.mrcs says 1.06 Å" in told[0]
    assert not any(note.startswith("First") for note in handed.notes)


def test_a_gain_reference_among_the_files_is_pointed_out_and_not_taken_for_a_movie(downloaded: Path) -> None:
    handed = export_relion(downloaded, downloaded.parent / "movies.star", acquisition=MICROSCOPE)

    assert any("data/first/gain.mrc" in note for note in handed.notes)
    assert "gain" not in handed.text


def test_what_the_archive_does_not_say_is_asked_for_in_one_sentence(movies: Path) -> None:
    with pytest.raises(empiarreader.InvalidRequestError) as caught:
        export_relion(movies, movies.parent / "movies.star", kind="movies")

    said = str(caught.value)
    assert said.startswith(
        "RELION needs the pixel size in Å, the voltage in kV, the spherical aberration in mm and the "
        "amplitude contrast, which EMPIAR does not say"
    )
    assert "m0.mrcs says 1.06 Å a pixel" in said
    assert "--voltage (voltage_kv= in Python)" in said
    assert not (movies.parent / "movies.star").exists()


def test_a_voltage_in_volts_is_refused() -> None:
    with pytest.raises(empiarreader.InvalidRequestError, match="the voltage in kV is 300000"):
        Acquisition(voltage_kv=300_000)


def test_images_of_two_kinds_are_not_mixed(tmp_path: Path) -> None:
    _stack(tmp_path / "a_movie.mrcs")
    _stack(tmp_path / "stack.mrcs")

    with pytest.raises(empiarreader.InvalidRequestError, match="there are 1 movie and 1 particle; say which"):
        export_relion(tmp_path, tmp_path / "x.star", acquisition=MICROSCOPE)


def test_names_that_relion_cannot_take_are_linked_and_lead_to_the_files(tmp_path: Path) -> None:
    names = ["a b.mrcs", "run:1/c#1.mrcs", "run:2/c#1.mrcs", "x@y.MRC", "ünï.mrc", "-o.mrc", "fine.mrcs"]
    for name in names:
        _stack(tmp_path / "raw" / name)
    acquisition = Acquisition(
        voltage_kv=300, spherical_aberration_mm=2.7, amplitude_contrast=0.1, pixel_size_angstrom=1.06
    )
    handed = export_relion(tmp_path / "raw", tmp_path / "movies.star", kind="movies", acquisition=acquisition)

    written = starfile.read(handed.path)["movies"].rlnMicrographMovieName
    assert len(set(written)) == len(names)
    assert all(is_safe(name) for name in written)
    assert "raw/fine.mrcs" in set(written)
    assert {(tmp_path / name).resolve() for name in written} == {tmp_path / "raw" / name for name in names}
    assert all(name.endswith((".mrc", ".mrcs")) for name in written)


def test_files_outside_the_project_are_linked_into_it(movies: Path, tmp_path: Path) -> None:
    star = tmp_path / "project" / "Import" / "movies.star"
    star.parent.mkdir(parents=True)
    acquisition = Acquisition(
        voltage_kv=300, spherical_aberration_mm=2.7, amplitude_contrast=0.1, pixel_size_angstrom=1.06
    )
    handed = export_relion(movies, star, kind="movies", acquisition=acquisition, project=tmp_path / "project")

    names = list(starfile.read(star)["movies"].rlnMicrographMovieName)
    assert names == [f"Import/movies.links/m{k}.mrcs" for k in range(3)]
    assert [(tmp_path / "project" / name).resolve() for name in names] == [
        movies / f"m{k}.mrcs" for k in range(3)
    ]
    assert handed.next_steps == ("relion_run_motioncorr --use_own --i Import/movies.star --o MotionCorr/",)


def test_a_star_file_outside_the_project_is_refused(movies: Path, tmp_path: Path) -> None:
    with pytest.raises(empiarreader.InvalidRequestError, match="is not in the project"):
        export_relion(movies, tmp_path / "a.star", kind="movies", project=tmp_path / "elsewhere")


def test_every_image_of_a_stack_of_particles_has_a_row(tmp_path: Path) -> None:
    _stack(tmp_path / "one.mrcs", (3, 16, 16))
    _stack(tmp_path / "two.mrc", (2, 16, 16))
    done = _run(tmp_path, "--relion", tmp_path / "p.star", "--kind", "particles", *ALL_SAID)

    assert done.exit_code == 0, done.output
    blocks = starfile.read(tmp_path / "p.star")
    assert list(blocks["particles"].rlnImageName) == [
        "000001@one.mrcs",
        "000002@one.mrcs",
        "000003@one.mrcs",
        "000001@p.links/two.mrcs",  # in an .mrc, RELION sees a volume
        "000002@p.links/two.mrcs",
    ]
    optics = blocks["optics"]
    assert optics[["rlnImageSize", "rlnImageDimensionality", "rlnImagePixelSize"]].values.tolist() == [
        [16, 2, 1.06]
    ]


def test_particles_that_are_not_square_are_refused(tmp_path: Path) -> None:
    _stack(tmp_path / "one.mrcs", (3, 16, 12))
    done = _run(tmp_path, "--relion", tmp_path / "p.star", "--kind", "particles", *ALL_SAID)

    assert done.exit_code == 2
    assert "square" in done.stderr


def test_micrographs_say_their_pixel_size_twice_as_relion_does(tmp_path: Path) -> None:
    _stack(tmp_path / "one.mrc", (16, 12))
    assert _run(tmp_path, "--relion", tmp_path / "m.star", "--kind", "micrographs", *ALL_SAID).exit_code == 0

    optics = starfile.read(tmp_path / "m.star")["optics"]
    sizes = optics[["rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize"]]
    assert sizes.values.tolist() == [[1.06, 1.06]]


@pytest.mark.parametrize(("quarter_turns", "expected"), [(1, "1"), (-1, "3"), (6, "2")])
def test_gain_dose_and_its_orientation_go_into_the_next_command(
    quarter_turns: int, expected: str, movies: Path, tmp_path: Path
) -> None:
    gain = _stack(tmp_path / "the gain.mrc", (16, 12))
    acquisition = Acquisition(
        voltage_kv=300,
        spherical_aberration_mm=2.7,
        amplitude_contrast=0.1,
        pixel_size_angstrom=1.06,
        frame_dose_electrons_per_square_angstrom=1.25,
        gain=gain,
        gain_orientation=GainOrientation(quarter_turns=quarter_turns, flip="left_right"),
    )
    handed = export_relion(movies, tmp_path / "m.star", kind="movies", acquisition=acquisition)

    words = shlex.split(handed.next_steps[0])
    pairs = dict(pairwise(words))
    assert (pairs["--gain_rot"], pairs["--gain_flip"], pairs["--dose_per_frame"]) == (expected, "2", "1.25")
    assert (tmp_path / pairs["--gainref"]).resolve() == gain


def test_an_entrys_selection_is_written_as_a_download_will_place_it(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(
        10001,
        {"data/x/a.mrcs": b"x", "data/x/b.mrcs": b"x"},
        {"imagesets": [_imageset("S", "data/x", 0.8)]},
    )
    done = _run(
        "10001",
        "data/**/*.mrcs",
        "--relion",
        tmp_path / "m.star",
        "--save_dir",
        tmp_path / "raw",
        *ALL_SAID[:6],
    )

    assert done.exit_code == 0, done.output
    names = list(starfile.read(tmp_path / "m.star")["movies"].rlnMicrographMovieName)
    assert names == ["raw/data/x/a.mrcs", "raw/data/x/b.mrcs"]


def test_packed_movies_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "m_movie.mrcs.bz2").write_bytes(b"BZh")
    done = _run(tmp_path, "--relion", tmp_path / "m.star", *ALL_SAID)

    assert done.exit_code == 2
    assert "RELION does not read m_movie.mrcs.bz2 as movies" in done.stderr
    assert "unpack it first" in done.stderr


def test_what_the_user_had_is_never_replaced_unless_asked(movies: Path, tmp_path: Path) -> None:
    star = tmp_path / "m.star"
    star.write_text("mine")
    refused = _run(movies, "--relion", star, "--kind", "movies", *ALL_SAID)

    assert refused.exit_code == 1
    assert star.read_text() == "mine"
    assert "overwrite" in refused.stderr
    assert _run(movies, "--relion", star, "--kind", "movies", "--overwrite", *ALL_SAID).exit_code == 0
    assert len(starfile.read(star)["movies"]) == 3


def test_a_file_in_the_place_of_a_link_is_never_replaced(tmp_path: Path) -> None:
    _stack(tmp_path / "raw/a b.mrcs")
    mine = tmp_path / "m.links/a_b.mrcs"
    mine.parent.mkdir()
    mine.write_text("mine")
    done = _run(
        tmp_path / "raw", "--relion", tmp_path / "m.star", "--kind", "movies", "--overwrite", *ALL_SAID
    )

    assert done.exit_code == 1
    assert mine.read_text() == "mine"
    assert not (tmp_path / "m.star").exists()


def test_a_dry_run_writes_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    _stack(tmp_path / "raw/a b.mrcs")
    before = sorted(tmp_path.rglob("*"))
    done = _run(tmp_path / "raw", "--relion", tmp_path / "m.star", "--kind", "movies", "--dry-run", *ALL_SAID)

    assert done.exit_code == 0
    assert "m.star: 1 file\n  1 file of movies" in done.stderr
    assert "would write" in done.stderr
    assert "1 of them by links" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_json_tells_programs_what_was_written(movies: Path, tmp_path: Path) -> None:
    done = _run(movies, "--relion", tmp_path / "m.star", "--kind", "movies", "--json", *ALL_SAID)

    told = json.loads(done.stdout)
    assert told["path"] == str(tmp_path / "m.star")
    assert told["files"] == 3
    assert told["sets"] == [{"kind": "movies", "name": "", "files": 3, "pixel_size_angstrom": 1.06}]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20),
        min_size=1,
        max_size=6,
        unique=True,
    )
)
def test_safe_names_are_safe_and_like_no_other_whatever_files_are_called(names: list[str]) -> None:
    from empiarreader.handing_over.files import HandedFile

    files = [HandedFile(path=Path(f"/d/{name}.mrc"), name=f"{name}.mrc") for name in names]
    made = safe_names(files, {file.path: ".mrc" for file in files})

    assert len({name.lower() for name in made.values()}) == len(names)
    assert all(is_safe(name) and name.endswith(".mrc") and "/" not in name for name in made.values())


def test_a_star_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    columns: dict[str, list[str | int | float]] = {
        "rlnVoltage": [300.0, 200.0],
        "rlnOpticsGroupName": ["a", "b"],
        "rlnOpticsGroup": [1, 2],
    }
    (tmp_path / "x.star").write_text(star_text({"optics": columns}))

    assert starfile.read(tmp_path / "x.star").to_dict("list") == columns
    assert empiarreader.open_table(tmp_path / "x.star")["optics"].to_dict("list") == columns


def test_of_a_final_image_that_scipion_counts_as_a_frame_the_user_is_told(tmp_path: Path) -> None:
    frames = [random_electrons(np.random.default_rng(k), 64, 50) for k in range(5)]
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.eer").write_bytes(eer_bytes(frames, 64, final_image=name == "with"))
        handed = export_scipion(
            tmp_path / name,
            tmp_path / f"{name}.json",
            acquisition=replace(MICROSCOPE, pixel_size_angstrom=0.8),
        )
        told = [note for note in handed.notes if "m.eer" in note]
        assert [note for note in told if "final image" in note and "6 frames instead of 5" in note] == told
        assert bool(told) == (name == "with")


def test_images_are_put_into_optics_groups_by_a_part_of_their_names(tmp_path: Path) -> None:
    names = [f"FoilHole_{hole}_Data_{target}_7_fractions.mrcs" for hole in (1, 2, 3) for target in (88, 99)]
    for name in names:
        _stack(tmp_path / name)
    by_target = ("--optics-groups", r"_Data_(\d+)_")
    done = _run(tmp_path, "--relion", tmp_path / "m.star", "--kind", "movies", *by_target, *ALL_SAID)

    assert done.exit_code == 0, done.output
    blocks = starfile.read(tmp_path / "m.star")
    assert list(blocks["optics"].rlnOpticsGroupName) == ["opticsGroup1_88", "opticsGroup2_99"]
    assert list(blocks["optics"].rlnMicrographOriginalPixelSize) == [1.06, 1.06]
    of_file = dict(zip(blocks["movies"].rlnMicrographMovieName, blocks["movies"].rlnOpticsGroup, strict=True))
    assert of_file == {name: 1 if "_88_" in name else 2 for name in names}

    options = {"kind": "movies", "acquisition": replace(MICROSCOPE, pixel_size_angstrom=1.06)}
    with pytest.raises(empiarreader.InvalidRequestError, match="fits no part of FoilHole_1_Data_88"):
        export_relion(tmp_path, tmp_path / "n.star", optics_groups="_X_", **options)  # type: ignore[arg-type]
    with pytest.raises(empiarreader.InvalidRequestError, match="no regular expression"):
        export_relion(tmp_path, tmp_path / "n.star", optics_groups="((", **options)  # type: ignore[arg-type]


EPU_NOTES = """<?xml version="1.0"?>
<MicroscopeImage xmlns="http://schemas.datacontract.org/2004/07/Fei.SharedObjects"><microscopeData><optics>
<BeamShift xmlns:a="http://schemas.datacontract.org/2004/07/Fei.Types"><a:_x>{x}</a:_x><a:_y>{y}</a:_y></BeamShift>
<BeamTilt xmlns:a="http://schemas.datacontract.org/2004/07/Fei.Types"><a:_x>9</a:_x><a:_y>9</a:_y></BeamTilt>
</optics></microscopeData></MicroscopeImage>"""
SERIALEM_NOTES = "T = SerialEM\n\n[ZValue = 0]\nTiltAngle = 0.01\nImageShift = {x} {y}\n"


def _shifted(folder: Path, program: str, shifts: np.ndarray[Any, Any]) -> dict[str, int]:
    """Write a movie for each shift ``(target, shot, 2)`` and its notes; return the target of each name."""
    targets = {}
    for (target, shot), _ in np.ndenumerate(shifts[..., 0]):
        x, y = shifts[target, shot]
        stem = f"FoilHole_{shot}_Data_1{target}_7_20240101_12{shot:02}{target:02}"
        name, notes = {
            "EPU": (f"{stem}_Fractions.mrcs", (f"{stem}.xml", EPU_NOTES)),
            "SerialEM": (f"{stem}.mrcs", (f"{stem}.mrcs.mdoc", SERIALEM_NOTES)),
        }[program]
        _stack(folder / name)
        (folder / notes[0]).write_text(notes[1].format(x=x, y=y))
        targets[name] = target
    return targets


@pytest.mark.parametrize("program", ["EPU", "SerialEM"])
def test_images_are_put_into_optics_groups_by_their_beam_shift(tmp_path: Path, program: str) -> None:
    targets = np.stack(np.meshgrid([-0.4, 0, 0.4], [-0.5, 0.1]), axis=-1).reshape(6, 1, 2)
    shifts = targets + np.random.default_rng(1).normal(0, 0.01, (6, 5, 2))
    targets_of = _shifted(tmp_path, program, shifts)
    by_shift = ("--beam-shift-groups", "6")
    done = _run(tmp_path, "--relion", tmp_path / "m.star", "--kind", "movies", *by_shift, *ALL_SAID)

    assert done.exit_code == 0, done.output
    assert "6 groups of beam shift, of 5 to 5 images" in done.stderr
    assert "  5 files of movies: shift1" in done.stderr
    blocks = starfile.read(tmp_path / "m.star")
    assert list(blocks["optics"].rlnOpticsGroup) == [1, 2, 3, 4, 5, 6]
    assert blocks["optics"].rlnOpticsGroupName[0] == "opticsGroup1_shift1"
    groups = zip(blocks["movies"].rlnMicrographMovieName, blocks["movies"].rlnOpticsGroup, strict=True)
    pairs = {(targets_of[name], group) for name, group in groups}
    assert len(pairs) == len({target for target, _ in pairs}) == len({group for _, group in pairs}) == 6


def test_a_number_of_groups_that_does_not_fit_the_shifts_is_said(tmp_path: Path) -> None:
    shifts = np.array([[[0.0, 0.0], [0.01, 0.0], [0.02, 0.01]], [[1.0, 0.0], [1.01, 0.0], [1.02, 0.0]]])
    _shifted(tmp_path, "EPU", shifts)
    options: Any = {"kind": "movies", "acquisition": replace(MICROSCOPE, pixel_size_angstrom=1.06)}

    apart = export_relion(tmp_path, tmp_path / "m.star", beam_shift_groups=2, **options)
    assert any("2 groups of beam shift, of 3 to 3 images" in note for note in apart.notes)
    assert not any("not clearly apart" in note for note in apart.notes)
    mixed = export_relion(tmp_path, tmp_path / "n.star", beam_shift_groups=4, **options)
    assert any("not clearly apart: try another number" in note for note in mixed.notes)
    with pytest.raises(empiarreader.InvalidRequestError, match="6 different shifts"):
        export_relion(tmp_path, tmp_path / "o.star", beam_shift_groups=7, **options)
    with pytest.raises(empiarreader.InvalidRequestError, match="not by both"):
        export_relion(tmp_path, tmp_path / "o.star", beam_shift_groups=2, optics_groups="_", **options)


@pytest.mark.parametrize(
    ("notes", "error"),
    [
        (None, empiarreader.ArchiveFileNotFoundError),
        ("", empiarreader.DamagedDataError),
        ("<MicroscopeImage/>", empiarreader.DamagedDataError),
        (EPU_NOTES.format(x="nan", y="0"), empiarreader.DamagedDataError),
        (EPU_NOTES.format(x="wide", y="0"), empiarreader.DamagedDataError),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', empiarreader.DamagedDataError),
    ],
)
def test_a_beam_shift_that_is_not_noted_is_missed(
    tmp_path: Path, notes: str | None, error: type[Exception]
) -> None:
    _stack(tmp_path / "FoilHole_1_Data_2_Fractions.mrcs")
    if notes is not None:
        (tmp_path / "FoilHole_1_Data_2.xml").write_text(notes)
    options: Any = {"kind": "movies", "acquisition": replace(MICROSCOPE, pixel_size_angstrom=1.06)}

    with pytest.raises(error, match="FoilHole_1_Data_2"):
        export_relion(tmp_path, tmp_path / "m.star", beam_shift_groups=1, **options)
    assert not (tmp_path / "m.star").exists()


@given(
    count=st.integers(1, 7),
    seed=st.integers(0, 2**32 - 1),
    each=st.integers(1, 9),
)
def test_points_around_distant_centres_are_told_apart(count: int, seed: int, each: int) -> None:
    generator = np.random.default_rng(seed)
    centres = generator.permutation(49)[:count]
    numbers = generator.permutation(np.repeat(np.arange(count), each))
    grid = np.stack([centres // 7, centres % 7], axis=1)[numbers]
    found = cluster(grid + generator.uniform(-0.1, 0.1, grid.shape), count)

    assert found[0] == 0
    assert len({*zip(numbers.tolist(), found.tolist(), strict=True)}) == count


def test_the_pictures_that_epu_leaves_beside_movies_are_left_out(archive: Archive, tmp_path: Path) -> None:
    names = [f"data/x/FoilHole_1_Data_2_{shot}{end}" for shot in "34" for end in ("_fractions.tiff", ".jpg")]
    archive.add_entry(10001, dict.fromkeys(names, b"x"), {"imagesets": [_imageset("S", "data/x", 0.8)]})
    done = _run("10001", "--relion", tmp_path / "m.star", "--save_dir", tmp_path / "raw", *ALL_SAID[:6])

    assert done.exit_code == 0, done.output
    movies = starfile.read(tmp_path / "m.star")["movies"].rlnMicrographMovieName
    assert list(movies) == [f"raw/{name}" for name in names if name.endswith(".tiff")]


def test_files_behind_links_to_folders_are_found_and_none_twice(tmp_path: Path) -> None:
    disk, project = tmp_path / "disk", tmp_path / "project"
    _stack(disk / "square/m1.mrcs")
    project.mkdir()
    for name in ("square", "again"):
        (project / name).symlink_to(disk / "square")
    (disk / "square/round").symlink_to(project)
    done = _run(project, "--relion", project / "m.star", "--kind", "movies", *ALL_SAID)

    assert done.exit_code == 0, done.output
    assert list(starfile.read(project / "m.star")["movies"].rlnMicrographMovieName) == ["again/m1.mrcs"]


def test_what_an_entry_says_cannot_spoil_a_workflow(archive: Archive, tmp_path: Path) -> None:
    said = 'Ünicode \ud800 "quoted"\n\x1b[31m'
    archive.add_entry(10001, {"data/a.mrcs": b"x"}, {"imagesets": [_imageset(said, "data", 1.06)]})
    arguments = ("10001", "--scipion", tmp_path / "w.json", "--save_dir", tmp_path / "raw", *ALL_SAID)
    done = _run(*arguments)

    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    (protocol,) = json.loads((tmp_path / "w.json").read_text())
    assert protocol["object.comment"].startswith("Ünicode")


def test_files_in_one_star_folders_are_imported_from_where_they_lie(tmp_path: Path) -> None:
    for number in range(3):
        _stack(tmp_path / f"raw/GridSquare_{number}/Data/m{number}.mrcs")
    (tmp_path / "raw/GridSquare_0/Data/m0.xml").write_text("<x/>")
    done = _run(tmp_path / "raw", "--scipion", tmp_path / "w.json", "--kind", "movies", *ALL_SAID)

    assert done.exit_code == 0, done.output
    (protocol,) = json.loads((tmp_path / "w.json").read_text())
    assert protocol["object.className"] == "ProtImportMovies"
    assert (protocol["filesPath"], protocol["filesPattern"]) == (
        str(tmp_path / "raw"),
        "GridSquare_*/Data/m*.mrcs",
    )
    assert (protocol["samplingRate"], protocol["voltage"]) == (1.06, 300.0)
    assert (protocol["sphericalAberration"], protocol["amplitudeContrast"]) == (2.7, 0.1)
    assert not (tmp_path / "w.links").exists()


def test_a_pattern_that_would_find_other_files_too_is_not_used(tmp_path: Path) -> None:
    for name in ("m1.mrcs", "m2.mrcs", "m_gain.mrcs"):
        _stack(tmp_path / "raw" / name)
    assert (
        _run(tmp_path / "raw", "--scipion", tmp_path / "w.json", "--kind", "movies", *ALL_SAID).exit_code == 0
    )

    (protocol,) = json.loads((tmp_path / "w.json").read_text())
    found = glob.glob(os.path.join(protocol["filesPath"], protocol["filesPattern"]))  # noqa: PTH118, PTH207
    assert sorted(Path(path).resolve().name for path in found) == ["m1.mrcs", "m2.mrcs"]


def test_movies_of_one_name_in_two_folders_stay_two(tmp_path: Path) -> None:
    for number in range(2):
        _stack(tmp_path / f"raw/grid{number}/m.mrcs")
    handed = export_scipion(tmp_path / "raw", tmp_path / "w.json", kind="movies", acquisition=_all_said())

    assert sorted(link.name for link in handed.links) == ["grid0_m.mrcs", "grid1_m.mrcs"]


def test_how_the_gain_lies_is_told_where_scipion_asks_for_it_later(movies: Path, tmp_path: Path) -> None:
    gain = ("--gain", _stack(tmp_path / "gain.mrc", (16, 12)), "--kind", "movies", *ALL_SAID)
    plain = _run(movies, "--scipion", tmp_path / "a.json", *gain)
    turned = _run(movies, "--scipion", tmp_path / "b.json", "--gain-rot", "3", "--gain-flip", "2", *gain)

    assert (plain.exit_code, turned.exit_code) == (0, 0), turned.output
    assert "rotation" not in plain.stderr
    assert "gain rotation 3 and gain flip 2" in turned.stderr


def test_stacks_are_no_micrographs_for_scipion(tmp_path: Path) -> None:
    _stack(tmp_path / "one.mrc", (3, 16, 12))
    with pytest.raises(empiarreader.UnsupportedFormatError, match="holds 3 images"):
        export_scipion(tmp_path, tmp_path / "w.json", kind="micrographs", acquisition=_all_said())


def test_a_packed_map_is_refused_for_scipion(tmp_path: Path) -> None:
    (tmp_path / "emd.map.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(empiarreader.UnsupportedFormatError, match="unpack it first"):
        export_scipion(tmp_path, tmp_path / "w.json", acquisition=_all_said())


def test_a_folder_that_scipion_cannot_take_is_refused_where_links_would_lie_in_it(tmp_path: Path) -> None:
    _stack(tmp_path / "a:b/one.mrcs")
    with pytest.raises(empiarreader.InvalidRequestError, match="write the workflow elsewhere"):
        export_scipion(tmp_path / "a:b", tmp_path / "a:b/w.json", kind="movies", acquisition=_all_said())


def test_volumes_say_their_pixel_size_themselves(tmp_path: Path) -> None:
    _stack(tmp_path / "emd_1.map", (8, 8, 8), pixel_size=1.43)
    handed = export_scipion(tmp_path, tmp_path / "w.json")

    (protocol,) = json.loads(handed.text)
    assert protocol["object.className"] == "ProtImportVolumes"
    assert protocol["samplingRate"] == pytest.approx(1.43, abs=1e-6)
    assert "voltage" not in protocol


@given(st.lists(st.text("ab1_", min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
def test_a_common_pattern_fits_all_the_names_it_is_made_of(names: list[str]) -> None:
    import fnmatch

    place = common_pattern([Path(f"/d/{name}/x{name}.mrc") for name in names])

    assert place is not None
    for name in names:
        assert fnmatch.fnmatch(f"/d/{name}/x{name}.mrc", f"{place[0]}/{place[1]}")


def _all_said() -> Acquisition:
    return Acquisition(
        voltage_kv=300, spherical_aberration_mm=2.7, amplitude_contrast=0.1, pixel_size_angstrom=1.06
    )


@pytest.fixture
def odd_entry(archive: Archive) -> list[str]:
    names = [
        "data/a b.mrc",
        "data/it's.mrc",
        'data/say "x".mrc',
        "data/$(x);y.mrc",
        "data/#1.mrc",
        "data/ü.mrc",
    ]
    archive.add_entry(10001, dict.fromkeys(names, b"x"))
    return names


def test_globus_reads_back_the_names_of_a_batch_file(odd_entry: list[str], tmp_path: Path) -> None:
    done = _run("10001", "data/*.mrc", "--globus", tmp_path / "batch.txt", "--to", "abc:/scratch/my data")

    assert done.exit_code == 0, done.output
    lines = [shlex.split(line, comments=True) for line in (tmp_path / "batch.txt").read_text().splitlines()]
    assert sorted(lines) == sorted(["--", f"10001/{name}", name] for name in odd_entry)
    words = shlex.split(done.stdout)
    assert words[:4] == [
        "globus",
        "transfer",
        "47772002-3e5b-4fd3-b97c-18cee38d6df2:/empiar/world_availability/",
        "abc:/scratch/my data/",
    ]
    assert words[words.index("--batch") + 1] == str(tmp_path / "batch.txt")


def test_a_whole_entry_is_one_line_and_asks_the_archive_for_nothing(archive: Archive, tmp_path: Path) -> None:
    handed = empiarreader.export_globus(
        empiarreader.EmpiarEntry(10001), tmp_path / "batch.txt", to="abc:/scratch", directory="data/raw"
    )

    assert handed.text == "--recursive -- 10001/data/raw data/raw\n"
    assert archive.requests() == []


def test_ascp_gets_a_list_of_plain_names(odd_entry: list[str], tmp_path: Path) -> None:
    done = _run("10001", "data/*.mrc", "--aspera", tmp_path / "list.txt", "--to", "my data")

    assert done.exit_code == 0, done.output
    assert sorted((tmp_path / "list.txt").read_text().splitlines()) == sorted(
        f"/10001/{name}" for name in odd_entry
    )
    words = shlex.split(done.stdout)
    assert words[0] == "ascp"
    assert words[-1] == "my data"
    assert {"--mode=recv", "--host=hx-fasp-1.ebi.ac.uk", "--user=emp_ext2", "--src-base=/10001/"} <= set(
        words
    )
    assert f"--file-list={tmp_path / 'list.txt'}" in words


@pytest.mark.parametrize(
    ("selected", "said"),
    [
        ([], "batch.txt: 1 directory\n  1 directory: EMPIAR-10001\n"),
        (["data/a*.mrc"], "batch.txt: 1 file\n  1 file: EMPIAR-10001\n"),
    ],
)
def test_what_is_handed_to_globus_is_counted_as_what_it_is(
    selected: list[str], said: str, archive: Archive, tmp_path: Path
) -> None:
    archive.add_entry(10001, {"data/a1.mrc": b"x", "data/b.mrc": b"x"})

    done = _run("10001", *selected, "--globus", tmp_path / "batch.txt", "--to", "abc:/d")

    assert said in done.stderr


def test_a_saved_search_is_taken_by_all(odd_entry: list[str], tmp_path: Path) -> None:
    saved = tmp_path / "found.txt"
    CliRunner().invoke(
        main, ["search", "--entry", "10001", "--dir", "data", "--select", "*", "--save_search", str(saved)]
    )
    done = _run(saved, "--globus", tmp_path / "batch.txt", "--to", "abc:/d")

    assert done.exit_code == 0, done.output
    assert len((tmp_path / "batch.txt").read_text().splitlines()) == len(odd_entry)


@pytest.mark.parametrize(
    "name", ["a\nb.mrc", "a\u2028b.mrc", "a\x85b.mrc", b"\xff.mrc".decode(errors="surrogateescape")]
)
def test_names_that_no_line_can_hold_are_refused(name: str, archive: Archive, tmp_path: Path) -> None:
    from empiarreader import settings
    from empiarreader.addresses import entry_address

    url = entry_address(settings.archive_url(), 10001, f"data/{name}")
    with pytest.raises(empiarreader.RefusedAddressError):
        empiarreader.export_globus([url], tmp_path / "b.txt", to="abc:/d")
    assert not (tmp_path / "b.txt").exists()


def test_addresses_of_other_hosts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(empiarreader.RefusedAddressError):
        empiarreader.export_aspera(["https://example.org/10001/data/a.mrc"], tmp_path / "b.txt")


def test_one_program_at_a_time_is_handed_to(movies: Path, tmp_path: Path) -> None:
    assert _run(movies).exit_code == 2
    assert _run(movies, "--relion", tmp_path / "a", "--scipion", tmp_path / "b").exit_code == 2
    assert _run("10001", "--globus", tmp_path / "a").exit_code == 2


def test_an_empty_folder_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert _run(tmp_path / "empty", "--relion", tmp_path / "a.star", *ALL_SAID).exit_code == 3


def test_what_was_handed_over_is_a_plain_value(movies: Path, tmp_path: Path) -> None:
    import pickle

    handed = export_relion(movies, tmp_path / "m.star", kind="movies", acquisition=_all_said())

    assert isinstance(handed, Handed)
    assert pickle.loads(pickle.dumps(handed)).sets == handed.sets


def test_the_dose_of_eer_movies_is_that_of_the_fractions_relion_sums(tmp_path: Path) -> None:
    (tmp_path / "m.eer").write_bytes(b"II+\0")
    dose = Acquisition(
        voltage_kv=300,
        spherical_aberration_mm=2.7,
        amplitude_contrast=0.1,
        pixel_size_angstrom=0.8,
        frame_dose_electrons_per_square_angstrom=0.04,
    )
    handed = export_relion(tmp_path, tmp_path / "m.star", acquisition=dose)

    pairs = dict(pairwise(shlex.split(handed.next_steps[0])))
    assert (pairs["--eer_grouping"], pairs["--dose_per_frame"]) == ("25", "1")
    without = export_relion(tmp_path, tmp_path / "n.star", acquisition=_all_said())
    assert any("--eer_grouping" in note for note in without.notes)


def test_a_gain_reference_called_like_a_movie_gets_a_link_of_its_own(tmp_path: Path) -> None:
    movie = _stack(tmp_path / "raw/a 1.mrc")
    gain = _stack(tmp_path / "other/a 1.mrc", (16, 12))
    (tmp_path / "project").mkdir()
    acquisition = Acquisition(
        voltage_kv=300,
        spherical_aberration_mm=2.7,
        amplitude_contrast=0.1,
        pixel_size_angstrom=1.06,
        gain=gain,
    )
    for export, name in ((export_relion, "m.star"), (export_scipion, "m.json")):
        handed = export(tmp_path / "raw", tmp_path / "project" / name, kind="movies", acquisition=acquisition)
        assert sorted(handed.links.values()) == sorted([movie, gain])
        assert {link.resolve() for link in handed.links} == {movie, gain}


@pytest.mark.parametrize("kind", ["tilt_series", "volumes", "gains", "nonsense"])
def test_kinds_that_relion_does_not_import_are_refused(kind: str, movies: Path, tmp_path: Path) -> None:
    with pytest.raises(empiarreader.InvalidRequestError):
        export_relion(movies, tmp_path / "m.star", kind=kind, acquisition=_all_said())


@pytest.mark.parametrize("name", ["gain.mrc", "gain.dm4"])
def test_a_gain_reference_that_is_not_there_or_not_read_is_refused(
    name: str, movies: Path, tmp_path: Path
) -> None:
    if name.endswith("dm4"):
        (tmp_path / name).write_bytes(b"no such format")
    acquisition = Acquisition(
        voltage_kv=300,
        spherical_aberration_mm=2.7,
        amplitude_contrast=0.1,
        pixel_size_angstrom=1.06,
        gain=tmp_path / name,
    )
    with pytest.raises(empiarreader.EmpiarReaderError, match="gain"):
        export_relion(movies, tmp_path / "m.star", kind="movies", acquisition=acquisition)
    assert not (tmp_path / "m.star").exists()


def test_thumbnails_among_the_images_are_left_out_and_said_to_be(tmp_path: Path) -> None:
    _stack(tmp_path / "raw/m.mrc")
    (tmp_path / "raw/m.jpg").write_bytes(b"\xff\xd8\xff")
    handed = export_relion(tmp_path / "raw", tmp_path / "m.star", kind="movies", acquisition=_all_said())

    assert handed.files == 1
    assert any("m.jpg" in note for note in handed.notes)


def test_links_of_an_earlier_export_are_not_imported_with_those_of_a_later_one(tmp_path: Path) -> None:
    for number in range(3):
        _stack(tmp_path / f"raw/m {number}.mrcs")
    export_scipion(tmp_path / "raw", tmp_path / "w.json", kind="movies", acquisition=_all_said())
    handed = export_scipion(
        tmp_path / "raw",
        tmp_path / "w.json",
        kind="movies",
        acquisition=_all_said(),
        pattern="m 1.mrcs",
        overwrite=True,
    )

    (protocol,) = json.loads(handed.text)
    assert [path.name for path in Path(protocol["filesPath"]).glob(protocol["filesPattern"])] == ["m_1.mrcs"]
    assert len(list((tmp_path / "raw").iterdir())) == 3


def test_a_file_of_the_users_among_links_is_never_removed_nor_imported(tmp_path: Path) -> None:
    _stack(tmp_path / "raw/m 1.mrcs")
    mine = _stack(tmp_path / "w.links/1_movies/mine.mrcs")
    with pytest.raises(empiarreader.LocalFileError, match=r"mine\.mrcs"):
        export_scipion(
            tmp_path / "raw", tmp_path / "w.json", kind="movies", acquisition=_all_said(), overwrite=True
        )
    assert mine.exists()
    assert not (tmp_path / "w.json").exists()


def test_names_with_brackets_and_stars_are_names_and_no_patterns(tmp_path: Path) -> None:
    _stack(tmp_path / "raw/a[1].mrcs", (3, 16, 16))
    _stack(tmp_path / "raw/a1.mrcs", (2, 16, 16))
    _stack(tmp_path / "raw/b*.mrcs", (1, 16, 16))
    handed = export_relion(tmp_path / "raw", tmp_path / "p.star", kind="particles", acquisition=_all_said())

    assert len(starfile.read(handed.path)["particles"]) == 6


def test_files_of_a_flat_list_lie_where_such_a_download_puts_them(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10001, {"data/x/a.mrcs": b"x"}, {"imagesets": [_imageset("S", "data/x", 0.8)]})
    (file,) = empiarreader.EmpiarEntry(10001).find("data/x/*")
    for files, name in (([file], "raw/data/x/a.mrcs"), ([file.url], "raw/a.mrcs")):
        handed = export_relion(
            files, tmp_path / "m.star", acquisition=MICROSCOPE, directory=tmp_path / "raw", overwrite=True
        )
        assert list(starfile.read(handed.path)["movies"].rlnMicrographMovieName) == [name]
    empiarreader.download([file.url], tmp_path / "raw").raise_for_failures()
    handed = export_relion(
        [file], tmp_path / "m.star", acquisition=MICROSCOPE, directory=tmp_path / "raw", overwrite=True
    )
    assert list(starfile.read(handed.path)["movies"].rlnMicrographMovieName) == ["raw/a.mrcs"]


@pytest.mark.parametrize("protocol", ["https", "ftp"])
def test_a_downloads_manifest_tells_the_imageset_whatever_door_it_came_through(
    protocol: str, archive: Archive, tmp_path: Path
) -> None:
    archive.add_entry(10001, {"data/x/a.mrcs": b"x" * 9}, {"imagesets": [_imageset("S", "data/x", 0.8)]})
    files = empiarreader.EmpiarEntry(10001).find("data/x/*")
    manifest = empiarreader.download(files, tmp_path / "raw", protocol=protocol)
    handed = export_relion(manifest, tmp_path / "m.star", acquisition=MICROSCOPE)

    assert [(one.name, one.pixel_size_angstrom) for one in handed.sets] == [("S", 0.8)]


def test_movies_that_relion_would_call_alike_are_told_apart(tmp_path: Path) -> None:
    """RELION leaves out suffixes and writes dots as underscores: of two such movies one would be lost."""
    for name in ("a.b.mrcs", "a_b.mrcs", "c.mrcs", "c.tif", "d.mrcs"):
        (tmp_path / name).write_bytes(_stack(tmp_path / "made.mrcs").read_bytes())
        (tmp_path / "made.mrcs").unlink()
    handed = export_relion(tmp_path, tmp_path / "m.star", kind="movies", acquisition=_all_said())

    names = list(starfile.read(handed.path)["movies"].rlnMicrographMovieName)
    roots = {name.rpartition(".")[0].replace(".", "_") for name in names}
    assert len(roots) == 5
    assert "d.mrcs" in names
    assert {(tmp_path / name).resolve().name for name in names} == {
        "a.b.mrcs",
        "a_b.mrcs",
        "c.mrcs",
        "c.tif",
        "d.mrcs",
    }


def test_a_pattern_beside_a_list_is_not_ignored_in_silence(odd_entry: list[str], tmp_path: Path) -> None:
    (tmp_path / "found.txt").write_text("https://ftp.ebi.ac.uk/empiar/world_availability/10001/data/a.mrc\n")
    for selected in (["*.mrc"], ["--dir", "data"], ["--kind", "movies"]):
        done = _run(tmp_path / "found.txt", *selected, "--globus", tmp_path / "b.txt", "--to", "abc:/d")
        assert done.exit_code == 2
        assert "select among the files of an entry" in done.stderr
    done = _run(tmp_path / "found.txt", "*.mrc", "--relion", tmp_path / "m.star", *ALL_SAID)
    assert "select among the files of an entry" in done.stderr
    assert not [*tmp_path.glob("*.star"), *tmp_path.glob("b.txt")]


@pytest.mark.parametrize(
    ("program", "options", "sentence"),
    [
        ("--globus", ["--voltage", "300"], "--voltage goes with --relion and --scipion, not with --globus"),
        ("--relion", ["--to", "x"], "--to goes with --globus and --aspera, not with --relion"),
        ("--scipion", ["--mtf", __file__], "--mtf goes with --relion, not with --scipion"),
        ("--relion", ["--key", "x"], "--key goes with --aspera"),
    ],
)
def test_an_option_that_says_nothing_to_the_program_is_refused(
    tmp_path: Path, program: str, options: list[str], sentence: str
) -> None:
    done = _run("10001", program, tmp_path / "written", *options)

    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not (tmp_path / "written").exists()


def test_a_downloaded_folder_can_be_fetched_elsewhere_by_globus(downloaded: Path, tmp_path: Path) -> None:
    done = _run(downloaded, "--globus", tmp_path / "b.txt", "--to", "abc:/d", "-q")

    assert done.exit_code == 0, done.output
    assert len((tmp_path / "b.txt").read_text().splitlines()) == 6
    assert done.stderr == ""


def test_images_of_no_known_kind_are_handed_over_where_the_user_says_what_they_are(
    tmp_path: Path,
) -> None:
    _stack(tmp_path / "raw/a_movie.tif.mrc", (16, 12))  # told by its name
    _stack(tmp_path / "raw/overview.mrc", (16, 12))  # told by nothing
    _stack(tmp_path / "raw/map.map", (8, 8, 8))
    handed = export_scipion(tmp_path / "raw", tmp_path / "w.json", acquisition=_all_said())

    assert [(one.kind, one.files) for one in handed.sets] == [("movies", 1), ("volumes", 1)]
    assert any("overview.mrc" in note for note in handed.notes)
    told = export_scipion(tmp_path / "raw", tmp_path / "v.json", kind="movies", acquisition=_all_said())
    assert [(one.kind, one.files) for one in told.sets] == [("movies", 2)]


@pytest.mark.parametrize("kind", ["gains", "tilt_series", "nonsense"])
def test_kinds_that_scipion_does_not_import_are_refused(kind: str, movies: Path, tmp_path: Path) -> None:
    with pytest.raises(empiarreader.InvalidRequestError):
        export_scipion(movies, tmp_path / "w.json", kind=kind, acquisition=_all_said())


def test_movies_that_were_unpacked_after_the_download_keep_their_imageset(
    archive: Archive, tmp_path: Path
) -> None:
    packed = {f"data/x/m{k}.mrcs.bz2": b"BZh" for k in range(2)}
    archive.add_entry(10001, packed, {"imagesets": [_imageset("S", "data/x", 0.8)]})
    empiarreader.download(empiarreader.EmpiarEntry(10001).files(), tmp_path / "raw")
    with pytest.raises(empiarreader.UnsupportedFormatError, match="unpack it first"):
        export_relion(tmp_path / "raw", tmp_path / "m.star", acquisition=MICROSCOPE)
    for number in range(2):
        _stack(tmp_path / f"raw/data/x/m{number}.mrcs")
    handed = export_relion(tmp_path / "raw", tmp_path / "m.star", acquisition=MICROSCOPE)

    assert [(one.name, one.files, one.pixel_size_angstrom) for one in handed.sets] == [("S", 2, 0.8)]
    names = list(starfile.read(handed.path)["movies"].rlnMicrographMovieName)
    assert names == ["raw/data/x/m0.mrcs", "raw/data/x/m1.mrcs"]


def test_an_entry_itself_can_be_handed_over(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(
        10001,
        {"data/x/a.mrcs": b"x", "data/readme.txt": b"x"},
        {"imagesets": [_imageset("S", "data/x", 0.8)]},
    )
    handed = export_relion(
        empiarreader.EmpiarEntry(10001), tmp_path / "m.star", acquisition=MICROSCOPE, directory=tmp_path
    )

    assert list(starfile.read(handed.path)["movies"].rlnMicrographMovieName) == ["data/x/a.mrcs"]


@pytest.mark.parametrize("stated", [1.0, 0.0, -10.0])
def test_pixel_sizes_that_headers_only_fill_in_are_not_quoted(stated: float, tmp_path: Path) -> None:
    _stack(tmp_path / "a.mrcs", pixel_size=stated)
    with pytest.raises(empiarreader.InvalidRequestError) as caught:
        export_relion(tmp_path, tmp_path / "m.star", kind="movies")

    assert "the header" not in str(caught.value)
