"""Particles and coordinates between programs: nothing is lost on the way there and back."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import starfile
from scipy.spatial.transform import Rotation

from caked import ParticleSource, convert
from caked.errors import InvalidOptionError, SourceNotFoundError
from caked.io.coordinates import read_coordinates
from caked.io.cs import read_particles_cs
from caked.io.particles import ParticleTable
from caked.io.poses import matrices_from_euler, rotation_vectors_from_matrices
from caked.io.star import read_particles_star
from caked.io.write_cs import write_particles_cs
from caked.io.write_star import write_particles_star
from particle_tables import COUNT, particle_table


def _compare(found: ParticleTable, expected: ParticleTable, *, groups: bool = True) -> None:
    rows = np.arange(len(expected))
    assert len(found) == len(expected)
    places = [
        [(table.stacks[int(table.stack[k])], int(table.section[k])) for k in rows]
        for table in (found, expected)
    ]
    assert places[0] == places[1]
    columns, wanted = found.batch(rows), expected.batch(rows)
    assert set(columns) >= set(wanted) - (set() if groups else {"optics_group"})
    for key, values in wanted.items():
        if key == "micrograph":
            assert columns[key] == values
        elif key == "optics_group":  # RELION counts from 1 and cryoSPARC from 0: the same groups, renumbered
            both = (columns.get(key, []), values)
            same = [np.unique(np.asarray(one), return_inverse=True)[1].tolist() for one in both]
            assert not groups or same[0] == same[1]
        else:
            # RELION's numbers have nine figures here and cryoSPARC's are float32
            np.testing.assert_allclose(np.asarray(columns[key]), np.asarray(values), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.pixel_size_angstrom[rows], expected.pixel_size_angstrom[rows], rtol=1e-6)


@pytest.mark.parametrize("version", ["3.0", "3.1", "5"])
def test_particles_come_back_from_star_of_every_version(tmp_path: Path, version: Any) -> None:
    table = particle_table()
    path = write_particles_star(tmp_path / "p.star", table, version=version, image_size=64)

    _compare(read_particles_star(path), table, groups=version != "3.0")


def test_particles_come_back_from_cryosparc(tmp_path: Path) -> None:
    table = particle_table()
    path = write_particles_cs(tmp_path / "p.cs", table, image_size=64)

    _compare(read_particles_cs(path), table)
    assert np.load(path, allow_pickle=False)["blob/shape"].tolist() == [[64, 64]] * COUNT


def test_a_round_through_all_programs_changes_nothing_beyond_float32(tmp_path: Path) -> None:
    table = particle_table()
    write_particles_star(tmp_path / "0.star", table)
    convert(tmp_path / "0.star", tmp_path / "1.cs", image_size=64)
    convert(tmp_path / "1.cs", tmp_path / "2.star", star_version="5", image_size=64)
    convert(tmp_path / "2.star", tmp_path / "3.star", star_version="3.1", image_size=64)
    done = convert(tmp_path / "3.star", tmp_path / "4.cs", image_size=64)

    assert (done.kind, done.count, done.path) == ("particles", COUNT, tmp_path / "4.cs")
    _compare(read_particles_cs(tmp_path / "4.cs"), table)


def test_the_words_of_each_version_are_relions(tmp_path: Path) -> None:
    """Worked values by RELION's own definitions, read by starfile."""
    table = particle_table()
    new = starfile.read(write_particles_star(tmp_path / "n.star", table, version="5", image_size=64))
    old = starfile.read(write_particles_star(tmp_path / "o.star", table, version="3.0"))

    assert "# version 50001" in (tmp_path / "n.star").read_text()
    assert new["optics"]["rlnImageSize"].tolist() == [64, 64]
    assert new["optics"]["rlnImagePixelSize"].tolist() == [1.25, 1.31]
    assert new["optics"]["rlnImageDimensionality"].tolist() == [2, 2]
    particles = new["particles"]
    assert particles["rlnImageName"][:3].tolist() == [
        "000001@a/one.mrcs",
        "000001@a/two.mrcs",
        "000002@a/one.mrcs",
    ]
    shifts = np.asarray(table.shift_angstrom)
    np.testing.assert_allclose(particles["rlnOriginXAngst"], -shifts[:, 1], atol=1e-6)
    np.testing.assert_allclose(particles["rlnOriginYAngst"], -shifts[:, 0], atol=1e-6)
    np.testing.assert_allclose(
        old["rlnOriginX"] * np.where(np.arange(COUNT) % 2, 1.31, 1.25), -shifts[:, 1], atol=1e-5
    )
    np.testing.assert_allclose(
        old["rlnDetectorPixelSize"] * 1e4 / old["rlnMagnification"], [1.25, 1.31] * 100
    )
    assert "rlnOpticsGroup" not in old


def test_groups_that_mix_pixel_sizes_are_taken_apart(tmp_path: Path) -> None:
    table = particle_table()
    mixed = ParticleTable.from_columns(
        places=(["s.mrcs"], np.zeros(4, int), np.arange(4)),
        pixel_size_angstrom=np.array([1.0, 2.0, 1.0, 2.0]),
        columns={"optics_group": np.array([1, 1, 1, 1])},
        angles=None, shifts=None, micrographs=None, kept={},
    )  # fmt: skip
    blocks = starfile.read(write_particles_star(tmp_path / "m.star", mixed))

    assert blocks["optics"]["rlnImagePixelSize"].tolist() == [1.0, 2.0]
    assert blocks["particles"]["rlnOpticsGroup"].tolist() == [1, 2, 1, 2]
    assert len(table) == COUNT


def test_rotation_vectors_are_those_of_scipy() -> None:
    angles = Rotation.random(500, random_state=3).as_euler("ZYZ", degrees=True)
    poses = matrices_from_euler(angles)
    expected = Rotation.from_matrix(np.swapaxes(poses, 1, 2)).as_rotvec()

    np.testing.assert_allclose(rotation_vectors_from_matrices(poses), expected, atol=1e-9)
    half = matrices_from_euler([[0, 180, 0], [0, 0, 180], [0, 0, 0]])
    found = Rotation.from_rotvec(rotation_vectors_from_matrices(half)).as_matrix()
    np.testing.assert_allclose(found, np.swapaxes(half, 1, 2), atol=1e-9)


REAL = [
    "toy_projections.star",
    "relion31.star",
    "relion31.6opticsgroups.star",
    "relion5.star",
    "empiar_10076_7.star",
    "cryosparc_P12_J24_001_particles.cs",
    "empiar_10076_7.cs",
]


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("goal", ["3.1.star", "5.star", "cs"])
def test_real_particles_come_back(real_data: Path, tmp_path: Path, name: str, goal: str) -> None:
    read = read_particles_cs if name.endswith(".cs") else read_particles_star
    table = read(real_data / "caked/cryodrgn" / name)
    if table.pixel_size_angstrom is None:
        with pytest.raises(InvalidOptionError, match="pixel size"):
            write_particles_cs(tmp_path / "x.cs", table, image_size=64)
        return
    if goal == "cs":
        found = read_particles_cs(write_particles_cs(tmp_path / "x.cs", table, image_size=64))
    else:
        version: Any = goal.removesuffix(".star")
        found = read_particles_star(write_particles_star(tmp_path / "x.star", table, version=version))
    _compare(found, table)


@pytest.mark.real_data
def test_the_size_of_images_is_seen_where_the_stack_is(real_data: Path, tmp_path: Path) -> None:
    convert(real_data / "caked/cryodrgn/relion31.star", tmp_path / "x.cs")
    side = ParticleSource(real_data / "caked/cryodrgn/relion31.star").shape(0)[-1]

    assert set(np.load(tmp_path / "x.cs")["blob/shape"].ravel().tolist()) == {side}


POINTS = {"a.mrc": np.array([[10.5, 20.25], [30.0, 40.0]]), "b.mrc": np.array([[1.0, 2.0]])}


@pytest.mark.parametrize("goal", ["x.star", "x.csv", "x.tsv", "x.txt"])
def test_coordinates_come_back(tmp_path: Path, goal: str) -> None:
    start = tmp_path / "start.csv"
    start.write_text("image_name,x_coord,y_coord\na.mrc,20.25,10.5\na.mrc,40,30\nb.mrc,2,1\n")
    done = convert(start, tmp_path / goal)
    found = read_coordinates(tmp_path / goal)

    assert (done.kind, done.count) == ("coordinates", 3)
    assert set(found) == set(POINTS)
    for name, points in POINTS.items():
        np.testing.assert_allclose(found[name], points)


def test_where_particles_were_picked_follows_them(tmp_path: Path) -> None:
    """Worked values: a pick at x = 300, y = 25 of a micrograph of 100 x 400 pixels (y, x)."""
    table = particle_table()
    picks = np.random.default_rng(3).uniform(0, [100, 400], (COUNT, 2))
    picks[0] = [25, 300]
    table = replace(table, coordinates=picks, micrograph_shape=np.tile([100, 400], (COUNT, 1)))
    write_particles_cs(tmp_path / "0.cs", table, image_size=64)
    convert(tmp_path / "0.cs", tmp_path / "1.star", star_version="5")
    convert(tmp_path / "1.star", tmp_path / "2.star", star_version="3.0")
    done = convert(tmp_path / "2.star", tmp_path / "3.csv")
    convert(tmp_path / "0.cs", tmp_path / "4.cs", image_size=64)
    convert(tmp_path / "4.cs", tmp_path / "5.tsv")

    records = np.load(tmp_path / "0.cs")
    assert records["location/center_x_frac"][0] == np.float32(0.75)
    assert records["location/center_y_frac"][0] == np.float32(0.25)
    particles = starfile.read(tmp_path / "1.star")["particles"]
    assert particles["rlnCoordinateX"][0] == pytest.approx(300)
    np.testing.assert_allclose(particles[["rlnCoordinateY", "rlnCoordinateX"]], picks, rtol=1e-6, atol=1e-5)
    _compare(read_particles_star(tmp_path / "2.star"), table, groups=False)
    assert (done.kind, done.count) == ("coordinates", COUNT)
    for path in ("3.csv", "5.tsv"):
        found = read_coordinates(tmp_path / path)
        assert list(found) == [f"m{k}.mrc" for k in range(COUNT // 10)]
        np.testing.assert_allclose(np.concatenate(list(found.values())), picks, rtol=1e-6, atol=1e-5)
    assert read_particles_star(tmp_path / "1.star").coordinates is None  # kept only where it is asked for


def test_what_a_cs_file_lacks_comes_from_those_beside_it(tmp_path: Path) -> None:
    picks = np.random.default_rng(4).uniform(0, 90, (COUNT, 2))
    table = replace(particle_table(), coordinates=picks, micrograph_shape=np.full((COUNT, 2), 90))
    records = np.load(write_particles_cs(tmp_path / "all.cs", table, image_size=64))
    names = list(records.dtype.names)
    for name, part in (
        ("main", [key for key in names if "location" not in key]),
        ("rest", [key for key in names if "location" in key or key == "uid"]),
    ):
        with (tmp_path / f"{name}.cs").open("wb") as file:
            np.save(file, np.ascontiguousarray(records[part])[:: 1 if name == "main" else -1])
    with pytest.raises(InvalidOptionError, match=r"main\.cs does not say where"):
        convert(tmp_path / "main.cs", tmp_path / "picks.csv")
    convert(tmp_path / "main.cs", tmp_path / "picks.csv", passthrough=[tmp_path / "rest.cs"])
    with pytest.raises(InvalidOptionError, match=r"picks\.csv is none"):
        convert(tmp_path / "picks.csv", tmp_path / "picks.star", passthrough=[tmp_path / "rest.cs"])

    found = np.concatenate(list(read_coordinates(tmp_path / "picks.csv").values()))
    np.testing.assert_allclose(found, picks, rtol=1e-6, atol=1e-5)


@pytest.mark.real_data
def test_real_picks_of_particles_become_a_table(real_data: Path, tmp_path: Path) -> None:
    convert(real_data / "caked/cryodrgn/relion31.star", tmp_path / "picks.csv")
    found = read_coordinates(tmp_path / "picks.csv")
    particles = starfile.read(real_data / "caked/cryodrgn/relion31.star")["particles"]

    for name, rows in particles.groupby("rlnMicrographName"):
        np.testing.assert_allclose(found[name], rows[["rlnCoordinateY", "rlnCoordinateX"]], rtol=1e-8)
    assert sum(map(len, found.values())) == len(particles)


@pytest.mark.real_data
def test_stacks_of_tilts_stay_stacks_of_tilts(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "caked/tomodrgn"
    name = "warptools_test_4-tomos_10-ptcls_box-32_angpix-12.star"
    convert(folder / name, tmp_path / "again.star", star_version="5")
    first = ParticleSource(folder / name, missing="drop")
    again = ParticleSource(tmp_path / "again.star", images=folder, missing="drop")
    columns, expected = again.columns([0, 1, 2]), first.columns([0, 1, 2])

    assert list(again.names) == list(first.names)
    assert again.group(0) == first.group(0)
    for key in ("pixel_size_angstrom", "pose"):
        np.testing.assert_allclose(columns[key], expected[key], atol=1e-5)
    text = (tmp_path / "again.star").read_text()
    assert "rlnTomoName" in text
    assert "rlnCoordinateZ" in text


def test_boxes_hold_one_image_and_its_box_size(tmp_path: Path) -> None:
    start = tmp_path / "start.star"
    start.write_text("data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n20 10\n40 30\n")
    convert(start, tmp_path / "x.box", box_size=8)

    assert (tmp_path / "x.box").read_text() == "16\t6\t8\t8\n36\t26\t8\t8\n"
    np.testing.assert_allclose(read_coordinates(tmp_path / "x.box")[""], [[10, 20], [30, 40]])
    with pytest.raises(InvalidOptionError, match="no box size"):
        convert(start, tmp_path / "y.box")


def test_what_cannot_be_converted_says_so_and_writes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_particles_star(tmp_path / "p.star", particle_table())
    with pytest.raises(InvalidOptionError, match="give image_size"):
        convert(tmp_path / "p.star", tmp_path / "p.cs")
    with pytest.raises(InvalidOptionError, match=r"to \.star or \.cs"):
        convert(tmp_path / "p.star", tmp_path / "p.box")
    with pytest.raises(InvalidOptionError, match="of RELION"):
        convert(tmp_path / "p.star", tmp_path / "q.star", star_version="4")  # type: ignore[arg-type]
    with pytest.raises(SourceNotFoundError):
        convert(tmp_path / "nothing.star", tmp_path / "q.star")
    assert [path.name for path in tmp_path.iterdir()] == ["p.star"]

    records = np.load(write_particles_cs(tmp_path / "p.cs", particle_table(), image_size=8))
    records["blob/sign"] = -1
    np.save(tmp_path / "negative.npy", records)
    (tmp_path / "negative.npy").rename(tmp_path / "negative.cs")
    with caplog.at_level(logging.WARNING):
        convert(tmp_path / "negative.cs", tmp_path / "n.star")
    assert "inverted contrast" in caplog.text
