"""mmCIF cut into pieces: joined together they are the file, and gemmi reads the same values."""

from __future__ import annotations

import gzip
from pathlib import Path

import gemmi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profet import DamagedFileError
from profet.formats import mmcif
from profet.formats.mmcif import read_tables, scan

Category = tuple[str, list[str], list[list[str]], bool]

# Printable text of one line or several, with all that CIF treats specially.
_WORDS = st.sampled_from(
    [
        "1",
        "-2.5",
        ".",
        "?",
        "HOH",
        "O5'",
        'H"',
        "it's",
        "two words",
        "#no comment",
        "_no.name",
        "loop_",
        "data_x",
        "a;b",
        ";",
        "'",
        '"',
        'say "it\'s" so',
        "$x",
        "[1]",
        "µ Å",
        "two\nlines",
        "a\n_atom_site.id\nloop_",
        "",
        "STOP_",
        "global_",
        "save_me",
    ]
)
_VALUES = st.one_of(_WORDS, st.text("abc 123'\"#;_.\n", max_size=12))


def _written(value: str, start_of_line: bool) -> str:
    """Value as CIF writes it; with a line feed in front where it has to begin a line."""
    lowered = value.lower()
    keyword = lowered.startswith(("data_", "save_")) or lowered in ("loop_", "stop_", "global_")
    if value and not keyword and value[0] not in "_#$'\"[];" and not any(char in value for char in " \n\t"):
        return value
    for quote in "'\"":
        # gemmi ends a quoted value also in front of "#", where CIF 1.1 wants a blank.
        if "\n" not in value and f"{quote} " not in value + " " and f"{quote}#" not in value:
            return f"{quote}{value}{quote}"
    return ("" if start_of_line else "\n") + f";{value}\n;"


@st.composite
def _documents(draw: st.DrawFn) -> tuple[str, list[Category]]:
    """An mmCIF file in any layout that CIF allows, and what it says."""
    gaps = st.sampled_from([" ", "  ", "\n", " \n", "\n\n", " # a comment _x.y loop_\n", "\t", "\r\n"])
    text, categories = "# made up\ndata_test\n", list[Category]()
    names = draw(st.lists(st.sampled_from(["_a", "_atom_site", "_B", "_c_d"]), unique=True, max_size=4))
    for name in names:
        items = [f"i{n}" for n in range(draw(st.integers(1, 4)))]
        is_loop = draw(st.booleans())
        rows = [
            [draw(_VALUES.filter(lambda value: "\n;" not in value)) for _ in items]
            for _ in range(draw(st.integers(1, 4)) if is_loop else 1)
        ]
        categories.append((name, items, rows, is_loop))
        if is_loop:
            text += "loop_" + draw(gaps) + "".join(f"{name}.{item}{draw(gaps)}" for item in items)
        for row in rows:
            for item, value in zip(items, row, strict=True):
                if not is_loop:
                    text += f"{name}.{item}{draw(gaps)}"
                text += _written(value, text.endswith("\n"))
                text += draw(gaps)
    return text, categories


@given(_documents(), st.sampled_from([1, 2, 3, 5, 250]))
@settings(max_examples=300)
def test_any_layout_is_read_as_gemmi_reads_it_and_no_byte_is_lost(
    document: tuple[str, list[Category]], lines_at_once: int
) -> None:
    text, categories = document
    with pytest.MonkeyPatch.context() as patch:
        # Files are as long as many of the portions whose lines are looked at together; these are not.
        patch.setattr(mmcif, "_LINES_AT_ONCE", lines_at_once)
        _check(text, categories)


def _check(text: str, categories: list[Category]) -> None:
    body = text.encode()
    wanted = {name.lower() for name, _, _, _ in categories}

    for some in (set(), {"_atom_site"}, wanted):
        pieces = list(scan(body.splitlines(keepends=True), some))
        assert b"".join(raw for raws, _, _ in pieces for raw in raws) == body

    tables = read_tables(body.splitlines(keepends=True), wanted)
    block = gemmi.cif.read_string(text).sole_block()
    for name, items, _, _ in categories:
        theirs = [[gemmi.cif.as_string(value) for value in row] for row in block.find(f"{name}.", items)]
        ours = [[_as_gemmi(row[item]) for item in items] for row in tables[name.lower()]]
        assert ours == theirs


# How a row may be written, of values a, b and c.
_ODD_ROWS = {
    "over two lines": ("a b\nc\n", ["a", "b", "c"]),
    "a value a line": ("a\nb\nc\n", ["a", "b", "c"]),
    "with a comment": ("a b # 1 2 3\nc\n", ["a", "b", "c"]),
    "after a comment": ("# 1 2\na b c\n", ["a", "b", "c"]),
    "with a text field": (";a\nb c d\n;\nb c\n", ["a\nb c d", "b", "c"]),
    "of text fields": ("a\n;b c\n;\n;d e f\n;\n", ["a", "b c", "d e f"]),
    "with a text of many rows": ("a b\n;1\n" + "1 2 3\n" * 600 + ";\n", ["a", "b", "1\n" + "1 2 3\n" * 600]),
    "with quotes": ("'a b' \"c d\" e\n", ["a b", "c d", "e"]),
}


@pytest.mark.parametrize("odd", _ODD_ROWS.values(), ids=_ODD_ROWS)
@pytest.mark.parametrize("number", [0, 1, 246, 247, 248, 249, 250, 300, 599])
def test_a_row_that_is_written_in_another_way_is_found_among_plain_ones(
    odd: tuple[str, list[str]], number: int
) -> None:
    rows = [[str(k), "x", "-1.5"] for k in range(600)]
    lines = [" ".join(row) + "\n" for row in rows]
    lines[number], rows[number] = odd[0], [value.removesuffix("\n") for value in odd[1]]
    body = ("data_x\nloop_\n_a.i\n_a.j\n_a.k\n" + "".join(lines) + "#\n_b.c 1\n").encode()
    read = read_tables(body.splitlines(keepends=True), {"_a"})

    assert [list(row.values()) for row in read["_a"]] == rows
    assert (
        b"".join(raw for raws, _, _ in scan(body.splitlines(keepends=True), {"_a"}) for raw in raws) == body
    )


def _as_gemmi(value: str) -> str:
    # gemmi shows an unknown value as nothing, and ends of lines in one way.
    return "" if value in (".", "?") else value.replace("\r\n", "\n")


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail_otherwise_than_by_saying_so(body: bytes) -> None:
    lines = (b"data_x\nloop_\n_a.b\n_a.c\n" + body).splitlines(keepends=True)

    try:
        joined = b"".join(raw for raws, _, _ in scan(lines, {"_a"}) for raw in raws)
    except DamagedFileError:
        return
    assert joined == b"".join(lines)


def test_rows_that_share_a_line_or_span_lines_are_rows_all_the_same() -> None:
    body = b"data_x\nloop_ _a.b _a.c 1 2 3\n4 5 # five\n;six\n;\n7 '8 8'\n_z.z 9\n"

    pieces = scan(body.splitlines(keepends=True), {"_a"})
    rows = [row for raws, _, some in pieces if some for row in zip(raws, some, strict=True)]

    assert [values for _, values in rows] == [[b"1", b"2"], [b"3", b"4"], [b"5", b"six"], [b"7", b"8 8"]]
    assert rows[2][0] == b" 5 # five\n;six\n;\n"


def test_only_the_first_data_block_counts() -> None:
    body = b"data_x\n_a.b 1\ndata_y\n_a.b 2\nloop_\n_a.b\n3\n4\n"

    assert read_tables(body.splitlines(keepends=True), {"_a"}) == {"_a": [{"b": "1"}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"data_x\nloop_\n_a.b\n_a.c\n1 2\n3\n", "1 value instead of 2"),
        (b"data_x\nloop_\n_a.b\n_a.c\n1 2\n3\n_z.z 1\n", "1 value instead of 2"),
        (b"data_x\n_a.b\n;never\nclosed\n", "within a text field"),
        (b"data_x\nloop_\n" + b"_a.b\n" * 2000, "more than 1000 columns"),
    ],
)
def test_a_file_that_was_cut_short_is_told(body: bytes, message: str) -> None:
    with pytest.raises(DamagedFileError, match=message):
        list(scan(body.splitlines(keepends=True), {"_a"}))


@pytest.mark.real_data
def test_of_real_files_every_value_of_every_category_is_as_gemmi_reads_it(real_data: Path) -> None:
    paths = sorted((real_data / "profet").glob("*.cif.gz"))
    assert len(paths) > 10
    for path in paths:
        body = gzip.decompress(path.read_bytes())
        block = gemmi.cif.read_string(body.decode()).sole_block()
        names = block.get_mmcif_category_names()

        tables = read_tables(body.splitlines(keepends=True), {name.rstrip(".").lower() for name in names})

        for name in names:
            ours = tables[name.rstrip(".").lower()]
            for item, column in block.get_mmcif_category(name, raw=True).items():
                theirs = [value if value in "?." else gemmi.cif.as_string(value) for value in column]
                assert [row[item] for row in ours] == theirs, (path.name, name, item)
