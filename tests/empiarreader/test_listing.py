"""Directory pages: recordings of Apache, and text that nobody meant."""

from __future__ import annotations

import html
import string
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader.addresses import decode_path, encode_path
from empiarreader.listing.pages import ListedItem, apparatus_links, is_listing, parse_listing

STYLES = ("htmltable_default_width", "htmltable_star", "plain_ul", "pre")
ODD_NAMES = {
    "日本語.mrc": False,
    ".hidden.star": False,
    "100%.mrc": False,
    "20180813_β": True,
    "C=N;O=D": False,
    "amp&amp.star": False,
    "at@sign.eer": False,
    "backslash\\x.tif": False,
    "colon:time_10:12:33.mdoc": False,
    "comma,brackets[1](2){3}.tif": False,
    "dir#hash": True,
    'dquote".mrc': False,
    "e\u0301_decomposed.mrc": False,
    "equals=amp&plus+.tif": False,
    "less<than>.mrc": False,
    "percent%20literal.tif": False,
    "question?.mrc": False,
    "quote's.mrc": False,
    "semi;colon.mrc": False,
    "star*.mrc": False,
    "sub dir": True,
    "trailing.dot.": False,
    "with space.mrc": False,
}


def _recording(real_data: Path, style: str) -> str:
    return (real_data / "empiar" / "listing" / f"apache24_{style}.html").read_text("utf-8")


@pytest.mark.real_data
@pytest.mark.parametrize("style", STYLES)
def test_every_name_of_a_recorded_page_comes_out_as_it_is_on_disk(real_data: Path, style: str) -> None:
    items = {item.name: item for item in parse_listing(_recording(real_data, style))}

    assert {name: items[name].is_directory for name in ODD_NAMES} == ODD_NAMES
    assert len(items) == 52
    assert max(len(name) for name in items) == 180  # the text beside the link is cut short, the name is not


@pytest.mark.real_data
def test_the_three_layouts_list_the_same(real_data: Path) -> None:
    names = [
        [(item.name, item.is_directory) for item in parse_listing(_recording(real_data, style))]
        for style in STYLES
    ]

    assert names[0] == names[1] == names[2] == names[3]


@pytest.mark.real_data
@pytest.mark.parametrize("style", ["htmltable_default_width", "htmltable_star", "pre"])
def test_sizes_are_known_as_far_as_the_page_shows_them(real_data: Path, style: str) -> None:
    items = {item.name: item for item in parse_listing(_recording(real_data, style))}
    shown = {name: items[name].approximate_size_bytes for name in items if name.startswith("size_")}

    assert shown["size_0.bin"] == 0
    assert shown["size_457.bin"] == 457
    assert shown["size_1024.bin"] == 1024
    assert shown["size_9999.bin"] == round(9.8 * 1024)
    assert shown["size_10239.bin"] == 10 * 1024
    assert shown["size_543M.mrc"] == 543 * 1024**2
    assert shown["size_1.9T.zip"] == round(1.9 * 1024**4)
    assert items["plain.mrc"].modified == "2022-02-07 00:00"
    assert items["sub dir"].approximate_size_bytes is None


@pytest.mark.real_data
def test_the_links_that_lead_to_no_file_are_kept_apart(real_data: Path) -> None:
    page = _recording(real_data, "htmltable_star")

    assert apparatus_links(page) == (
        "?C=N;O=D",
        "?C=M;O=A",
        "?C=S;O=A",
        "?C=D;O=A",
        "/empiar/world_availability/99905/data/",
    )
    assert is_listing(page)


def test_links_that_leave_the_directory_are_ignored() -> None:
    hrefs = [
        "../", "..", "/etc/passwd", "https://elsewhere/a.mrc", "//elsewhere/a.mrc", "javascript:alert(1)",
        "mailto:a@b", "%2e%2e/", "..%2f..%2fetc", "a%2fb.mrc", "sub/../../x", "sub/deep.mrc", "#top",
        "?C=N;O=D", "a.mrc?x=1", "", "./", ".", "nul%00.mrc", "./../up.mrc",
    ]  # fmt: skip
    page = "".join(f'<a href="{href}">x</a>\n' for href in hrefs)

    assert parse_listing(page + '<a href="real.mrc">real.mrc</a>') == (
        ListedItem(name="real.mrc", is_directory=False),
    )


def test_a_name_that_is_not_utf8_keeps_its_bytes() -> None:
    (item,) = parse_listing('<a href="caf%e9.mrc">caf\ufffd.mrc</a>')

    assert encode_path(item.name) == "caf%E9.mrc"


def test_a_name_listed_twice_is_one_file() -> None:
    assert len(parse_listing('<a href="a.mrc">a</a><a href="a.mrc">a</a>')) == 1


def test_single_quotes_and_capitals_in_the_markup_are_fine() -> None:
    assert [item.name for item in parse_listing("<A HREF='a&#39;b.mrc'>x</A>")] == ["a'b.mrc"]


@given(st.lists(st.text(min_size=1).filter(lambda name: "/" not in name and "\0" not in name), unique=True))
def test_any_name_survives_the_way_through_a_page(names: list[str]) -> None:
    proper = [name for name in names if name not in {".", ".."} and _is_unicode(name)]
    # A colon early in a name would look like a scheme; Apache writes "./" before it.
    page = "".join(f'<a href="./{html.escape(encode_path(name))}">x</a>' for name in proper)

    assert [item.name for item in parse_listing(page)] == sorted(proper)


def _is_unicode(name: str) -> bool:
    return all(not 0xD800 <= ord(character) <= 0xDFFF for character in name)


@given(st.text(alphabet=string.printable + "<>&\"'=/?#%.äλ日", max_size=400))
def test_any_text_at_all_lists_something_or_nothing(page: str) -> None:
    for item in parse_listing(page):
        assert item.name not in {"", ".", ".."}
        assert "/" not in item.name


@given(st.text())
def test_encoding_and_decoding_a_path_are_inverse(text: str) -> None:
    if _is_unicode(text):
        assert decode_path(encode_path(text)) == text


@pytest.mark.parametrize(
    "page",
    ["<a " * 200_000, '<a href="' * 100_000, "<a href='x'>" * 100_000, "<" * 500_000, "&#" * 300_000],
    ids=["tags", "quotes", "links", "brackets", "entities"],
)
def test_a_hostile_page_takes_time_as_it_is_long(page: str) -> None:
    assert _seconds(page) < 100 * _seconds(page[: len(page) // 20])  # squared it would be 400


def test_twenty_thousand_files_take_twenty_times_what_a_thousand_take() -> None:
    rows = [
        f'<tr><td><a href="FoilHole_{k:05d}_fractions.tiff">FoilHole_{k:05d}_fractions.tiff</a></td>'
        '<td align="right">2022-02-07 00:00  </td><td align="right">543M</td><td>&nbsp;</td></tr>\n'
        for k in range(20_000)
    ]
    few, many = (f"<title>Index of /data</title>{''.join(rows[:count])}" for count in (1000, 20_000))

    assert len(parse_listing(many)) == 20_000
    assert _seconds(many) < 100 * _seconds(few)


def _seconds(page: str) -> float:
    """Return the processor time that it takes to parse a page, which other programs do not add to."""
    taken = []
    for _ in range(3):
        began = process_time()
        parse_listing(page)
        taken.append(process_time() - began)
    return min(taken)
