"""The command line tells what files hold, without waiting for torch."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from caked import FileSource, __version__
from caked.cli import main
from caked.cli.commands import printable
from caked.errors import RefusedFileError, SourceNotFoundError
from caked.io.write_cs import write_particles_cs
from caked.io.write_star import write_particles_star
from mrc_vectors import mrc_bytes, sample_array
from particle_tables import particle_table


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "apo_1.mrc").write_bytes(mrc_bytes(sample_array(2, (6, 4)), voxel_size=(1.0, 1.25, 1.25)))
    (tmp_path / "holo_1.mrcs").write_bytes(
        mrc_bytes(sample_array(12, (3, 6, 4)), mode=12, cell=(0.0, 0.0, 0.0))
    )
    np.save(tmp_path / "holo_2.npy", np.zeros((2, 2)))
    return tmp_path


def test_inspect_prints_a_line_for_each_file_and_the_classes(folder: Path) -> None:
    done = _run("inspect", folder)
    lines = done.stdout.splitlines()

    assert done.exit_code == 0
    assert lines[0] == f"{folder}/apo_1.mrc  6 x 4  float32  1 x 1.25 x 1.25 Å  class apo"
    assert lines[1].endswith("holo_1.mrcs  3 x 6 x 4  float16  voxel size not stated  class holo")
    assert lines[-1] == "3 files of 3 shapes; 2 classes by prefix: apo 1, holo 2"


def test_inspect_prints_json_lines(folder: Path) -> None:
    done = _run("inspect", folder, "--json", "--pattern", "apo*")
    assert json.loads(done.stdout) == {
        "path": str(folder / "apo_1.mrc"),
        "format": "mrc",
        "shape": [6, 4],
        "dtype": "float32",
        "voxel_size_angstrom": [1.0, 1.25, 1.25],
        "size_bytes": 1024 + 96,
        "compression": None,
        "class": "apo",
    }


def test_the_exit_status_tells_what_went_wrong(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "folder").mkdir()
    damaged = tmp_path / "damaged.mrc"
    damaged.write_bytes(b"no image")

    for arguments, status, said in (
        (["inspect", tmp_path / "gone"], 3, "no file or folder"),
        (["inspect", empty], 3, "holds no file"),
        (["inspect", damaged], 5, "is corrupted."),
        (["inspect", folder / "apo_1.mrc", damaged], 1, "is corrupted."),
        (["inspect"], 2, "Missing argument"),
        (["bake"], 2, "No such command"),
    ):
        done = _run(*arguments)
        assert done.exit_code == status, arguments
        assert said in done.stderr
    assert "apo_1.mrc" in _run("inspect", folder / "apo_1.mrc", damaged).stdout


def test_help_opens_with_an_example_and_the_version_is_told() -> None:
    assert "caked inspect particles/ --json" in _run("--help").stdout
    assert "caked inspect maps/" in _run("inspect", "--help").stdout
    assert _run("--version").stdout.split() == ["caked,", "version", __version__]


def test_control_characters_of_a_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "apo\x1b[31m_1.mrc"
    path.write_bytes(mrc_bytes(sample_array(2)))
    assert "\x1b" not in _run("inspect", tmp_path).stdout
    assert printable("ü x\n") == "ü x\\n"


def test_nothing_here_waits_for_torch(run_python: Callable[[str], str], folder: Path) -> None:
    code = (
        "import sys; from click.testing import CliRunner; from caked.cli import main; "
        f"r = CliRunner().invoke(main, ['inspect', {str(folder)!r}]); assert r.exit_code == 0, r.output; "
        "print(sorted({'torch', 'torchvision', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert run_python(code).strip() == "[]"


def test_inspect_tells_what_lists_say(tmp_path: Path) -> None:
    write_particles_star(tmp_path / "p.star", particle_table(), image_size=64)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.mrcs").write_bytes(mrc_bytes(np.zeros((2, 8, 8), np.float32)))
    (tmp_path / "picks.csv").write_text("image_name,x_coord,y_coord\na,1,2\na,3,4\nb,3,4\n")
    (tmp_path / "t.mdoc").write_text(
        "ImageFile = t.mrc\n\n[ZValue = 0]\nTiltAngle = -3.5\n\n[ZValue = 1]\nTiltAngle = 40\n"
    )
    paths = [tmp_path / name for name in ("p.star", "picks.csv", "t.mdoc")]
    done = _run("inspect", *paths)
    lines = [line.split("  ", 1)[1] for line in done.stdout.splitlines()]
    told = [json.loads(line) for line in _run("inspect", *paths, "--json").stdout.splitlines()]

    assert done.exit_code == 0, done.output
    assert lines == [
        "200 particles  2 stacks (1 not there)  1.25, 1.31 Å  with pose, shift, CTF, half-set, micrograph",
        "3 coordinates  2 images",
        "2 tilts  -3.5 to 40 degrees",
    ]
    assert told[0]["optics_groups"] == 2
    assert [one["count"] for one in told] == [200, 3, 2]
    (tmp_path / "odd.star").write_text("data_\n\nloop_\n_rlnVoltage #1\n300\n")
    wrong = _run("inspect", tmp_path / "odd.star")
    assert (wrong.exit_code, "no columns rlnCoordinateX" in wrong.stderr) == (1, True)


def test_a_list_taken_for_an_image_is_told_as_what_it_is(tmp_path: Path) -> None:
    write_particles_star(tmp_path / "p.star", particle_table())
    write_particles_cs(tmp_path / "p.cs", particle_table(), image_size=8)
    with pytest.raises(RefusedFileError, match=r"p\.star lists images instead of holding them"):
        FileSource(tmp_path / "p.star").shape(0)
    with pytest.raises(RefusedFileError, match=r"p\.cs holds records with the columns uid, "):
        FileSource(tmp_path / "p.cs").shape(0)
    with pytest.raises(SourceNotFoundError, match=r"ends with \.mrc, .* or \.tiff\.$"):
        FileSource(tmp_path)


@pytest.fixture
def subtomograms(tmp_path: Path) -> Path:
    """Eight volumes of two classes by prefix."""
    folder = tmp_path / "subtomograms"
    folder.mkdir()
    values = np.random.default_rng(0).normal(size=(8, 8, 8, 8)).astype(np.float32)
    for k, volume in enumerate(values):
        (folder / f"{'ab'[k % 2]}_{k}.mrc").write_bytes(mrc_bytes(volume, voxel_size=(2.0, 2.0, 2.0)))
    return folder


def test_preview_writes_a_picture_and_tells_the_stages(subtomograms: Path, tmp_path: Path) -> None:
    picture = tmp_path / "out" / "p.png"
    words = ("--transform", "rescale=4", "--transform", "normalise")
    done = _run("preview", subtomograms, "--labels", "prefix", *words, "--output", picture, "--count", "2")

    assert done.exit_code == 0, done.output
    assert done.stdout == f"{picture}\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "as read: 8 x 8 x 8, 2 Å a pixel" in done.stderr
    assert "Rescale: 4 x 4 x 4, 4 Å a pixel" in done.stderr
    assert "classes: a 4, b 4" in done.stderr


@pytest.mark.parametrize("kind", ["mrc", "npy", "shards"])
def test_export_writes_a_folder(subtomograms: Path, tmp_path: Path, kind: str) -> None:
    goal = ("--output", tmp_path / "out", "--format", kind)
    done = _run("export", subtomograms, *goal, "--transform", "shiftmin")

    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out'}\n"
    assert "wrote 8 samples" in done.stderr
    assert len((tmp_path / "out" / "samples.jsonl").read_text().splitlines()) == 8
    again = _run("export", subtomograms, "--output", tmp_path / "out", "--format", kind)
    assert (again.exit_code, "nothing is lost" in again.stderr) == (2, True)


def test_export_of_a_part_of_a_recipe(subtomograms: Path, tmp_path: Path) -> None:
    from caked import FileSource, Recipe, SplitRule

    split = SplitRule(fractions={"train": 0.75, "test": 0.25})
    recipe = Recipe(source=FileSource(subtomograms), labels="prefix", split=split)
    recipe.save(tmp_path / "recipe.json")
    goal = ("--output", tmp_path / "out", "--format", "npy")
    done = _run("export", tmp_path / "recipe.json", "--part", "test", *goal)

    assert done.exit_code == 0, done.output
    assert np.load(tmp_path / "out" / "images.npy").shape == (2, 8, 8, 8)
    for arguments, status, said in (
        (["--part", "valid"], 3, "no part 'valid'; it has train, test"),
        ([], 2, "say which with --part"),
        (["--labels", "prefix"], 2, "leave these options out"),
    ):
        wrong = _run("export", tmp_path / "recipe.json", *arguments, "--output", tmp_path / "x")
        assert wrong.exit_code == status
        assert said in wrong.stderr


def test_convert_says_what_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("image_name,x_coord,y_coord\na,1,2\na,3,4\n")
    done = _run("convert", tmp_path / "p.csv", tmp_path / "p.star")

    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'p.star'}\n")
    assert done.stderr == "wrote 2 coordinates\n"
    for quietly in (["-q", "convert"], ["convert", "--quiet"]):
        assert _run(*quietly, tmp_path / "p.csv", tmp_path / "p.star").stderr == ""
    assert _run("convert", tmp_path / "gone.star", tmp_path / "x.star").exit_code == 3
    assert _run("convert", tmp_path / "p.csv", tmp_path / "x.doc").exit_code == 2
    (tmp_path / "bad.cs").write_bytes(b"no array")
    assert _run("convert", tmp_path / "bad.cs", tmp_path / "x.star").exit_code == 5


def test_every_command_tells_programs_what_it_did(subtomograms: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("image_name,x_coord,y_coord\na,1,2\na,3,4\n")
    made, picture = tmp_path / "out", tmp_path / "out" / "p.png"
    commands: dict[str, tuple[str | Path, ...]] = {
        "preview": (
            subtomograms,
            "--labels",
            "prefix",
            "--transform",
            "rescale=4",
            "--output",
            made / "p.png",
        ),
        "export": (subtomograms, "--output", made / "set", "--format", "npy"),
        "convert": (tmp_path / "p.csv", made / "p.star"),
    }
    told = {name: json.loads(_run(name, *words, "--json").stdout) for name, words in commands.items()}

    assert told["preview"]["path"] == str(picture)
    assert told["preview"]["class_counts"] == {"a": 4, "b": 4}
    assert told["preview"]["stages"][1] == {
        "name": "Rescale", "shape": [4, 4, 4], "pixel_size_angstrom": 4.0,
    }  # fmt: skip
    assert told["export"]["count"] == 8
    assert sorted(told["export"]["files"]) == ["images.npy", "samples.jsonl"]
    assert told["convert"] == {"path": str(made / "p.star"), "kind": "coordinates", "count": 2}


def test_bench_measures(subtomograms: Path) -> None:
    done = _run("bench", subtomograms, "--seconds", "0.2", "--batch-size", "4", "--json")
    found = json.loads(done.stdout)

    assert done.exit_code == 0
    assert found["samples"] == 8
    assert found["epoch_seconds"] == pytest.approx(8 / found["samples_per_second"])
    assert "samples/s; an epoch of 8 takes" in _run("bench", subtomograms, "--seconds", "0.1").stdout


@pytest.mark.parametrize("command", ["inspect", "preview", "export", "convert", "bench"])
def test_every_command_has_help_that_opens_with_an_example(command: str) -> None:
    lines = [line.strip() for line in _run(command, "--help").stdout.splitlines() if line.strip()]
    assert lines[1].startswith(f"$ caked {command} ")


def test_an_interrupt_ends_with_its_own_status_and_one_word(subtomograms: Path) -> None:
    code = (
        "import sys, caked.loader; from caked.cli import main; print('ready', flush=True); "
        "main(sys.argv[1:], prog_name='caked')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "bench", str(subtomograms), "--seconds", "600"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"  # whatever takes long to import is imported
        time.sleep(0.5)  # so that it measures
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)

    assert process.returncode == 130, said
    assert said == b"caked: interrupted\n"
