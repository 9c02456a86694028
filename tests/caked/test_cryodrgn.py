"""What caked writes and reads of particles, beside cryoDRGN's own parsers in an environment of their own.

Where the two differ: cryoDRGN keeps the move that centres a particle, (x, y) as a fraction of the box, and
caked where the particle is, (y, x) in Å: the other sign. Poses are the same matrix. Its CTFs are float32.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from caked import convert
from caked.io.cs import read_particles_cs
from caked.io.particles import ParticleTable
from caked.io.star import read_particles_star
from caked.io.write_star import write_particles_star
from particle_tables import COUNT, particle_table
from published import cryodrgn

pytestmark = pytest.mark.full

SIDE = 64
PARSE = """
import argparse, json, pickle, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from cryodrgn.commands import parse_ctf_csparc, parse_ctf_star, parse_pose_csparc, parse_pose_star
commands = {
    "star": (parse_pose_star, parse_ctf_star, "--outpkl"), "cs": (parse_pose_csparc, parse_ctf_csparc, "-o"),
}

def parsed(command, path, option, words):
    parser = argparse.ArgumentParser()
    command.add_args(parser)
    known = {action.option_strings[0] for action in parser._actions if action.option_strings}
    given = [word for name, value in words.items() if name in known for word in (name, str(value))]
    command.main(parser.parse_args([path, option, path + ".pkl", *given]))
    with open(path + ".pkl", "rb") as file:
        return pickle.load(file)

for path, words in json.load(open(sys.argv[1])):
    pose, ctf, option = commands[path.rpartition(".")[2]]
    values = {"ctf": parsed(ctf, path, "-o", words)}
    if not words.get("no pose"):
        values["rot"], values["trans"] = parsed(pose, path, option, words)
    np.savez(path + ".npz", **values)
"""

Array = NDArray[Any]


def _theirs(files: Sequence[tuple[Path, dict[str, Any]]], folder: Path) -> list[dict[str, Array]]:
    """Poses, moves and CTFs of files, each with the options that its command needs, all in one process."""
    jobs = folder / "jobs.json"
    jobs.write_text(json.dumps([(str(path), words) for path, words in files]))
    done = subprocess.run(
        [cryodrgn() / "python", "-c", PARSE, jobs], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return [dict(np.load(f"{path}.npz")) for path, _ in files]


def _assert_alike(
    theirs: dict[str, Array], table: ParticleTable, *, side: int, pixel_size: float | None = None
) -> None:
    """Ours against theirs, within 1e-5: of a matrix, of a pixel, and of each number of the CTF."""
    rows = np.arange(len(table))
    ours = table.batch(rows)
    known = table.pixel_size_angstrom
    size = np.full(len(rows), pixel_size) if known is None else np.asarray(known[rows])
    assert ("rot" in theirs) == ("pose" in ours)
    if "rot" in theirs:
        np.testing.assert_allclose(theirs["rot"], ours["pose"], rtol=0, atol=1e-5)
        moves = -ours["shift_angstrom"][:, ::-1] / size[:, None]
        np.testing.assert_allclose(theirs["trans"] * side, moves, rtol=1e-5, atol=1e-5)
    columns = [
        np.full(len(rows), side),
        size,
        *(ours[f"defocus_{axis}_angstrom"] for axis in "uv"),
        ours["defocus_angle_degrees"],
        ours["voltage_kilovolts"],
        ours["spherical_aberration_millimetres"],
        ours["amplitude_contrast"],
        ours.get("phase_shift_degrees", np.zeros(len(rows))),
    ]
    np.testing.assert_allclose(theirs["ctf"], np.stack(columns, axis=1), rtol=1e-5, atol=1e-5)


def test_what_is_written_means_the_same_to_cryodrgn(tmp_path: Path) -> None:
    table = particle_table()
    first = write_particles_star(tmp_path / "first.star", table, image_size=SIDE)
    told = {"-D": SIDE, "--Apix": 1.25}
    written: list[tuple[Path, dict[str, Any]]] = []
    for name, version in (("30", "3.0"), ("31", "3.1"), ("5", "5")):
        path = tmp_path / f"{name}.star"
        convert(first, path, star_version=version, image_size=SIDE)  # type: ignore[arg-type]
        written.append((path, told if version == "3.0" else {}))
    cs = tmp_path / "a.cs"
    convert(first, cs, image_size=SIDE)
    back = tmp_path / "back.star"
    convert(cs, back, image_size=SIDE)
    found = _theirs([*written, (cs, {}), (back, {})], tmp_path)

    # What RELION 3.0 has cannot say two pixel sizes to cryoDRGN, which takes one from its user.
    size = np.asarray(table.pixel_size_angstrom[np.arange(COUNT)])
    assert np.all(found[0]["ctf"][:, 1] == np.float32(1.25))
    found[0]["ctf"][:, 1] = size
    for one in found:
        _assert_alike(one, table, side=SIDE)


def test_worked_values_where_relion_and_cryodrgn_differ(tmp_path: Path) -> None:
    """rot 90: the particle turns about z. Origin (3, -1.5) Å of 1.5 Å pixels in a box of 60 pixels."""
    path = tmp_path / "one.star"
    path.write_text(
        "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnImagePixelSize #2\n_rlnImageSize #3\n_rlnVoltage #4\n"
        "_rlnSphericalAberration #5\n_rlnAmplitudeContrast #6\n1 1.5 60 300 2.7 0.1\n\n"
        "data_particles\n\nloop_\n_rlnImageName #1\n_rlnOpticsGroup #2\n_rlnAngleRot #3\n_rlnAngleTilt #4\n"
        "_rlnAnglePsi #5\n_rlnOriginXAngst #6\n_rlnOriginYAngst #7\n_rlnDefocusU #8\n_rlnDefocusV #9\n"
        "_rlnDefocusAngle #10\n_rlnPhaseShift #11\n1@a.mrcs 1 90 0 0 3 -1.5 10000 9000 30 90\n"
    )
    [theirs] = _theirs([(path, {})], tmp_path)
    table = read_particles_star(path)
    ours = table.batch(np.arange(1))

    quarter = [[[0, 1, 0], [-1, 0, 0], [0, 0, 1]]]  # what lies along the particle's y appears along x
    np.testing.assert_allclose(theirs["rot"], quarter, atol=1e-12)
    np.testing.assert_allclose(ours["pose"], quarter, atol=1e-12)
    np.testing.assert_allclose(theirs["trans"], [[2 / 60, -1 / 60]])  # the move, (x, y), of the box
    np.testing.assert_allclose(ours["shift_angstrom"], [[1.5, -3.0]])  # the place, (y, x), in Å
    np.testing.assert_allclose(theirs["ctf"], [[60, 1.5, 10000, 9000, 30, 300, 2.7, 0.1, 90]], rtol=1e-6)
    _assert_alike(theirs, table, side=60)


REAL: dict[str, dict[str, Any]] = {  # and what cryoDRGN has to be told of each
    "toy_projections.star": {"-D": 30, "--Apix": 1.5, "no pose": True},
    "relion31.star": {},
    "relion31.v2.star": {},
    "relion31.6opticsgroups.star": {},
    "relion5.star": {},
    "empiar_10076_7.star": {"-D": 320, "--Apix": 1.31, "--ps": 0, "no pose": True},
    "empiar_10076_7.cs": {"no pose": True},
    "cryosparc_P12_J24_001_particles.cs": {},
}


@pytest.mark.real_data
def test_real_files_say_the_same_as_they_are_and_converted(real_data: Path, tmp_path: Path) -> None:
    files: list[tuple[Path, dict[str, Any]]] = []
    tables: list[ParticleTable] = []
    for name, words in REAL.items():
        path = tmp_path / name
        path.write_bytes((real_data / "caked/cryodrgn" / name).read_bytes())
        files.append((path, words))
        tables.append((read_particles_cs if path.suffix == ".cs" else read_particles_star)(path))
    sides = [int(one["ctf"][0, 0]) for one in _theirs(files, tmp_path)]
    for (path, words), table, side in list(zip(files, tables, sides, strict=True)):
        for goal, told in _converted(path, table, side, words).items():
            files.append((goal, told))
            tables.append(table)
            sides.append(side)
    assert len(files) == 38
    for one, table, side, (_, words) in zip(_theirs(files, tmp_path), tables, sides, files, strict=True):
        _assert_alike(one, table, side=side, pixel_size=words.get("--Apix"))


def _converted(
    path: Path, table: ParticleTable, side: int, words: dict[str, Any]
) -> dict[Path, dict[str, Any]]:
    """Write a file in every form that can say it to cryoDRGN; each with the options that it needs."""
    told = words if "phase_shift_degrees" in table.columns else {**words, "--ps": 0}
    forms = {version: path.with_name(f"{path.name}-{version}.star") for version in ("3.1", "5")}
    for version, goal in forms.items():
        convert(path, goal, star_version=version, image_size=side)  # type: ignore[arg-type]
    written = dict.fromkeys(forms.values(), told)
    known = table.pixel_size_angstrom
    sizes = [] if known is None else np.unique(np.asarray(known[np.arange(len(table))])).tolist()
    if sizes:  # else a .cs file cannot be written: see test_conversion
        convert(path, goal := path.with_name(f"{path.name}.cs"), image_size=side)
        written[goal] = words
    if len(sizes) < 2:  # of RELION 3.0, cryoDRGN asks its user for the pixel size, one for all
        convert(path, goal := path.with_name(f"{path.name}-3.0.star"), star_version="3.0")
        written[goal] = {"-D": side, **({"--Apix": sizes[0]} if sizes else {}), **told}
    return written
