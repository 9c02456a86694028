"""What entries, catalogues and sources show in a notebook: right numbers, escaped text, real pictures."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest
from imagecodecs import png_decode

from empiarreader import EmpiarCatalog, EmpiarEntry, EmpiarSource, InvalidRequestError
from empiarreader.thumbnails import make_thumbnail, shrink, to_grey
from mrc_vectors import mrc_bytes
from perc_archive import Archive

HOSTILE = '<script>alert("x")</script>&'
FILES = {f"data/square {k}/m{j}.mrc": b"x" for k in range(2) for j in range(3)}
RECORD = {
    "title": f"Movies {HOSTILE}",
    "dataset_size": "305.5 GB",
    "cross_references": ["EMD-3197"],
    "imagesets": [
        {
            "name": f"Set {HOSTILE}",
            "directory": "data",
            "num_images_or_tilt_series": 6,
            "pixel_width": 0.824,
            "image_width": "4096",
            "image_height": "3072",
        }
    ],
}


class Balanced(HTMLParser):
    """Collects text and tags, and finds tags that do not close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_an_entry_shows_what_it_is_and_what_it_holds(archive: Archive) -> None:
    archive.add_entry(10943, FILES, RECORD)
    page = Balanced(EmpiarEntry(10943)._repr_html_())

    assert "script" not in page.tags
    assert f"EMPIAR-10943: Movies {HOSTILE}" in page.text
    for shown in ("305.5 GB", "EMD-3197", f"Set {HOSTILE}", "4096 × 3072", "0.824 Å", "square 0/ (…)"):
        assert shown in page.text
    assert len(archive.requests()) == 3  # metadata, the entry, data


def test_an_entry_whose_archive_is_down_still_shows_its_metadata(archive: Archive) -> None:
    archive.add_entry(10943, FILES, RECORD)
    archive.add_fault("status", match="ftp.ebi.ac.uk/*", status=404, times=None)

    assert "305.5 GB" in Balanced(EmpiarEntry(10943)._repr_html_()).text


def test_a_tree_counts_files_as_deep_as_asked(archive: Archive) -> None:
    archive.add_entry(10943, {**FILES, "data/one.txt": b"1"})
    entry = EmpiarEntry(10943)

    assert str(entry.tree("data", depth=2)) == (
        "data/  (1 file)\n  square 0/  (3 files)\n  square 1/  (3 files)"
    )
    assert str(entry.tree("data", depth=1)) == "data/  (1 file)\n  square 0/  (…)\n  square 1/  (…)"
    assert entry.tree("data").branches[0].files == 3  # type: ignore[index]


def test_a_catalogue_and_a_source_show_themselves(archive: Archive) -> None:
    archive.add_entry(10943, FILES, RECORD)
    catalogue = EmpiarCatalog(10943)
    source = EmpiarSource(10943, "data", filename="**/*.mrc")

    shown = Balanced(catalogue._repr_html_()).text
    for text in (f"EMPIAR-10943: Movies {HOSTILE}", "305.5 GB", f"Set {HOSTILE}"):
        assert text in shown
    page = Balanced(source._repr_html_()).text
    for text in ("6 (pattern '**/*.mrc')", "about 6 B", "square 0/ (3 files)", "… and 1 more"):
        assert text in page
    assert f"Set {HOSTILE}" in Balanced(catalogue[f"Set {HOSTILE}"]._repr_html_()).text


def test_of_many_directories_the_first_are_shown(archive: Archive) -> None:
    archive.add_entry(10943, {f"data/s{k:03}/m.mrc": b"x" for k in range(50)}, RECORD)
    page = Balanced(EmpiarSource(10943, "data", filename="**/*.mrc")._repr_html_()).text

    assert "s019/ (1 file)" in page
    assert "s020/ (1 file)" not in page
    assert "… and 30 more" in page


def test_a_thumbnail_is_the_middle_section_averaged_and_stretched(archive: Archive) -> None:
    ramp = np.linspace(-3, 7, 3 * 64 * 96, dtype=np.float32).reshape(3, 64, 96)
    archive.add_entry(10943, {"data/a.mrcs": mrc_bytes(ramp)})
    picture = EmpiarSource(10943, "data").thumbnail(size=48)
    grey = png_decode(picture.png)

    expected = ramp[1].reshape(32, 2, 48, 2).mean(axis=(1, 3))
    low, high = np.percentile(expected, [1, 99])
    np.testing.assert_allclose(grey, np.clip((expected - low) / (high - low), 0, 1) * 255, atol=1.01)
    assert picture._repr_png_() == picture.png
    assert picture._repr_html_().startswith("<img ")
    assert sum(request.body_bytes_sent for request in archive.requests("*a.mrcs")) == 1024 + 64 * 96 * 4


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (7, 1), (1, 9), (300, 7)])
def test_pictures_of_any_shape_fit_the_size(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).normal(size=shape)
    small = shrink(pixels, 4)

    assert max(small.shape) <= 4
    assert min(small.shape) >= 1
    assert pixels.min() <= small.min() <= small.max() <= pixels.max()


def test_constant_and_broken_images_make_a_picture() -> None:
    assert to_grey(np.full((2, 2), 3.0)).tolist() == [[0, 0], [0, 0]]
    assert to_grey(np.full((1, 2), np.nan)).tolist() == [[0, 0]]


def test_what_is_no_picture_is_refused(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": mrc_bytes(np.zeros((4, 4), np.float32))})
    image = EmpiarSource(10943, "data").read_partition(0)

    with pytest.raises(InvalidRequestError, match="1 to 4096"):
        make_thumbnail(image, size=0)
    with pytest.raises(InvalidRequestError, match="no picture"):
        make_thumbnail(image[:0])
    with pytest.raises(InvalidRequestError, match="no picture"):
        make_thumbnail(image[0])
