"""RELION and Scipion themselves take what is handed over to them, as it is.

RELION is Debian's 3.1, whose programs read the tables that RELION 5 reads; its own import is the second
implementation. Scipion runs headless, in an environment of its own, without plugins.
"""

from __future__ import annotations

import bz2
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
import tifffile
from numpy.typing import NDArray

import empiarreader
import published
from eer_files import eer_bytes, random_electrons
from empiarreader import Acquisition, GainOrientation, export_relion, export_scipion
from perc_archive import Archive

pytestmark = pytest.mark.full

RUNNER = published.ROOT / "tests" / "support" / "scipion_runner.py"
TAKEN = Acquisition(
    voltage_kv=200,
    spherical_aberration_mm=1.4,
    amplitude_contrast=0.07,
    pixel_size_angstrom=0.885,
    frame_dose_electrons_per_square_angstrom=1.25,
)


def _noise(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.int16]:
    return np.random.default_rng(seed).poisson(4, shape).astype(np.int16)


def _mrc(path: Path, data: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path, data) as file:
        file.voxel_size = 0.885
    return path


def _program(command: str | list[str], folder: Path) -> str:
    words = shlex.split(command) if isinstance(command, str) else command
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@pytest.fixture
def movies(tmp_path: Path) -> Path:
    for number in range(3):
        _mrc(tmp_path / f"raw/m{number}.mrcs", _noise((4, 64, 48), number))
    return tmp_path / "raw"


@pytest.mark.parametrize(("kind", "shape"), [("movies", (4, 64, 48)), ("micrographs", (64, 48))])
def test_the_star_file_is_the_one_that_relions_own_import_writes(
    kind: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    for number in range(3):
        _mrc(tmp_path / f"raw/m{number}.mrc", _noise(shape, number))
    (tmp_path / "theirs").mkdir()
    _program(
        f"relion_import --do_{kind} --i 'raw/*.mrc' --odir theirs/ --ofile {kind}.star --angpix 0.885 "
        "--kV 200 --Cs 1.4 --Q0 0.07 --optics_group_name opticsGroup1",
        tmp_path,
    )
    export_relion(tmp_path / "raw", tmp_path / "ours.star", kind=kind, acquisition=TAKEN)

    theirs, ours = starfile.read(tmp_path / "theirs" / f"{kind}.star"), starfile.read(tmp_path / "ours.star")
    assert set(ours) == set(theirs) == {"optics", kind}
    for block, table in theirs.items():
        assert sorted(ours[block].columns) == sorted(table.columns)
        assert ours[block][list(table.columns)].to_dict("list") == table.to_dict("list")


def test_relions_reader_finds_every_column(movies: Path, tmp_path: Path) -> None:
    export_relion(movies, tmp_path / "movies.star", kind="movies", acquisition=TAKEN)

    names = _program("relion_star_printtable movies.star data_movies rlnMicrographMovieName", tmp_path)
    assert names.split() == [f"raw/m{number}.mrcs" for number in range(3)]
    columns = "rlnOpticsGroup rlnMicrographOriginalPixelSize rlnVoltage rlnSphericalAberration"
    optics = _program(
        f"relion_star_printtable movies.star data_optics {columns} rlnAmplitudeContrast", tmp_path
    )
    assert [float(word) for word in optics.split()] == [1, 0.885, 200, 1.4, 0.07]


def test_relion_goes_on_with_the_command_that_is_given(tmp_path: Path) -> None:
    """Motion correction of MRC and TIFF movies with odd names, outside the project, with a turned gain."""
    _mrc(tmp_path / "down loads/run:1/a 1.mrcs", _noise((4, 64, 48)))
    tifffile.imwrite(
        tmp_path / "down loads/b 2.tif", _noise((4, 64, 48)).astype("u1"), photometric="minisblack"
    )
    gain = np.linspace(0.5, 1.5, 64 * 48, dtype=np.float32).reshape(48, 64)
    way = GainOrientation(quarter_turns=1, flip="left_right")
    project = tmp_path / "project"
    project.mkdir()
    handed = export_relion(
        tmp_path / "down loads",
        project / "movies.star",
        kind="movies",
        acquisition=Acquisition(
            voltage_kv=200,
            spherical_aberration_mm=1.4,
            amplitude_contrast=0.07,
            pixel_size_angstrom=0.885,
            gain=_mrc(tmp_path / "the gain.mrc", gain),
            gain_orientation=way,
        ),
    )
    _program(handed.next_steps[0], project)

    corrected = starfile.read(project / "MotionCorr" / "corrected_micrographs.star")
    assert len(corrected["micrographs"]) == 2
    sums = [project / name for name in corrected["micrographs"].rlnMicrographName]
    with mrcfile.open(project / "MotionCorr" / "gain.mrc") as file:
        assert np.array_equal(file.data, way.turn(gain))
    expected = (_noise((4, 64, 48)).astype(np.float32) * way.turn(gain)).sum(axis=0)
    for path in sums:
        with mrcfile.open(path) as file:
            # Noise has no motion to speak of; RELION shifts frames by fractions of a pixel all the same.
            assert np.corrcoef(file.data.ravel(), expected.ravel())[0, 1] > 0.5


def test_relion_classifies_particles_of_the_stacks(tmp_path: Path) -> None:
    for number in range(2):
        _mrc(tmp_path / f"p {number}.mrc", _noise((6, 32, 32), number).astype(np.float32))
    handed = export_relion(tmp_path, tmp_path / "particles.star", kind="particles", acquisition=TAKEN)
    (tmp_path / "Class2D").mkdir()
    for step in handed.next_steps:
        _program(step, tmp_path)
    _program(
        "relion_refine --i Import/job001/particles.star --o Class2D/run --iter 1 --K 1 "
        "--particle_diameter 25 --zero_mask --j 1",
        tmp_path,
    )

    classified = starfile.read(tmp_path / "Class2D/run_it001_data.star")
    assert sorted(classified["particles"].rlnImageName) == [
        f"{index:06d}@particles.links/p_{number}.mrcs" for index in range(1, 7) for number in range(2)
    ]
    assert classified["optics"].rlnImageSize.tolist() == [32]


@pytest.mark.real_data
def test_relion_reads_real_particles_that_lie_in_an_mrc_file(real_data: Path, tmp_path: Path) -> None:
    stack = real_data / "empiar/mrc/empiar_10076_7.mrc"
    handed = export_relion([stack], tmp_path / "p.star", kind="particles", acquisition=TAKEN)
    (tmp_path / "Class2D").mkdir()
    for step in handed.next_steps:
        _program(step, tmp_path)
    _program(
        "relion_refine --i Import/job001/p.star --o Class2D/run --iter 1 --K 1 "
        "--particle_diameter 200 --zero_mask --j 2",
        tmp_path,
    )

    classified = starfile.read(tmp_path / "Class2D/run_it001_data.star")
    assert len(classified["particles"]) == 7
    assert classified["optics"].rlnImageSize.tolist() == [320]


def _make(folder: Path) -> dict[str, tuple[str, int, tuple[int, ...]]]:
    """Write images of every sort; return by their folder: kind, number of items, and size (x, y, frames)."""
    rng = np.random.default_rng(0)
    for number in range(2):
        movie = _noise((5, 64, 48), number)
        _mrc(folder / f"mrc/run:{number}/m #1.mrc", movie)
        _mrc(folder / f"deep/GridSquare_{number}/Data/m{number}.mrcs", movie)
        _mrc(folder / f"unequal/{'x/' * number}m{number}.mrcs", movie)
        for name in ("tiff", "packed", "eer", "eer_sum"):
            (folder / name).mkdir(exist_ok=True)
        tiff = folder / "tiff" / f"m{number}.tif"
        tifffile.imwrite(tiff, movie.astype("u1"), compression="lzw", photometric="minisblack")
        (folder / "packed" / f"m{number}.tiff.bz2").write_bytes(bz2.compress(tiff.read_bytes()))
        frames = [random_electrons(rng, 64, 200) for _ in range(5)]
        (folder / "eer" / f"m{number}.eer").write_bytes(eer_bytes(frames, 64))
        (folder / "eer_sum" / f"m{number}.eer").write_bytes(eer_bytes(frames, 64, final_image=True))
        _mrc(folder / f"micrographs/mic {number}.MRC", _noise((64, 48), number).astype(np.float32))
        _mrc(folder / f"particles/p{number}.mrc", _noise((7, 32, 32), number).astype(np.float32))
    _mrc(folder / "map/emd_1.map", _noise((20, 20, 20)).astype(np.float32))
    _mrc(folder / "tomogram/rec 1.rec", _noise((20, 24, 28)).astype(np.float32))
    return {
        "mrc": ("movies", 2, (48, 64, 5)),
        "deep": ("movies", 2, (48, 64, 5)),
        "unequal": ("movies", 2, (48, 64, 5)),
        "tiff": ("movies", 2, (48, 64, 5)),
        "packed": ("movies", 2, (48, 64, 5)),
        "eer": ("movies", 2, (64, 64, 5)),
        "eer_sum": ("movies", 2, (64, 64, 6)),  # as the user is told
        "micrographs": ("micrographs", 2, (48, 64, 1)),
        "particles": ("particles", 14, (32, 32, 1)),
        "map": ("volumes", 1, (20, 20, 20)),
        "tomogram": ("volumes", 1, (28, 24, 20)),
    }


def _run_in_scipion(workflow: Path, folder: Path) -> list[dict[str, Any]]:
    python = published.scipion() / "python"
    done = subprocess.run(
        [python, RUNNER, workflow, folder], capture_output=True, text=True, timeout=900, cwd=folder.parent
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_scipion_imports_images_of_every_sort(tmp_path: Path) -> None:
    made = _make(tmp_path)
    gain = _mrc(tmp_path / "the gain.mrc", np.ones((64, 48), np.float32))
    protocols: list[dict[str, Any]] = []
    for folder, (kind, _, _) in made.items():
        acquisition = Acquisition(
            voltage_kv=200,
            spherical_aberration_mm=1.4,
            amplitude_contrast=0.07,
            pixel_size_angstrom=0.885,
            frame_dose_electrons_per_square_angstrom=1.25,
            gain=gain,
        )
        handed = export_scipion(
            tmp_path / folder, tmp_path / f"{folder}.json", kind=kind, acquisition=acquisition
        )
        protocols += json.loads(handed.text)
    for number, protocol in enumerate(protocols, 1):
        protocol["object.id"] = str(number)
    (tmp_path / "all.json").write_text(json.dumps(protocols))
    ran = _run_in_scipion(tmp_path / "all.json", tmp_path / "scipion")

    assert len(ran) == len(made)
    for (folder, (kind, items, size)), found in zip(made.items(), ran, strict=True):
        assert (found["errors"], found["status"], found["error"]) == ([], "finished", ""), folder
        assert (found["items"], tuple(found["dim"])) == (items, size), folder
        assert found["sampling_rate"] == 0.885, folder
        if kind != "volumes":
            microscope = (found["voltage"], found["spherical_aberration"], found["amplitude_contrast"])
            assert microscope == (200.0, 1.4, 0.07), folder
        if kind == "movies":
            assert found["dose_per_frame"] == 1.25, folder
            assert Path(found["gain"]).resolve() == gain, folder


@pytest.mark.real_data
def test_scipion_imports_real_files(real_data: Path, tmp_path: Path) -> None:
    made = {
        "mrc/DE_Custom_movie.mrc": ("movies", 1, (16, 16, 30)),
        "tiff/gray.stack.u1.tif": ("movies", 1, (111, 83, 13)),
        "mrc/float16_mode12.mrc": ("micrographs", 1, (64, 64, 1)),
        "mrc/empiar_10076_7.mrc": ("particles", 7, (320, 320, 1)),
        "mrc/EMD-3197.map": ("volumes", 1, (20, 20, 20)),
    }
    protocols: list[dict[str, Any]] = []
    for number, (name, (kind, _, _)) in enumerate(made.items(), 1):
        acquisition = TAKEN if kind != "volumes" else Acquisition()  # the map's header says its own
        handed = export_scipion(
            [real_data / "empiar" / name], tmp_path / f"{number}.json", kind=kind, acquisition=acquisition
        )
        (protocol,) = json.loads(handed.text)
        protocols.append(protocol | {"object.id": str(number)})
    (tmp_path / "all.json").write_text(json.dumps(protocols))
    ran = _run_in_scipion(tmp_path / "all.json", tmp_path / "scipion")

    for (name, (kind, items, size)), found in zip(made.items(), ran, strict=True):
        assert (found["errors"], found["status"]) == ([], "finished"), name
        assert (found["items"], tuple(found["dim"])) == (items, size), name
        assert found["sampling_rate"] == (11.4 if kind == "volumes" else 0.885), name


_BATCH = """
import sys, click, globus_sdk
from globus_cli.services.transfer.data import add_batch_to_transfer_data

zeros = "00000000-0000-0000-0000-000000000000"
data = globus_sdk.TransferData(source_endpoint=zeros, destination_endpoint=zeros)

@click.command()
def read():
    add_batch_to_transfer_data("/archive/", "/scratch/", globus_sdk.MISSING, data, open(sys.argv[1]))

read(args=[], standalone_mode=False)
for item in data["DATA"]:
    print(item["source_path"], item["destination_path"], item["recursive"] is True, sep="|")
"""


def test_globus_own_reader_finds_the_paths_of_a_batch_file(archive: Archive, tmp_path: Path) -> None:
    names = ["data/a b.mrc", "data/it's #1.mrc", 'data/say "x"; $(y).mrc', "-o", "data/ü\\.mrc"]
    archive.add_entry(10001, dict.fromkeys(names, b"x"))
    entry = empiarreader.EmpiarEntry(10001)
    files = [file for file in entry.files() if not file.path.endswith(".xml")]
    for given, name in ((files, "files.txt"), (entry, "entry.txt")):
        empiarreader.export_globus(given, tmp_path / name, to="abc:/scratch")
    python = str(published.globus() / "python")

    told = _program([python, "-c", _BATCH, "files.txt"], tmp_path).splitlines()
    assert sorted(told) == sorted(f"/archive/10001/{name}|/scratch/{name}|False" for name in names)
    told = _program([python, "-c", _BATCH, "entry.txt"], tmp_path).splitlines()
    assert told == ["/archive/10001/|/scratch|True"]


def test_from_a_search_in_the_archive_into_scipion(archive: Archive, tmp_path: Path) -> None:
    """What the commands say is what is done, from the entry to images in a Scipion project."""
    movies = {
        f"data/Images-Disc1/GridSquare_{square}/Data/FoilHole {hole}_fractions.mrcs": _mrc(
            tmp_path / f"made/{square}{hole}.mrcs", _noise((4, 64, 48), square * 2 + hole)
        ).read_bytes()
        for square in range(2)
        for hole in range(2)
    }
    archive.add_entry(
        10943,
        {**movies, "data/Images-Disc1/atlas.jpg": b"\xff\xd8\xff", "data/readme.txt": b"hi"},
        {
            "imagesets": [
                {
                    "name": "Movies, unaligned",
                    "directory": "data",
                    "category": "micrographs - multiframe",
                    "data_format": "MRCS",
                    "pixel_width": 1.33,
                    "pixel_height": 1.33,
                }
            ]
        },
    )
    program = Path(sys.executable).with_name("empiarreader")
    for command in (
        "search --entry 10943 --select 'data/**/*.mrcs' --save_search found.txt",
        "download --download found.txt --save_dir raw",
        "export raw --scipion w.json --voltage 300 --cs 2.7 --amplitude-contrast 0.1",
    ):
        _program([str(program), *shlex.split(command)], tmp_path)
    (found,) = _run_in_scipion(tmp_path / "w.json", tmp_path / "scipion")

    assert (found["class"], found["status"], found["items"]) == ("ProtImportMovies", "finished", 4)
    assert (found["sampling_rate"], found["dim"]) == (1.33, [48, 64, 4])
    assert empiarreader.Manifest.load(tmp_path / "raw").files
