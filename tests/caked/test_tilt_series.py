"""Tilt series: images, angles and doses, beside what other readers say."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path

import h5py
import mdocfile
import mrcfile
import numpy as np
import pytest
import starfile
import torch

import caked
from caked import (
    ArraySource,
    DamagedFileError,
    Dataset,
    InvalidOptionError,
    ParticleSource,
    RefusedFileError,
    ShapeError,
    SourceNotFoundError,
    TiltSeriesSource,
)
from caked.sources import source_from_dict
from mrc_vectors import mrc_bytes

TILTS = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
ANGLES = [0.0, 3.0, -3.0, 6.0, -6.0]


def _mdoc(
    folder: Path, name: str, count: int, *, more: str = "", sections: Sequence[int] | None = None
) -> Path:
    (folder / name).write_bytes(mrc_bytes(TILTS[:count]))
    text = "".join(
        f"[ZValue = {k}]\nTiltAngle = {ANGLES[k]}\nPixelSpacing = 2.5\nExposureDose = 3.0\n{more}\n"
        for k in sections or range(count)
    )
    path = folder / f"{name}.mdoc"
    path.write_text(f"PixelSpacing = 2.5\nImageFile = {name}\nImageSize = 7 6\nDataMode = 2\n\n{text}")
    return path


def test_mdoc_files_describe_series_of_unlike_lengths(tmp_path: Path) -> None:
    paths = [_mdoc(tmp_path, "TS_1.mrc", 5), _mdoc(tmp_path, "TS_2.mrc", 3)]
    source = TiltSeriesSource.from_mdoc(paths)

    assert list(source.names) == ["TS_1.mrc", "TS_2.mrc"]
    assert [source.shape(i) for i in range(2)] == [(5, 6, 7), (3, 6, 7)]
    np.testing.assert_array_equal(source.read(0), TILTS)
    np.testing.assert_array_equal(source.read(0, (slice(1, 4), slice(2, 5))), TILTS[1:4, 2:5])
    batch = Dataset(source, collate="pad").batch([1, 0])
    assert batch["image"].shape == (2, 1, 5, 6, 7)
    assert batch["spatial_shape"].tolist() == [[3, 6, 7], [5, 6, 7]]
    assert batch["tilt_angle_degrees"][1].tolist() == ANGLES
    assert torch.isnan(batch["tilt_angle_degrees"][0, 3:]).all()
    assert batch["dose_electrons_per_square_angstrom"][1].tolist() == [0.0, 3.0, 6.0, 9.0, 12.0]
    assert batch["pixel_size_angstrom"].tolist() == [[0.0, 2.5, 2.5]] * 2
    assert [
        len(angles) for angles in Dataset(source, collate="list").batch([0, 1])["tilt_angle_degrees"]
    ] == [5, 3]

    ordered = TiltSeriesSource.from_mdoc(paths[0], order="angle")
    np.testing.assert_array_equal(ordered.read(0), TILTS[[4, 2, 0, 1, 3]])
    assert ordered.meta(0)["tilt_angle_degrees"].tolist() == sorted(ANGLES)
    assert ordered.meta(0)["dose_electrons_per_square_angstrom"].tolist() == [12.0, 6.0, 0.0, 3.0, 9.0]
    again = pickle.loads(pickle.dumps(source_from_dict(ordered.to_dict())))
    assert again.digest() == ordered.digest()
    np.testing.assert_array_equal(again.read(0), ordered.read(0))


def test_doses_come_from_the_file_or_the_caller(tmp_path: Path) -> None:
    prior = _mdoc(tmp_path, "a.mrc", 2, more="PriorRecordDose = 7.0")
    key = "dose_electrons_per_square_angstrom"
    assert TiltSeriesSource.from_mdoc(prior).meta(0)[key].tolist() == [7.0, 7.0]
    assert TiltSeriesSource.from_mdoc(prior, dose_per_tilt=2.0).meta(0)[key].tolist() == [0.0, 2.0]


def test_the_dose_of_a_tilt_is_of_those_taken_before_it_wherever_the_file_lists_it(tmp_path: Path) -> None:
    source = TiltSeriesSource.from_mdoc(_mdoc(tmp_path, "a.mrc", 4, sections=[2, 0, 3, 1]))

    np.testing.assert_array_equal(source.read(0), TILTS[[2, 0, 3, 1]])
    assert source.meta(0)["tilt_angle_degrees"].tolist() == [-3.0, 0.0, 6.0, 3.0]
    assert source.meta(0)["dose_electrons_per_square_angstrom"].tolist() == [6.0, 0.0, 9.0, 3.0]


def test_mdoc_files_that_lead_nowhere_are_reported(tmp_path: Path) -> None:
    path = _mdoc(tmp_path, "a.mrc", 3)
    (tmp_path / "a.mrc").write_bytes(mrc_bytes(TILTS[:2]))
    with pytest.raises(DamagedFileError, match=r"image 3 of .*a\.mrc, which has 2: file .*a\.mrc\.mdoc"):
        TiltSeriesSource.from_mdoc(path)
    (tmp_path / "a.mrc").unlink()
    with pytest.raises(SourceNotFoundError, match=r"describes \['a\.mrc'\], which is not in"):
        TiltSeriesSource.from_mdoc(path)
    (tmp_path / "empty.mdoc").write_text("")
    with pytest.raises(DamagedFileError, match=r"empty\.mdoc is corrupted"):
        TiltSeriesSource.from_mdoc(tmp_path / "empty.mdoc")
    with pytest.raises(SourceNotFoundError, match="gone"):
        TiltSeriesSource.from_mdoc(tmp_path / "gone.mdoc")
    with pytest.raises(InvalidOptionError, match="list of files is empty"):
        TiltSeriesSource.from_mdoc([])
    path = _mdoc(tmp_path, "b.mrc", 3)
    with pytest.raises(InvalidOptionError, match="'stored', by 'angle' or 'dose'"):
        TiltSeriesSource.from_mdoc(path, order="size")  # type: ignore[arg-type]


def test_relion_5_lists_a_file_for_each_tilt(tmp_path: Path) -> None:
    (tmp_path / "tilt_series").mkdir()
    (tmp_path / "frames").mkdir()
    for k in range(3):
        (tmp_path / "frames" / f"t{k}.mrc").write_bytes(mrc_bytes(TILTS[k]))
    (tmp_path / "tilt_series.star").write_text(
        "data_global\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesStarFile\n_rlnVoltage\n_rlnTomoTiltSeriesPixelSize\n"
        "TS_1 tilt_series/TS_1.star 300 1.35\n"
    )
    (tmp_path / "tilt_series" / "TS_1.star").write_text(
        "data_TS_1\nloop_\n_rlnMicrographName\n_rlnTomoNominalStageTiltAngle\n_rlnMicrographPreExposure\n"
        "_rlnDefocusU\nframes/t2.mrc -3 4 21000\nframes/t0.mrc 0 0 20000\nframes/t1.mrc 3 2 20500\n"
    )
    source = TiltSeriesSource.from_star(tmp_path / "tilt_series.star")
    np.testing.assert_array_equal(source.read(0), TILTS[[2, 0, 1]])
    known = Dataset(source)[0]
    assert known["tilt_angle_degrees"].tolist() == [-3.0, 0.0, 3.0]
    assert known["dose_electrons_per_square_angstrom"].tolist() == [4.0, 0.0, 2.0]
    assert known["defocus_u_angstrom"].tolist() == [21000.0, 20000.0, 20500.0]
    assert known["voltage_kilovolts"].tolist() == [300.0] * 3
    assert known["pixel_size_angstrom"].tolist() == [0.0, 1.35, 1.35]
    by_dose = TiltSeriesSource.from_star(tmp_path / "tilt_series.star", order="dose")
    np.testing.assert_array_equal(by_dose.read(0), TILTS[[0, 1, 2]])
    (tmp_path / "frames" / "t1.mrc").unlink()
    with pytest.raises(SourceNotFoundError, match=r"TS_1\.star names frames/t1\.mrc"):
        TiltSeriesSource.from_star(tmp_path / "tilt_series.star")
    (tmp_path / "frames" / "t1.mrc").write_bytes(mrc_bytes(TILTS[1, :4]))
    with pytest.raises(ShapeError, match="Tilts of one series have one shape"):
        TiltSeriesSource.from_star(tmp_path / "tilt_series.star").shape(0)


def parakeet_file(path: Path, tilts: np.ndarray) -> Path:
    """An NXtomo file with the groups and arrays that Parakeet writes."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument").create_group("detector")
        detector["data"] = tilts
        detector["image_key"] = np.zeros(len(tilts))
        data = entry.create_group("data")
        data["data"] = detector["data"]
        data["tilt_alpha"] = np.array(ANGLES[: len(tilts)])
        data["dose"] = np.full(len(tilts), 2.5)
        data["pixel_size_x"] = np.full(len(tilts), 1.2)
    return path


def test_parakeets_files_are_series(tmp_path: Path) -> None:
    paths = [parakeet_file(tmp_path / "a.h5", TILTS), parakeet_file(tmp_path / "b.nxs", TILTS[:3] + 1)]
    source = TiltSeriesSource.from_nexus(paths)
    np.testing.assert_array_equal(source.read(1), TILTS[:3] + 1)
    np.testing.assert_array_equal(source.read(0, (slice(2, 4),)), TILTS[2:4])
    known = Dataset(source)[1]
    assert known["tilt_angle_degrees"].tolist() == ANGLES[:3]
    assert known["dose_electrons_per_square_angstrom"].tolist() == [0.0, 2.5, 5.0]
    assert known["pixel_size_angstrom"].tolist() == [0.0, 1.2, 1.2]
    again = source_from_dict(source.to_dict())
    np.testing.assert_array_equal(again.read(0), TILTS)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros((2, 2))
    with pytest.raises(RefusedFileError, match=r"other\.h5 has no tilt series"):
        TiltSeriesSource.from_nexus(tmp_path / "other.h5")


@pytest.mark.real_data
def test_a_real_mdoc_agrees_with_mdocfile(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "caked" / "mdocfile" / "tilt_series.mdoc"
    with pytest.raises(SourceNotFoundError, match=r"TS_01\.mrc"):
        TiltSeriesSource.from_mdoc(path)
    (tmp_path / "TS_01.mrc").write_bytes(mrc_bytes(np.zeros((41, 4, 4), np.int16)))
    source = TiltSeriesSource.from_mdoc(path, images=tmp_path, dose_per_tilt=1.7)
    table = mdocfile.read(path)
    known = source.meta(0)
    np.testing.assert_array_equal(known["tilt_angle_degrees"], table["TiltAngle"])
    np.testing.assert_allclose(known["dose_electrons_per_square_angstrom"], 1.7 * np.arange(41))
    assert source.pixel_size(0) == (0.0, 5.4, 5.4)
    assert "dose_electrons_per_square_angstrom" not in TiltSeriesSource.from_mdoc(path, images=tmp_path).meta(
        0
    )


@pytest.mark.real_data
def test_real_tilts_of_subtomograms_are_put_together_by_particle(real_data: Path) -> None:
    path = real_data / "caked" / "cryodrgn" / "sta_testing_bin8.star"
    images = ParticleSource(path, keep=["rlnGroupName"])
    source = TiltSeriesSource.from_images(images, caked.MetaLabels("rlnGroupName"))
    rows = starfile.read(path)
    counts = rows.groupby("rlnGroupName", sort=False).size()
    assert list(source.names) == list(counts.index)
    assert [source.shape(i)[0] for i in range(len(source))] == counts.tolist()
    batch = Dataset(source, collate="pad").batch(range(len(source)))
    assert batch["image"].shape == (6, 1, counts.max(), 64, 64)
    assert batch["pose"].shape == (6, counts.max(), 3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no "MAP " in its header
        with mrcfile.open(path.parent / source.images.meta(0)["path"], permissive=True) as file:
            stack = file.data
    np.testing.assert_array_equal(
        batch["image"][1, 0, : counts.iloc[1]], stack[counts.iloc[0] :][: counts.iloc[1]]
    )
    assert (
        batch["half_set"].tolist()
        == rows.groupby("rlnGroupName", sort=False)["rlnRandomSubset"].first().tolist()
    )
    np.testing.assert_array_equal(
        batch["defocus_u_angstrom"][0, : counts.iloc[0]], rows["rlnDefocusU"][: counts.iloc[0]]
    )


@pytest.mark.real_data
def test_real_projections_of_relion_4_tell_the_tilts(real_data: Path, tmp_path: Path) -> None:
    name = "warptools_test_4-tomos_10-ptcls_box-32_angpix-12_tomograms.star"
    original = real_data / "caked" / "tomodrgn" / name
    with pytest.raises(SourceNotFoundError, match=r"names dummy_tiltseries\.mrc"):
        TiltSeriesSource.from_star(original)
    (tmp_path / name).write_bytes(original.read_bytes())
    (tmp_path / "dummy_tiltseries.mrc").write_bytes(mrc_bytes(np.zeros((37, 4, 4), np.int16)))
    source = TiltSeriesSource.from_star(tmp_path / name)
    blocks = starfile.read(original)
    assert list(source.names) == list(blocks["global"]["rlnTomoName"])
    for i, tomogram in enumerate(source.names):
        rows, known = blocks[tomogram], source.meta(i)
        np.testing.assert_array_equal(
            known["dose_electrons_per_square_angstrom"], rows["rlnMicrographPreExposure"]
        )
        np.testing.assert_array_equal(known["defocus_v_angstrom"], rows["rlnDefocusV"])
        used = (rows["rlnCtfScalefactor"] > 0).to_numpy()  # Warp writes the cosine of the stage's tilt there
        stage = np.degrees(np.arccos(np.clip(rows["rlnCtfScalefactor"].to_numpy()[used], 0, 1)))
        turned = np.where(np.arange(len(stage)) < stage.argmin(), 1, -1) * stage  # listed from end to end
        # The projections were refined, tilt by tilt, and include how the specimen lies on the stage.
        assert np.corrcoef(known["tilt_angle_degrees"][used], turned)[0, 1] > 0.99


def test_a_series_whose_name_is_no_text_has_a_digest_too() -> None:
    """File systems give such names; everything else of a source takes them as they are."""
    images = ArraySource(np.zeros((2, 4, 4)))
    digests = {
        TiltSeriesSource.from_images(images, lambda name, end=end: f"ts_{end}").digest()
        for end in ("\udcff", "\udcfe")
    }
    assert len(digests) == 2
