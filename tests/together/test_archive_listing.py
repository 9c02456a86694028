"""Directory listings: byte for byte what Apache wrote, and names that survive the way there and back."""

from __future__ import annotations

import html
import html.parser
import os
import re
import time
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from perc_archive import Archive, ArchiveError
from perc_archive.listing import STYLES, ListedFile, escape_path, format_size, natural_key, render

HOST = "ftp.ebi.ac.uk"
RECORDED = {
    "table": "apache24_htmltable_star.html",
    "table-truncated": "apache24_htmltable_default_width.html",
    "pre": "apache24_pre.html",
    "ul": "apache24_plain_ul.html",
}
# Bytes of the files that the recordings show in rounded form; all others hold 7.
SIZES = {
    "size_0.bin": 0,
    "size_457.bin": 457,
    "size_1023.bin": 1023,
    "size_1024.bin": 1024,
    "size_9999.bin": 9999,
    "size_10239.bin": 10_239,
    "size_54M.mrc": 56_900_000,
    "size_543M.mrc": 569_560_224,
    "size_999M.mrc": 999 << 20,
    "size_1023M.mrc": 1023 << 20,
    "size_1G.mrc": 1 << 30,
    "size_9.9G.mrcs": int(9.9 * (1 << 30)),
    "size_1.9T.zip": int(1.9 * (1 << 40)),
    "size_16T.bin": 16 * 10**12,
}


class Links(html.parser.HTMLParser):
    """Links of a page with their texts, by Python's own parser."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self._open: str | None = None
        self.feed(page.decode("utf-8", errors="surrogateescape"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._open = dict(attrs)["href"] or ""
            self.found[self._open] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self.found[self._open] += data

    def names(self) -> list[str]:
        """Decoded names of the files and directories, in order."""
        hrefs = [href for href in self.found if not href.startswith(("?", "/"))]
        return [unquote(href.removeprefix("./"), errors="surrogateescape") for href in hrefs]


def recorded_files(page: bytes) -> list[ListedFile]:
    """Files of the recorded directory, by the names in one of its recordings."""
    recorded_at = time.mktime((2022, 2, 7, 0, 0, 0, 0, 0, -1))
    return [
        ListedFile(
            name=name.rstrip("/"),
            is_folder=name.endswith("/"),
            size_bytes=SIZES.get(name, 7),
            modified=recorded_at,
        )
        for name in Links(page).names()
    ]


@pytest.mark.real_data
@pytest.mark.parametrize("style", STYLES)
def test_a_listing_is_byte_for_byte_what_apache_wrote(real_data: Path, style: str) -> None:
    folder = real_data / "empiar/listing"
    files = recorded_files((folder / RECORDED["table"]).read_bytes())
    assert len(files) == 52
    shuffled = sorted(files, key=lambda file: file.name[::-1])
    page = render("/empiar/world_availability/99905/data/odd names/", shuffled, style=style)
    assert page == (folder / RECORDED[style]).read_bytes()


@pytest.mark.real_data
def test_the_server_lists_the_recorded_names_as_apache_did(archive: Archive, real_data: Path) -> None:
    page = (real_data / "empiar/listing" / RECORDED["table"]).read_bytes()
    folder = "empiar/world_availability/99905/data/odd names"
    for file in recorded_files(page):
        archive.add_file(HOST, f"{folder}/{file.name}{'/x' * file.is_folder}", b"1234567")
    answer = requests.get(archive.url(HOST, folder + "/"), timeout=10)
    hrefs = re.findall(rb'href="([^"?][^"]*)"', answer.content)
    assert hrefs[1:] == re.findall(rb'href="([^"?][^"]*)"', page)[1:]
    assert hrefs[0] == b"/ftp.ebi.ac.uk/empiar/world_availability/99905/data/"
    assert answer.headers["Content-Type"] == "text/html;charset=ISO-8859-1"


# Any bytes that may be a name on Linux: all but the slash and NUL, at most 255 of them, and not "." or "..".
NAMES = (
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60)
    .map(lambda name: name.encode()[:200].decode(errors="ignore"))
    .filter(lambda name: name not in ("", ".", ".."))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@example(names={"C=N;O=D", "?C=N;O=D", "a&amp;b", "./x".replace("/", ":"), "q'\"<>", " lead", "trail ", "\n"})
@given(names=st.sets(NAMES, min_size=1, max_size=6))
def test_every_name_leads_back_to_its_file(archive: Archive, names: set[str]) -> None:
    archive.clear()
    for name in names:
        archive.add_file(HOST, f"pub/{name}", name.encode())
    address = archive.url(HOST, "pub/")
    page = requests.get(address, timeout=10).content
    links = [html.unescape(href) for href in re.findall(r'<td><a href="([^"]+)"', page.decode())[1:]]
    assert {unquote(link.removeprefix("./")) for link in links} == names
    for link in links:
        got = requests.get(address + link.removeprefix("./"), timeout=10)  # urljoin loses a ";"
        assert got.content.decode() == unquote(link.removeprefix("./"))


def test_names_that_are_no_unicode_survive(archive: Archive) -> None:
    name = os.fsdecode(b"latin-1-\xe9.mrc")
    archive.add_file(HOST, f"pub/{name}", b"x")
    page = requests.get(archive.url(HOST, "pub/"), timeout=10).content
    assert b'href="latin-1-%e9.mrc">latin-1-\xe9.mrc</a>' in page
    assert requests.get(f"{archive.base_url}/{HOST}/pub/latin-1-%e9.mrc", timeout=10).content == b"x"


@given(st.lists(NAMES, max_size=30))
def test_quoting_leaves_only_what_apache_leaves(names: list[str]) -> None:
    for name in names:
        quoted = escape_path(name)
        assert re.fullmatch(r"(\./)?([A-Za-z0-9$\-_.+!*'(),:;@&=~]|%[0-9a-f]{2})+", quoted)
        assert unquote(quoted.removeprefix("./") if ":" in name else quoted) == name


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "  0 "),
        (972, "972 "),
        (973, "1.0K"),
        (1023, "1.0K"),
        (1536, "1.5K"),
        (9999, "9.8K"),
        (10_188, "9.9K"),
        (10_189, " 10K"),
        (569_560_224, "543M"),
        (56_900_000, " 54M"),
        (999 << 20, "1.0G"),
        (1 << 50, "1.0P"),
    ],
)
def test_sizes_are_rounded_to_four_characters(size: int, shown: str) -> None:
    assert format_size(size) == shown


def compare_as_apache(a: bytes, b: bytes) -> int:
    """apr_strnatcmp, step by step: digits by value, spaces skipped, other bytes signed."""
    i = j = 0
    while True:
        while a[i : i + 1].isspace():
            i += 1
        while b[j : j + 1].isspace():
            j += 1
        p, q = re.match(rb"[0-9]*", a[i:]), re.match(rb"[0-9]*", b[j:])
        assert p is not None
        assert q is not None
        if p[0] and q[0]:
            if not p[0].startswith(b"0") and not q[0].startswith(b"0") and len(p[0]) != len(q[0]):
                return -1 if len(p[0]) < len(q[0]) else 1
            if p[0] != q[0]:
                return -1 if p[0] < q[0] else 1
        x, y = (int.from_bytes(side, "big", signed=True) for side in (a[i : i + 1], b[j : j + 1]))
        if not a[i : i + 1] and not b[j : j + 1]:
            return 0
        if x != y:
            return -1 if x < y else 1
        i, j = i + 1, j + 1


@given(*[st.text("ab019 .é~", max_size=8)] * 2)
def test_the_order_is_that_of_apaches_version_sort(first: str, second: str) -> None:
    expected = compare_as_apache(first.encode(), second.encode())
    a, b = natural_key(first), natural_key(second)
    assert (a > b) - (a < b) == expected


@pytest.fixture
def folder(archive: Archive) -> Archive:
    for name, size, moment in (("b.mrc", 5000, 300), ("a10.mrc", 10, 100), ("a9.mrc", 200, 200)):
        archive.add_file(HOST, f"pub/data/{name}", bytes(size))
        os.utime(archive.folder / HOST / "pub/data" / name, (moment, moment))
    archive.add_file(HOST, "pub/data/sub/x", b"")
    os.utime(archive.folder / HOST / "pub/data/sub", (50, 50))
    return archive


@pytest.mark.parametrize(
    ("query", "order", "links"),
    [
        ("", ["a9.mrc", "a10.mrc", "b.mrc", "sub/"], ["C=N;O=D", "C=M;O=A", "C=S;O=A", "C=D;O=A"]),
        ("C=N;O=D", ["sub/", "b.mrc", "a10.mrc", "a9.mrc"], ["C=N;O=A", "C=M;O=A", "C=S;O=A", "C=D;O=A"]),
        ("C=M;O=A", ["sub/", "a10.mrc", "a9.mrc", "b.mrc"], ["C=N;O=A", "C=M;O=D", "C=S;O=A", "C=D;O=A"]),
        ("C=S;O=D", ["b.mrc", "a9.mrc", "a10.mrc", "sub/"], ["C=N;O=A", "C=M;O=A", "C=S;O=A", "C=D;O=A"]),
        ("C=X;O=9", ["a9.mrc", "a10.mrc", "b.mrc", "sub/"], ["C=N;O=D", "C=M;O=A", "C=S;O=A", "C=D;O=A"]),
    ],
)
def test_sort_links_sort(folder: Archive, query: str, order: list[str], links: list[str]) -> None:
    page = requests.get(f"{folder.url(HOST, 'pub/data/')}?{query}", timeout=10).content
    assert Links(page).names() == order
    assert re.findall(rb'href="\?([^"]+)"', page) == [link.encode() for link in links]


def test_every_style_lists_the_same_names(folder: Archive) -> None:
    pages = {}
    for style in STYLES:
        folder.listing_style = style
        assert folder.listing_style == style
        pages[style] = requests.get(folder.url(HOST, "pub/data/"), timeout=10).content
        assert Links(pages[style]).names() == ["a9.mrc", "a10.mrc", "b.mrc", "sub/"]
    assert len(set(pages.values())) == 4
    assert b"<table>" in pages["table"]
    assert b"<pre>" in pages["pre"]
    assert b"<ul>" in pages["ul"]
    with pytest.raises(ArchiveError, match="no listing style is called 'json'"):
        folder.listing_style = "json"
    folder.clear()
    assert folder.listing_style == "table"


def test_a_directory_without_its_slash_moves_to_where_it_has_one(folder: Archive) -> None:
    folder.add_file(HOST, "pub/a b:c/x", b"")
    for path, target in (("pub/data", "pub/data/"), ("pub/a b:c", "pub/a%20b:c/")):
        answer = requests.get(folder.url(HOST, path), allow_redirects=False, timeout=10)
        assert (answer.status_code, answer.headers["Location"]) == (301, f"{folder.base_url}/{HOST}/{target}")
        assert requests.get(folder.url(HOST, path), timeout=10).status_code == 200


def test_the_parent_link_leads_up_and_missing_places_are_apaches_404(folder: Archive) -> None:
    page = requests.get(folder.url(HOST, "pub/data/"), timeout=10).content
    parent = next(href for href, text in Links(page).found.items() if text.strip() == "Parent Directory")
    above = requests.get(urljoin(folder.base_url, parent), timeout=10)
    assert Links(above.content).names() == ["data/"]
    for path in ("pub/nothing/", "pub/nothing", "pub/data/b.mrc/", "pub/data/b.mrc/x"):
        answer = requests.get(folder.url(HOST, path), timeout=10)
        assert (answer.status_code, "was not found on this server" in answer.text) == (404, True)


def test_an_entry_whose_directory_is_empty_lists_no_file(archive: Archive) -> None:
    archive.add_entry(11969, {})
    page = requests.get(archive.url(HOST, "empiar/world_availability/11969/"), timeout=10).content
    assert Links(page).names() == ["11969.xml"]


def test_under_the_real_name_links_stay_as_they_are(folder: Archive) -> None:
    page = requests.get(f"{folder.base_url}/pub/data/", headers={"Host": HOST}, timeout=10).content
    assert b'<a href="/pub/">Parent Directory</a>' in page


def test_twenty_thousand_names_are_listed_completely(archive: Archive) -> None:
    archive.add_file(HOST, "pub/many/00000.mrc", b"")
    for number in range(1, 20_000):
        (archive.folder / HOST / "pub/many" / f"{number:05d}.mrc").touch()
    names = Links(requests.get(archive.url(HOST, "pub/many/"), timeout=30).content).names()
    assert names == [f"{number:05d}.mrc" for number in range(20_000)]
