"""Which lines of a list are downloaded, and where to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import InvalidRequestError, RefusedAddressError
from empiarreader.addresses import check_target
from empiarreader.downloading.manifest import MANIFEST_NAME
from empiarreader.downloading.placement import parse_address, place_all

BASE = "https://ftp.ebi.ac.uk/empiar/world_availability"


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (f"{BASE}/10934/data/a.mrc", "data/a.mrc"),
        (f"{BASE}/10934//data/a.mrc\r\n", "data/a.mrc"),
        (f"{BASE}/10934/10934.xml", "10934.xml"),
        (f"{BASE}/10934/data/a%20b%231.mrc", "data/a b#1.mrc"),
        (f"{BASE}/10934/data/100%25.mrc", "data/100%.mrc"),
        (f"{BASE}/10934/data/semi;colon%7c$(x)&.mrc", "data/semi;colon|$(x)&.mrc"),
        (f"{BASE}/10934/data/µ.mrc", "data/µ.mrc"),
        (f"{BASE}/10934/data/-60.0.mrc", "data/-60.0.mrc"),
        ("ftp://ftp.ebi.ac.uk/empiar/world_availability/10934/a.mrc", "a.mrc"),
        ("http://ftp.ebi.ac.uk/empiar/world_availability/10934/a.mrc", "a.mrc"),
        ("HTTPS://FTP.EBI.AC.UK/empiar/world_availability/10934/A.mrc", "A.mrc"),
    ],
)
def test_an_address_of_the_archive_is_a_file_of_an_entry(line: str, path: str) -> None:
    placement = parse_address(line)

    assert (placement.entry_id, placement.path) == (10934, path)
    assert placement.target == path.rpartition("/")[2]
    assert placement.url.startswith(f"{BASE}/10934/")


def test_addresses_of_the_real_archive_are_fetched_from_the_one_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", "http://mirror.example/empiar/")

    assert parse_address(f"{BASE}/10934/a b.mrc".replace(" ", "%20")).url == (
        "http://mirror.example/empiar/10934/a%20b.mrc"
    )
    assert parse_address("http://mirror.example/empiar/10934/a.mrc").path == "a.mrc"


HOSTILE = [
    "https://evil.example/empiar/world_availability/10934/a.mrc",
    "https://ftp.ebi.ac.uk.evil.example/empiar/world_availability/10934/a.mrc",
    "https://ftp.ebi.ac.uk@evil.example/empiar/world_availability/10934/a.mrc",
    "https://ftp.ebi.ac.uk/empiar/world_availability_not/10934/a.mrc",
    "https://ftp.ebi.ac.uk/etc/passwd",
    "file:///etc/passwd",
    "/etc/passwd",
    "a.mrc",
    "-O/etc/passwd",
    "--post-file=/etc/passwd",
    f"{BASE}/10934/../../../etc/passwd",
    f"{BASE}/10934/data/..",
    f"{BASE}/10934/%2e%2e/%2e%2e/etc/passwd",
    f"{BASE}/10934/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    f"{BASE}/10934/data/%2e%2e%2fx.mrc",
    f"{BASE}/10934/data/%2fetc%2fpasswd",
    f"{BASE}/10934/data/..%2f..%2fx",
    f"{BASE}/10934/data/x.bin; touch PWNED #",
    f"{BASE}/10934/data/`touch PWNED`",
    f"{BASE}/10934/data/a|b",
    f"{BASE}/10934/data/a>b",
    f"{BASE}/10934/data/a b.mrc",
    f"{BASE}/10934/data/a\tb.mrc",
    f"{BASE}/10934/data/a\x1b[2Jb.mrc",
    f"{BASE}/10934/data/a%1b[2Jb.mrc",
    f"{BASE}/10934/data/a%0ab.mrc",
    f"{BASE}/10934/data/a%00.mrc",
    f"{BASE}/10934/data/a%e2%80%aecrm.mrc",
    f"{BASE}/10934/data/a%zz.mrc",
    f"{BASE}/10934/data/a.mrc?x=1",
    f"{BASE}/10934/data/a.mrc#x",
    f"{BASE}/10934/data/",
    f"{BASE}/10934",
    f"{BASE}/10934/",
    f"{BASE}/",
    f"{BASE}/passwd/a.mrc",
    f"{BASE}/010934/a.mrc",
    f"{BASE}/10934/data/{'x' * 300}",
    "https://[::1/empiar/world_availability/10934/a.mrc",
    "",
    " ",
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_a_line_that_leads_elsewhere_is_refused_with_one_safe_sentence(line: str) -> None:
    with pytest.raises(RefusedAddressError, match="is refused: ") as refused:
        parse_address(line)

    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 500


@given(st.text() | st.text(alphabet="./%2eEfF0a~\\", max_size=30).map(lambda tail: f"{BASE}/10934/{tail}"))
def test_no_text_at_all_escapes_the_folder(text: str) -> None:
    try:
        placement = parse_address(text)
    except RefusedAddressError:
        return
    for target in (placement.target, placement.unique_target):
        check_target(target)
        assert not target.startswith("/")
        assert ".." not in target.split("/")


@pytest.mark.parametrize("target", ["", "/etc/passwd", "../x", "a/../../x", "a/./b", "nul\0"])
def test_the_last_gate_refuses_what_leaves_the_folder(target: str) -> None:
    with pytest.raises(InvalidRequestError, match="does not stay"):
        check_target(target)


def test_files_that_share_a_name_get_their_paths_all_of_them() -> None:
    lines = [
        "10934/data/A/gain.mrc",
        "10934/data/B/gain.mrc",
        "10935/data/A/gain.mrc",
        "10934/data/movie.mrc",
    ]
    placed = place_all([parse_address(f"{BASE}/{line}") for line in lines])

    assert [placement.target for placement in placed] == [*lines[:3], "movie.mrc"]
    assert [p.target for p in place_all(placed[::-1])] == ["movie.mrc", *lines[2::-1]]


def test_no_download_takes_the_place_of_the_manifest() -> None:
    (placed,) = place_all([parse_address(f"{BASE}/10934/data/{MANIFEST_NAME}")])

    assert placed.target == f"10934/data/{MANIFEST_NAME}"
