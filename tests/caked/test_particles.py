"""Particles of RELION and cryoSPARC: images, poses, shifts and CTF, beside readers that are not ours."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

import caked
from caked import (
    DamagedFileError,
    Dataset,
    InvalidOptionError,
    ParticleSource,
    RefusedFileError,
    SourceNotFoundError,
    StackSource,
)
from caked.io.poses import euler_from_matrices, matrices_from_euler, matrices_from_rotation_vectors
from caked.sources import source_from_dict
from caked.transforms import TiltDrop
from mrc_vectors import mrc_bytes

IMAGES = np.random.default_rng(0).normal(size=(2, 4, 6, 8)).astype(np.float32)

RELION31 = """
# version 30001

data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnVoltage #3
_rlnSphericalAberration #4
_rlnAmplitudeContrast #5
_rlnImagePixelSize #6
2 late 200.0 2.0 0.07 1.5
1 early 300.0 2.7 0.10 2.0

data_particles

loop_
_rlnImageName #1
_rlnMicrographName #2
_rlnOpticsGroup #3
_rlnDefocusU #4
_rlnDefocusV #5
_rlnDefocusAngle #6
_rlnAngleRot #7
_rlnAngleTilt #8
_rlnAnglePsi #9
_rlnOriginXAngst #10
_rlnOriginYAngst #11
_rlnRandomSubset #12
_rlnClassNumber #13
3@Extract/a.mrcs 7 1 10000 11000 30 0 90 0 3.0 -2.0 1 4
1@Extract/b.mrcs 7 2 12000 11500 -40 10 20 30 0 0 2 5
4@Extract/a.mrcs 8 2 13000 12500 50 0 0 90 1.5 0 1 4
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A RELION project: stacks below its root, the table two folders down."""
    (tmp_path / "Extract").mkdir()
    (tmp_path / "Refine3D" / "job007").mkdir(parents=True)
    for name, stack in zip("ab", IMAGES, strict=True):
        (tmp_path / "Extract" / f"{name}.mrcs").write_bytes(mrc_bytes(stack))
    (tmp_path / "Refine3D" / "job007" / "run_data.star").write_text(RELION31)
    return tmp_path


def _star(project: Path, text: str, name: str = "other.star") -> Path:
    path = project / name
    path.write_text(text)
    return path


def test_a_batch_of_particles_says_all_that_the_table_says(project: Path) -> None:
    source = ParticleSource(project / "Refine3D" / "job007" / "run_data.star")
    batch = Dataset(source).batch([2, 0, 1])

    assert list(source.names) == ["Extract/a.mrcs#2", "Extract/b.mrcs#0", "Extract/a.mrcs#3"]
    np.testing.assert_array_equal(batch["image"][:, 0], IMAGES[[0, 0, 1], [3, 2, 0]])
    assert batch["pixel_size_angstrom"].tolist() == [[1.5, 1.5], [2.0, 2.0], [1.5, 1.5]]
    assert batch["voltage_kilovolts"].tolist() == [200.0, 300.0, 200.0]
    assert batch["spherical_aberration_millimetres"].tolist() == [2.0, 2.7, 2.0]
    assert batch["defocus_u_angstrom"].tolist() == [13000.0, 10000.0, 12000.0]
    assert batch["defocus_v_angstrom"].tolist() == [12500.0, 11000.0, 11500.0]  # the second exceeds U
    assert batch["optics_group"].tolist() == [2, 1, 2]
    assert batch["optics_group"].dtype == torch.int64
    assert batch["half_set"].tolist() == [1, 1, 2]
    assert batch["micrograph"] == ["8", "7", "7"]
    assert batch["group"] == ["8", "7", "7"]
    assert batch["pose"].dtype == torch.float64


def test_a_shift_is_where_the_particle_is_and_an_origin_what_brings_it_back(project: Path) -> None:
    # RELION moves the first image by (x, y) = (3, -2) Å to centre its particle, which thus lies at (-3, 2).
    batch = Dataset(ParticleSource(project / "Refine3D" / "job007" / "run_data.star")).batch([0])
    assert batch["shift_angstrom"].tolist() == [[2.0, -3.0]]


def test_poses_are_those_of_relions_angles(project: Path) -> None:
    poses = Dataset(ParticleSource(project / "Refine3D" / "job007" / "run_data.star")).batch([0, 1, 2])[
        "pose"
    ]
    # tilt = 90: the view is along the particle's x axis, the particle's x axis points along the beam.
    np.testing.assert_allclose(poses[0] @ torch.tensor([1.0, 0, 0]).double(), [0, 0, 1], atol=1e-15)
    # psi = 90: the particle's x axis lies along -y of the image.
    np.testing.assert_allclose(poses[2] @ torch.tensor([1.0, 0, 0]).double(), [0, -1, 0], atol=1e-15)
    oracle = Rotation.from_euler("ZYZ", [10, 20, 30], degrees=True).inv().as_matrix()
    np.testing.assert_allclose(poses[1], oracle, atol=1e-15)


@given(hnp.arrays(np.float64, (5, 3), elements=st.floats(-720, 720)))
def test_angles_become_the_matrices_of_scipy_and_come_back(angles: np.ndarray) -> None:
    matrices = matrices_from_euler(angles)
    oracle = Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix()
    np.testing.assert_allclose(matrices, oracle, atol=1e-13)
    np.testing.assert_allclose(matrices_from_euler(euler_from_matrices(matrices)), matrices, atol=1e-10)


@given(hnp.arrays(np.float64, (5, 3), elements=st.floats(-4, 4)))
def test_rotation_vectors_become_the_inverse_matrices_of_scipy(vectors: np.ndarray) -> None:
    oracle = Rotation.from_rotvec(vectors).inv().as_matrix()
    np.testing.assert_allclose(matrices_from_rotation_vectors(vectors), oracle, atol=1e-13)


def cryodrgn_matrix(rot: float, tilt: float, psi: float) -> np.ndarray:
    """cryoDRGN's way from RELION's angles: turns about z, x and z, and some signs changed after."""
    signs = np.array([[1, -1, 1], [-1, 1, -1], [1, -1, 1]])
    turned = Rotation.from_euler("zxz", [rot + 90, tilt, psi - 90], degrees=True).as_matrix()
    return np.asarray(turned * signs)


@given(st.floats(-180, 180), st.floats(0, 180), st.floats(-180, 180))
def test_cryodrgn_turns_relions_angles_into_the_same_pose(rot: float, tilt: float, psi: float) -> None:
    np.testing.assert_allclose(
        matrices_from_euler([[rot, tilt, psi]])[0], cryodrgn_matrix(rot, tilt, psi), atol=1e-13
    )


def test_relion_30_keeps_optics_with_each_particle_and_origins_in_pixels(project: Path) -> None:
    path = _star(
        project,
        """
data_

loop_
_rlnImageName
_rlnMagnification
_rlnDetectorPixelSize
_rlnVoltage
_rlnOriginX
_rlnOriginY
_rlnAnglePsi
2@Extract/a.mrcs 40000 5.0 300 2.0 -1.0 90
""",
    )
    batch = Dataset(ParticleSource(path)).batch([0])
    assert batch["pixel_size_angstrom"].tolist() == [[1.25, 1.25]]  # 5 μm / 40000
    assert batch["shift_angstrom"].tolist() == [[1.25, -2.5]]
    assert batch["voltage_kilovolts"].tolist() == [300.0]
    assert "defocus_u_angstrom" not in batch
    np.testing.assert_allclose(batch["pose"][0], matrices_from_euler([[0, 0, 90]])[0])
    unsized = _star(project, "data_\nloop_\n_rlnImageName\n_rlnOriginX\n2@Extract/a.mrcs 2.0\n")
    with pytest.raises(RefusedFileError, match="shifts in pixels and no pixel size"):
        ParticleSource(unsized)


def test_a_particle_listed_again_has_a_name_of_its_own(project: Path) -> None:
    path = _star(
        project, "data_particles\nloop_\n_rlnImageName\n" + "2@Extract/a.mrcs\n1@Extract/a.mrcs\n" * 2
    )
    source = ParticleSource(path)
    names = ["Extract/a.mrcs#1", "Extract/a.mrcs#0", "Extract/a.mrcs#1~1", "Extract/a.mrcs#0~1"]
    assert list(source.names) == names
    assert source.index("Extract/a.mrcs#1~1") == 2
    np.testing.assert_array_equal(source.read(0), source.read(2))


def test_further_columns_label_and_group(project: Path) -> None:
    source = ParticleSource(
        project / "Refine3D" / "job007" / "run_data.star",
        keep=["rlnClassNumber", "rlnImageName"],
        group=caked.MetaLabels("optics_group"),
    )
    dataset = Dataset(source, labels=caked.MetaLabels("rlnClassNumber"))
    assert dataset.classes == ("4", "5")
    assert source.group(1) == "2"
    assert source.meta(1)["rlnImageName"] == "1@Extract/b.mrcs"
    with pytest.raises(RefusedFileError, match="no column rlnGone"):
        ParticleSource(source.path, keep=["rlnGone"])


def test_reading_one_by_one_in_parts_and_together_gives_the_same(project: Path) -> None:
    source = ParticleSource(project / "Refine3D" / "job007" / "run_data.star")
    together = source.read_batch([1, 2, 0, 2])
    np.testing.assert_array_equal(together, [source.read(i) for i in (1, 2, 0, 2)])
    np.testing.assert_array_equal(source.read(2, (slice(1, 3), slice(0, 5))), IMAGES[0, 3, 1:3, 0:5])
    again = source_from_dict(source.to_dict())
    assert again.digest() == source.digest()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(again)).read(0), source.read(0))


def test_a_million_particles_take_some_tens_of_megabytes(tmp_path: Path) -> None:
    from caked.io.particles import ParticleTable

    count = 100_000
    generator = np.random.default_rng(0)
    table = ParticleTable.from_columns(
        places=(
            [f"Extract/job012/Movies/movie_{k:05d}_extract.mrcs" for k in range(500)],
            generator.integers(0, 500, count).astype(np.int32),
            generator.integers(0, 200, count).astype(np.int32),
        ),
        pixel_size_angstrom=np.full(count, 1.06),
        columns={
            **{key: generator.normal(size=count) for key in ("defocus_u_angstrom", "defocus_v_angstrom")},
            **{key: np.full(count, 0.1) for key in ("voltage_kilovolts", "amplitude_contrast", "ctf_scale")},
            "half_set": generator.integers(1, 3, count),
        },
        angles=generator.normal(size=(count, 3)),
        shifts=generator.normal(size=(count, 2)),
        micrographs=[f"MotionCorr/job002/Movies/movie_{k % 500:05d}.mrc" for k in range(count)],
        kept={},
    )
    assert len(pickle.dumps(table)) < 80 * count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9@Extract/a.mrcs", r"image 9 of .*a\.mrcs, which has 4"),
        ("0@Extract/a.mrcs", "not number@stack"),
        ("x@Extract/a.mrcs", "not number@stack"),
        ("1@", "not number@stack"),
    ],
)
def test_images_that_no_stack_has_are_reported(project: Path, text: str, message: str) -> None:
    path = _star(project, f"data_particles\nloop_\n_rlnImageName\n1@Extract/a.mrcs\n{text}\n")
    with pytest.raises(DamagedFileError, match=message) as caught:
        ParticleSource(path).read_batch([0, 1])
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe" * 300,
        b"data_particles\nloop_\n_rlnImageName\n_rlnDefocusU\n1@Extract/a.mrcs deep\n",
        b"data_particles\nloop_\n_rlnImageName\n_rlnDefocusU\n1@Extract/a.mrcs 1 2 3\n1@Extract/a.mrcs\n",
        (
            b"data_optics\nloop_\n_rlnOpticsGroup\n_rlnVoltage\n1 300\ndata_particles\nloop_\n_rlnImageName\n"
            b"_rlnOpticsGroup\n1@Extract/a.mrcs 2\n"
        ),
    ],
)
def test_tables_that_make_no_sense_are_reported(project: Path, content: bytes) -> None:
    path = project / "bad.star"
    path.write_bytes(content)
    with pytest.raises((DamagedFileError, RefusedFileError), match=r"bad\.star"):
        ParticleSource(path)


def test_missing_stacks_are_reported_dropped_or_kept_for_what_is_known_of_them(project: Path) -> None:
    text = RELION31.replace("1@Extract/b.mrcs", "1@Extract/gone.mrcs")
    path = _star(project, text)
    with pytest.raises(
        SourceNotFoundError, match=r"1 of 2 stacks of .*other\.star cannot be found, .*gone\.mrcs"
    ):
        ParticleSource(path)
    dropped = ParticleSource(path, missing="drop")
    assert list(dropped.names) == ["Extract/a.mrcs#2", "Extract/a.mrcs#3"]
    assert dropped.columns([1])["defocus_u_angstrom"].tolist() == [13000.0]
    kept = ParticleSource(path, missing="keep")
    assert kept.columns([1])["defocus_u_angstrom"].tolist() == [12000.0]
    with pytest.raises(SourceNotFoundError, match=r"no file .*gone\.mrcs"):
        kept.read(1)
    with pytest.raises(SourceNotFoundError, match=r"no file .*none"):
        ParticleSource(project / "none.star")
    with pytest.raises(InvalidOptionError, match="'raise', 'drop' or 'keep'"):
        ParticleSource(path, missing="skip")  # type: ignore[arg-type]
    with pytest.raises(RefusedFileError, match="lists no images"):
        ParticleSource(_star(project, "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n"))


def _cs(path: Path, **changes: Any) -> Path:
    fields: dict[str, Any] = {
        "uid": np.array([5, 3, 9], dtype="<u8"),
        "blob/path": np.array([b">Extract/a.mrcs", b"Extract/b.mrcs", b">Extract/a.mrcs"]),
        "blob/idx": np.array([2, 0, 3], dtype="<u4"),
        "blob/psize_A": np.array([1.5, 1.5, 1.5], dtype="<f4"),
        "blob/sign": np.array([-1, 1, -1], dtype="<f4"),
        "ctf/df_angle_rad": np.array([0.0, np.pi / 2, -np.pi / 4]),
        "ctf/exp_group_id": np.array([4, 4, 5], dtype="<u4"),
        "alignments3D/pose": np.array([[0, 0, np.pi / 2], [0.1, 0.2, 0.3], [0, 0, 0]]),
        "alignments3D/shift": np.array([[2.0, -1.0], [0, 0], [1, 1]]),
        "alignments3D/psize_A": np.array([3.0, 3.0, 3.0]),
        "alignments3D/split": np.array([0, 1, 1], dtype="<u4"),
        "location/micrograph_path": np.array([b">J2/m1.mrc", b">J2/m2.mrc", b">J2/m1.mrc"]),
    } | changes
    fields = {key: value for key, value in fields.items() if value is not None}
    records = np.empty(3, dtype=[(key, value.dtype, value.shape[1:]) for key, value in fields.items()])
    for key, value in fields.items():
        records[key] = value
    with path.open("wb") as file:
        np.save(file, records, allow_pickle=records.dtype.hasobject)
    return path


def test_cryosparcs_records_become_the_same_columns(project: Path) -> None:
    (project / "J3").mkdir()
    source = ParticleSource(_cs(project / "J3" / "particles.cs"))
    batch = Dataset(source).batch([0, 1, 2])

    np.testing.assert_array_equal(batch["image"][:, 0], IMAGES[[0, 1, 0], [2, 0, 3]])
    np.testing.assert_allclose(
        batch["pose"][1], Rotation.from_rotvec([0.1, 0.2, 0.3]).as_matrix().T, atol=1e-15
    )
    np.testing.assert_allclose(batch["pose"][0], matrices_from_euler([[0, 0, 90]])[0], atol=1e-15)
    # (x, y) = (2, -1) pixels of 3 Å move the image back, so the particle is at (y, x) = (3, -6) Å.
    assert batch["shift_angstrom"][0].tolist() == [3.0, -6.0]
    assert batch["half_set"].tolist() == [1, 2, 2]
    assert batch["defocus_angle_degrees"].tolist() == pytest.approx([0.0, 90.0, -45.0])
    assert batch["optics_group"].tolist() == [4, 4, 5]
    assert batch["micrograph"] == ["J2/m1.mrc", "J2/m2.mrc", "J2/m1.mrc"]
    assert source.meta(0)["sign"] == -1.0
    signed = ParticleSource(source.path, apply_sign=True)
    np.testing.assert_array_equal(signed.read_batch([0, 1]), [-IMAGES[0, 2], IMAGES[1, 0]])
    np.testing.assert_array_equal(signed.read(2), -IMAGES[0, 3])


def test_half_sets_that_a_record_counts_from_one_are_not_counted_on(project: Path) -> None:
    (project / "J3").mkdir()
    halves = np.array([1, 2, 2], dtype="<u4")
    source = ParticleSource(_cs(project / "J3" / "particles.cs", **{"alignments3D/split": halves}))
    assert Dataset(source).batch([0, 1, 2])["half_set"].tolist() == [1, 2, 2]


def test_a_number_that_is_missing_from_a_table_is_reported(project: Path) -> None:
    text = "data_\nloop_\n_rlnImageName\n_rlnDefocusU\n1@Extract/a.mrcs 9000\n2@Extract/a.mrcs nan\n"
    with pytest.raises(DamagedFileError, match="column rlnDefocusU has no number in row 2"):
        ParticleSource(_star(project, text))


def test_passthrough_files_are_joined_by_uid(project: Path) -> None:
    main = _cs(project / "a.cs", **{"blob/path": None, "blob/idx": None})
    order = np.array([2, 0, 1])
    other = _cs(
        project / "pass.cs",
        uid=np.array([5, 3, 9], dtype="<u8")[order],
        **{"blob/path": np.array([b"Extract/a.mrcs", b"Extract/b.mrcs", b"Extract/a.mrcs"])[order],
           "blob/idx": np.array([2, 0, 3], dtype="<u4")[order]},
    )  # fmt: skip
    with pytest.raises(RefusedFileError, match="no images"):
        ParticleSource(main)
    source = ParticleSource(main, passthrough=[other])
    np.testing.assert_array_equal(source.read_batch([0, 1, 2]), IMAGES[[0, 1, 0], [2, 0, 3]])
    with pytest.raises(RefusedFileError, match="lacks particles"):
        ParticleSource(main, passthrough=[_cs(other, uid=np.array([1, 2, 3], dtype="<u8"))])


def test_records_that_cannot_be_read_safely_are_refused(project: Path) -> None:
    objects = _cs(project / "o.cs", **{"blob/path": np.array(["a", "b", "c"], dtype=object)})
    with pytest.raises(RefusedFileError, match=r"o\.cs holds Python objects in columns \['blob/path'\]"):
        ParticleSource(objects)
    whole = _cs(project / "w.cs")
    (project / "cut.cs").write_bytes(whole.read_bytes()[:-10])
    with pytest.raises(DamagedFileError, match=r"promises .*cut\.cs is corrupted"):
        ParticleSource(project / "cut.cs")
    (project / "no.cs").write_bytes(b"\x94CSDAT" + bytes(100))
    with pytest.raises(DamagedFileError, match=r"no\.cs is corrupted"):
        ParticleSource(project / "no.cs")
    np.save(project / "plain.npy", np.zeros(3))
    (project / "plain.npy").rename(project / "plain.cs")
    with pytest.raises(RefusedFileError, match="not of named columns"):
        ParticleSource(project / "plain.cs")


def test_micrographs_have_the_ctf_that_their_table_says_and_patches_keep_it(project: Path) -> None:
    (project / "m1.mrc").write_bytes(mrc_bytes(IMAGES[0, :1], ispg=1))
    path = _star(
        project,
        """
data_optics
loop_
_rlnOpticsGroup
_rlnVoltage
_rlnMicrographPixelSize
1 300 0.9
data_micrographs
loop_
_rlnMicrographName
_rlnOpticsGroup
_rlnDefocusU
m1.mrc 1 9000
""",
    )
    source = ParticleSource(path)
    assert list(source.names) == ["m1.mrc"]
    np.testing.assert_array_equal(source.read_batch([0]), IMAGES[0, :1])
    patches = caked.PatchSource.at(source, {"m1": [[3.0, 4.0]]}, size=4)
    batch = Dataset(patches).batch([0])
    np.testing.assert_array_equal(batch["image"][0, 0], IMAGES[0, 0, 1:5, 2:6])
    assert batch["defocus_u_angstrom"].tolist() == [9000.0]
    assert batch["pixel_size_angstrom"].tolist() == [[0.9, 0.9]]
    assert batch["micrograph"] == ["m1.mrc"]


def test_a_recipe_with_particles_moves_with_its_folder(project: Path, tmp_path: Path) -> None:
    table = project / "Refine3D" / "job007" / "run_data.star"
    recipe = caked.Recipe(source=ParticleSource(table), batch_size=3)
    recipe.save(project / "recipe.json")
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    project.rename(moved)
    [batch] = caked.Recipe.load(moved / "recipe.json").build()["all"]
    assert sorted(batch["defocus_u_angstrom"].tolist()) == [10000.0, 12000.0, 13000.0]


REAL = ("relion31", "relion31.v2", "empiar_10076_7", "toy_projections", "sta_testing_bin8")


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_tables_agree_with_starfile_mrcfile_and_scipy(name: str, real_data: Path) -> None:
    path = real_data / "caked" / "cryodrgn" / f"{name}.star"
    source = ParticleSource(path)
    blocks = starfile.read(path, always_dict=True)
    rows = next(block for block in blocks.values() if "rlnImageName" in getattr(block, "columns", ()))
    assert len(source) == len(rows)
    chosen = list(range(0, len(rows), max(1, len(rows) // 11)))[::-1]
    batch = Dataset(source).batch(chosen)
    rows = rows.iloc[chosen]
    for row, image in zip(rows["rlnImageName"], batch["image"][:, 0].numpy(), strict=True):
        number, stack = row.split("@")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with mrcfile.open(path.parent / stack, permissive=True) as file:
                np.testing.assert_array_equal(image, file.data[int(number) - 1])
    if "optics" in blocks:
        rows = rows.merge(blocks["optics"], on="rlnOpticsGroup")
    for key, column in {
        "defocus_u_angstrom": "rlnDefocusU",
        "defocus_v_angstrom": "rlnDefocusV",
        "defocus_angle_degrees": "rlnDefocusAngle",
        "voltage_kilovolts": "rlnVoltage",
        "spherical_aberration_millimetres": "rlnSphericalAberration",
        "amplitude_contrast": "rlnAmplitudeContrast",
        "half_set": "rlnRandomSubset",
    }.items():
        assert (key in batch) == (column in rows)
        if key in batch:
            np.testing.assert_array_equal(batch[key], rows[column].to_numpy(dtype=float))
    if "rlnAngleRot" in rows:
        angles = rows[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
        oracle = Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix()
        np.testing.assert_allclose(batch["pose"], oracle, atol=1e-14)
    if "rlnOriginXAngst" in rows:
        np.testing.assert_array_equal(batch["shift_angstrom"], -rows[["rlnOriginYAngst", "rlnOriginXAngst"]])
    expected = {
        "relion31": 2.806,
        "relion31.v2": 2.806,
        "empiar_10076_7": 5e4 / 38168,
        "toy_projections": 1.0,
    }
    np.testing.assert_allclose(batch["pixel_size_angstrom"], expected.get(name, 1.96))


@pytest.mark.real_data
def test_real_particles_are_the_same_through_star_and_cs(real_data: Path) -> None:
    folder = real_data / "caked" / "cryodrgn"
    star, records = (ParticleSource(folder / f"empiar_10076_7.{kind}") for kind in ("star", "cs"))
    indices = range(7)
    np.testing.assert_array_equal(star.read_batch(indices), records.read_batch(indices))
    np.testing.assert_array_equal(
        star.read_batch(indices), StackSource(folder / "empiar_10076_7.mrc").read_batch(indices)
    )
    ours, theirs = star.columns(indices), records.columns(indices)
    for key in ("defocus_u_angstrom", "defocus_v_angstrom", "defocus_angle_degrees", "pixel_size_angstrom"):
        np.testing.assert_allclose(ours[key], theirs[key], rtol=1e-6)  # the .cs file holds float32


@pytest.mark.real_data
def test_real_records_agree_with_numpy_and_cryodrgns_formulas(real_data: Path) -> None:
    path = real_data / "caked" / "cryodrgn" / "cryosparc_P12_J24_001_particles.cs"
    source = ParticleSource(path, missing="keep")
    records = np.load(path)
    columns = source.columns(range(len(records)))
    # cryoDRGN: the exponential of the vector, transposed; shifts stay (x, y) pixels that move the image.
    poses = Rotation.from_rotvec(records["alignments3D/pose"].astype(float)).as_matrix().transpose(0, 2, 1)
    np.testing.assert_allclose(columns["pose"], poses, atol=1e-12)
    moved = -records["alignments3D/shift"][:, ::-1].astype(float) * 2.95
    np.testing.assert_allclose(columns["shift_angstrom"], moved, rtol=1e-6)
    np.testing.assert_allclose(
        columns["defocus_angle_degrees"], np.degrees(records["ctf/df_angle_rad"].astype(float))
    )
    np.testing.assert_array_equal(columns["half_set"], records["alignments3D/split"] + 1)
    np.testing.assert_array_equal(columns["voltage_kilovolts"], records["ctf/accel_kv"])
    assert source.group(0) == records["blob/path"][0].decode()


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "count"), [("relion5", 17), ("relion31.6opticsgroups", 139)])
def test_real_tables_without_their_stacks_still_tell_what_they_know(
    name: str, count: int, real_data: Path
) -> None:
    path = real_data / "caked" / "cryodrgn" / f"{name}.star"
    with pytest.raises(SourceNotFoundError, match=rf"stacks? of .*{name}\.star cannot be found"):
        ParticleSource(path)
    source = ParticleSource(path, missing="keep")
    blocks = starfile.read(path)
    rows = blocks["particles"].merge(blocks["optics"], on="rlnOpticsGroup", how="left", suffixes=("", "_o"))
    columns = source.columns(range(count))
    np.testing.assert_array_equal(columns["optics_group"], rows["rlnOpticsGroup"])
    np.testing.assert_array_equal(columns["pixel_size_angstrom"][:, 0], rows["rlnImagePixelSize"])
    np.testing.assert_array_equal(columns["spherical_aberration_millimetres"], rows["rlnSphericalAberration"])


def test_flags_of_tilts_that_are_none_are_reported(project: Path) -> None:
    head = "data_particles\nloop_\n_rlnImageName\n_rlnTomoVisibleFrames\n2@Extract/a.mrcs "
    with pytest.raises(DamagedFileError, match=r"rlnTomoVisibleFrames of row 1 is '\[1,2\]'"):
        ParticleSource(_star(project, head + "[1,2]\n"))
    assert "visible_tilts" not in ParticleSource(_star(project, head + "[1,0]\n")).columns([0])  # one image


@pytest.mark.real_data
def test_real_subtomograms_as_stacks_of_tilts(real_data: Path) -> None:
    name = "warptools_test_4-tomos_10-ptcls_box-32_angpix-12"
    path = real_data / "caked" / "tomodrgn" / f"{name}.star"
    with pytest.raises(SourceNotFoundError, match="37 of 40 stacks of"):
        ParticleSource(path)
    source = ParticleSource(path, missing="drop")
    batch = Dataset(source).batch([0, 1, 2])
    assert batch["image"].shape == (3, 1, 37, 32, 32)
    blocks = starfile.read(path)
    rows = blocks["particles"].set_index("rlnImageName").loc[list(source.names)]
    assert batch["group"] == rows["rlnTomoName"].tolist()
    assert batch["pixel_size_angstrom"].tolist() == [[0.0, 12.0, 12.0]] * 3
    assert batch["shift_angstrom"].tolist() == [[0.0, 0.0, 0.0]] * 3
    angles = rows[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
    turned = Rotation.from_euler("ZYZ", angles, degrees=True).as_matrix().transpose(0, 2, 1)
    np.testing.assert_allclose(batch["pose"], turned, atol=1e-12)
    assert batch["visible_tilts"].tolist() == [json.loads(text) for text in rows["rlnTomoVisibleFrames"]]
    kept = TiltDrop(keep=30)(batch)
    assert bool((kept["visible_tilts"] == 1).all())
    assert kept["image"].shape == (3, 1, 30, 32, 32)
    for stack, image in zip((n for n in source.names), batch["image"], strict=True):
        np.testing.assert_array_equal(image[0], mrcfile.read(path.parent / stack).astype(np.float32))


@pytest.mark.real_data
def test_real_micrographs_have_the_ctf_of_their_table(real_data: Path) -> None:
    path = real_data / "caked" / "topaz" / "EMPIAR-10025_ctf_params.star"
    source = ParticleSource(path, missing="keep")
    rows = starfile.read(path)
    columns = source.columns(range(30))
    assert list(source.names) == list(rows["rlnMicrographName"])
    np.testing.assert_array_equal(columns["defocus_v_angstrom"], rows["rlnDefocusV"])
    assert (columns["defocus_v_angstrom"] > columns["defocus_u_angstrom"]).any()  # so are some files
    np.testing.assert_allclose(columns["pixel_size_angstrom"], 2.5e4 / 38023)


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "cryodrgn/toy_projections.mrcs",
        "cryodrgn/relion31.mrcs",
        "cryodrgn/hand.5.mrcs",
        "cryodrgn/empiar_10076_7.mrc",
        "cryodrgn/ay19102021_L3_position6_ribo_it09_bin8_1.82A.mrcs",
        "tomodrgn/tomogram_001.mrc",
        "tomodrgn/warptools_test_4-tomos_10-ptcls_box-32_angpix-12/Unt_050/Unt_050_12.00A_000001.mrcs",
    ],
)
def test_real_stacks_agree_with_mrcfile(name: str, real_data: Path) -> None:
    path = real_data / "caked" / name
    volume, stack = caked.FileSource(path), StackSource(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mrcfile.open(path, permissive=True) as file:
            np.testing.assert_array_equal(volume.read(0), file.data)
            chosen = [len(file.data) - 1, 0, len(file.data) // 2]
            np.testing.assert_array_equal(stack.read_batch(chosen), file.data[chosen])
            size = tuple(float(file.voxel_size[axis]) for axis in "zyx")
            assert volume.dtype(0) == file.data.dtype
    assert volume.pixel_size(0) == pytest.approx(size)
    assert stack.pixel_size(0) == pytest.approx(size[1:])
