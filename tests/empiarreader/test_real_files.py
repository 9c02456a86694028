"""Every file in the folder of real ones: by path and by address as the reader of its own field reads it."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mdocfile
import mrcfile
import numpy as np
import pandas
import pytest
import starfile
import tifffile
import yaml  # type: ignore[import-untyped]
from PIL import Image

from empiarreader import DamagedDataError, EmpiarEntry, open_image, open_table
from empiarreader.metadata.entry_xml import read_entry_xml
from empiarreader.metadata.records import read_imagesets
from perc_archive import Archive

pytestmark = pytest.mark.real_data

HOST = "ftp.ebi.ac.uk"
ANGSTROM = {"µm": 1e4, "nm": 10.0, "pm": 0.01}
Array = np.ndarray[Any, Any]
Reference = tuple[Array, tuple[float, float, float]]  # values; Å along z, y and x, 0.0 where it is not known


def _with_mrcfile(path: Path) -> Reference:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mrcfile.open(path, permissive=True) as theirs:
            values, size = np.array(theirs.data), theirs.voxel_size
    if path.name == "EMD-3001.map":
        values = np.transpose(values, (2, 0, 1))  # stored as y, x, z; the size is by name
    return values, (float(size.z), float(size.y), float(size.x))


def _with_rosetta(path: Path, module: str) -> tuple[Array, dict[str, float]]:
    from importlib import import_module

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = import_module(f"rsciio.{module}").file_reader(str(path))[0]
    sizes = {axis["name"]: float(axis["scale"]) * ANGSTROM.get(axis["units"], 0.0) for axis in found["axes"]}
    return found["data"], sizes


def _with_tifffile(path: Path) -> Reference:
    _, sizes = _with_rosetta(path, "tiff")
    return tifffile.imread(path), (0.0, sizes["height"], sizes["width"])


def _with_pillow(path: Path) -> Reference:
    with Image.open(path) as image:
        return np.array(image), (0.0, 0.0, 0.0)


def _with_ncempy(path: Path) -> Reference:
    from ncempy.io import dm, ser

    if path.suffix == ".ser":
        found = ser.serReader(str(path))
        x, y = (size * 1e10 for size in found["pixelSize"])
        return found["data"], (0.0, y, x)
    found = dm.dmReader(str(path))
    assert set(found["pixelUnit"]) <= {"", b""}
    return found["data"], (0.0, 0.0, 0.0)


def _velox(path: Path) -> Reference:
    values, sizes = _with_rosetta(path, "emd")
    return values, (0.0, sizes["y"], sizes["x"])


IMAGES: dict[str, Callable[[Path], Reference]] = {
    "mrc/*": _with_mrcfile,
    "tiff/*.tif": _with_tifffile,
    "other/*.spi": _with_pillow,
    "other/*.dm[34]": _with_ncempy,
    "other/*.ser": _with_ncempy,
    "other/*.emd": _velox,
}


def _with_numpy(*columns: str) -> Callable[[Path], dict[str, pandas.DataFrame]]:
    def read(path: Path) -> dict[str, pandas.DataFrame]:
        values = np.loadtxt(path, ndmin=2).reshape(-1, len(columns))
        return {"": pandas.DataFrame(values, columns=list(columns))}

    return read


def _with_starfile(path: Path) -> dict[str, pandas.DataFrame]:
    blocks = starfile.read(path, always_dict=True)
    return {
        name: block if isinstance(block, pandas.DataFrame) else pandas.DataFrame([block])
        for name, block in blocks.items()
    }


def _load_cs(path: Path) -> dict[str, pandas.DataFrame]:
    rows = np.load(path, allow_pickle=False)
    columns: dict[str, Array] = {}
    for name in rows.dtype.names:
        values = rows[name].astype(str) if rows.dtype[name].kind == "S" else rows[name]
        parts = values.reshape(len(rows), -1).T
        columns |= {name if values.ndim == 1 else f"{name}/{k}": part for k, part in enumerate(parts)}
    return {"": pandas.DataFrame(columns)}


def _with_mdocfile(path: Path) -> dict[str, pandas.DataFrame]:
    return {"": mdocfile.read(path)}


TABLES: dict[str, Callable[[Path], dict[str, pandas.DataFrame]]] = {
    "star/*.star": _with_starfile,
    "meta/*.cbox": _with_starfile,
    "meta/*.cs": _load_cs,
    "meta/*.mdoc": _with_mdocfile,
    "meta/*.tlt": _with_numpy("tilt_angle"),
    "meta/*.xf": _with_numpy("a11", "a12", "a21", "a22", "dx", "dy"),
    "meta/*.box": _with_numpy("x_corner", "y_corner", "width", "height"),
}


@pytest.fixture
def folder(real_data: Path) -> Path:
    return real_data / "empiar"


def _matching(folder: Path, *kinds: dict[str, Any]) -> dict[Path, Any]:
    return {path: read for kind in kinds for pattern, read in kind.items() for path in folder.glob(pattern)}


def test_no_file_of_the_folder_is_left_out(folder: Path) -> None:
    read = {
        *_matching(folder, IMAGES, TABLES, dict.fromkeys(RECORDS), dict.fromkeys(NAMES)),
        *(folder / "listing").glob("apache24_*.html"),  # see test_listing.py
        folder / "api/empiar_deposition.schema.json",  # see test_metadata.py
        folder / "SOURCES.md",
    }
    assert sorted(read) == sorted(path for path in folder.rglob("*") if path.is_file())


def test_every_image_is_as_its_reference_reader_reads_it(
    folder: Path, archive: Archive, tmp_path: Path
) -> None:
    for path, read in _matching(folder, IMAGES).items():
        if ".head." in path.name:
            path = _completed(path, tmp_path)
        values, size = read(path)
        archive.add_file(HOST, f"pub/{path.name}", path)
        for location in (path, archive.url(HOST, f"pub/{path.name}")):
            image = open_image(location)
            assert image.shape == values.shape, path.name
            assert image.dtype == values.dtype.newbyteorder("="), path.name
            np.testing.assert_array_equal(image.values, values, path.name)
            np.testing.assert_array_equal(image[-1].values, values[-1], path.name)
            assert tuple(image.voxel_size) == pytest.approx(size, rel=1e-6), path.name


def _completed(path: Path, folder: Path) -> Path:
    """Return a copy of the head of a file with zeros for the pixels that were cut off."""
    with path.open("rb") as file:
        x, y, sections, mode, *_, extended = np.frombuffer(file.read(96), "<i4")
    assert mode == 6  # two bytes a pixel
    with pytest.raises(DamagedDataError, match="cut short"):
        open_image(path)
    whole = folder / path.name
    whole.write_bytes(path.read_bytes())
    with whole.open("r+b") as file:
        file.truncate(1024 + int(extended) + 2 * int(x) * int(y) * int(sections))
    return whole


def test_every_table_is_as_its_reference_reader_reads_it(folder: Path, archive: Archive) -> None:
    for path, read in _matching(folder, TABLES).items():
        expected = read(path)
        archive.add_file(HOST, f"pub/{path.name}", path)
        for location in (path, archive.url(HOST, f"pub/{path.name}")):
            found = open_table(location)
            blocks = found if isinstance(found, dict) else {"": found}
            assert list(blocks) == list(expected), path.name
            for name, block in expected.items():
                _assert_same(blocks[name], block, path.name)


def _assert_same(ours: pandas.DataFrame, theirs: pandas.DataFrame, name: str) -> None:
    if name.endswith(".mdoc"):  # mdocfile repeats in every row what is said of all, and has types of its own
        theirs = theirs.drop(columns=["DataMode", "ImageFile", "ImageSize", "titles"])
        assert sorted(ours.columns) == sorted(theirs.columns)
        same = [a == b or str(a) == str(b) for k in theirs for a, b in zip(ours[k], theirs[k], strict=True)]
        assert all(same)
        return
    assert [column for column in ours.columns if column in theirs.columns] == list(theirs.columns), name
    pandas.testing.assert_frame_equal(
        ours[list(theirs.columns)], theirs, check_dtype=not name.endswith(".cs")
    )
    assert len(ours.columns) == len(theirs.columns) or name.endswith(".box"), name  # with centres besides


def _xml(path: Path) -> None:
    record = read_entry_xml(path.read_bytes(), name=path.name)
    titles = [part.text for part in ElementTree.parse(path).iter() if part.tag.endswith("}title")]
    assert record["title"] in titles
    assert len(read_imagesets(record)) == 1


def _catalogue(path: Path) -> None:
    """Check an imageset as the first version of this library wrote it down."""
    ((name, source),) = yaml.safe_load(path.read_text()).items()
    (imageset,) = read_imagesets({"imagesets": [source["args"]["imageset_metadata"]]})
    assert (imageset.name, imageset.directory) == (name, "data/Tiff")
    assert (imageset.count, imageset.frames_per_image, imageset.pixel_width_angstrom) == (4000, 34, 0.824)
    assert (imageset.image_width, imageset.image_height, imageset.frame_range) == (None, None, None)


def _bioimage_archive(path: Path) -> None:
    (record,) = json.loads(path.read_text()).values()
    imagesets = read_imagesets(record)
    assert [imageset.name for imageset in imagesets] == [entry["name"] for entry in record["imagesets"]]


def _deposition_form(path: Path) -> None:
    """Check the example; see test_metadata.py for what its codes stand for."""
    record = json.loads(path.read_text())
    assert len(read_imagesets(record)) == len(record["imagesets"]) > 0


def _description_of_the_api(path: Path) -> None:
    """Check that every field of an imageset that the archive describes is one of ours."""
    fields = json.loads(path.read_text())["definitions"]["Imageset"]["properties"]
    record = {name: f"7{number:02}" for number, name in enumerate(fields)}
    (imageset,) = read_imagesets({"imagesets": [{**record, "frame_range_max": "799"}]})
    seen = str(imageset)
    assert [name for name, value in record.items() if value not in seen] == []


RECORDS: dict[str, Callable[[Path], None]] = {
    "api/10934.xml": _xml,
    "api/EMPIAR-10943_imageset_from_notebook.yaml": _catalogue,
    "api/bia_EMPIAR-*.json": _bioimage_archive,
    "api/empiar_deposition_example.json": _deposition_form,
    "api/empiar_openapi_2020.json": _description_of_the_api,
}


def test_every_record_is_read(folder: Path) -> None:
    for path, check in _matching(folder, RECORDS).items():
        check(path)


NAMES = {
    "listing/EMPIAR-10002_tree.json": r'"([^"]+\.(?:mrcs?|txt|xml))"',
    "listing/EMPIAR-10326_file_references.json": r'"file_path": "([^"]+)"',
    "listing/EMPIAR-12104_cets.json": r"/12104/(data/[^\"]+)",
    "listing/bandbox_bad_and_good_trees.txt": r"(?m)^(.+)$",
}


def test_every_name_of_real_trees_survives_the_way_through_the_archive(
    folder: Path, archive: Archive
) -> None:
    for number, (path, pattern) in enumerate(_matching(folder, NAMES).items(), 10001):
        names = set(re.findall(pattern, path.read_text()))
        assert len(names) >= 10, path.name
        archive.add_entry(number, {f"data/{name}": b"x" for name in names})
        found = {file.path for file in EmpiarEntry(number).find("data/**")}
        assert found == {f"data/{name}" for name in names}, path.name
