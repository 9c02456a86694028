"""mmCIF as a stream of pieces, so that a file can be edited without touching a byte of the rest.

CIF is free-form: a row of a loop may span lines, share one with another row, or hold text fields. In the
files that archives write, a row of atoms is a line without quotes; such lines take a short way, all others go
through the tokenizer. Joined together, the pieces are the file.

Source of the syntax: the CIF 1.1 specification, doi:10.1107/97809553602060000728.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from profet.counting import counted
from profet.errors import DamagedFileError

_TOKEN = re.compile(
    rb"(?P<comment>#[^\r\n]*)"
    rb"|'(?P<single>[^\r\n]*?)'(?=\s|\Z)"
    rb'|"(?P<double>[^\r\n]*?)"(?=\s|\Z)'
    rb"|(?P<bare>[^\s]+)"
)
_BLANK = b" \t\r\n\x0b\x0c"
_QUOTES = b"'\""
_LONGEST_HEADER = 1000  # columns of a loop
_LINES_AT_ONCE = 250  # more, and the garbage collector comes round while their rows are alive


@dataclass(slots=True, eq=False)
class Table:
    """A category of interest: its name in lower case, and its items (``label_seq_id``) in file order.

    ``is_loop`` is False for a category of one row that is written as pairs of name and value; ``block``
    counts the data blocks of the file from 1.
    """

    category: str
    items: list[str]
    is_loop: bool
    block: int = 1

    def column(self, item: str) -> int | None:
        """Position of an item in each row, in whatever case it is written; None if it is not there."""
        names = [name.lower() for name in self.items]
        return names.index(item.lower()) if item.lower() in names else None


Row = list[bytes]
"""Values of a row, in the order of the table's items."""

Piece = tuple[list[bytes], Table | None, list[Row] | None]
"""Bytes of the file, and what they are.

- ``([raw], None, None)``: nothing of interest;
- ``([raw], table, None)``: the beginning of a loop (``loop_`` and the names), or, if ``raw`` is empty, its
  end;
- ``(raws, table, rows)``: rows of a loop with the bytes of each, whole lines if there are several; or one
  pair (``table.is_loop`` tells which), which is a row of one value.
"""


def scan(
    lines: Iterable[bytes], wanted: Collection[str], *, noted: Collection[str] = (), block: int | None = 1
) -> Iterator[Piece]:
    r"""Cut an mmCIF file into pieces.

    Parameters
    ----------
    lines
        The file, line by line, with the ends of lines.
    wanted
        Categories of interest, as ``_atom_site``.
    noted
        Categories of which only the beginning is of interest: their rows are passed over.
    block
        The data block that counts, from 1; None for all.

    Raises
    ------
    DamagedFileError
        If the file ends within a row or a text field, as one that was cut short does.

    Examples
    --------
    >>> lines = [b"data_X\n", b"loop_\n", b"_a.id\n", b"_a.x\n", b"1 'two words'\n", b"#\n"]
    >>> for raws, table, rows in scan(lines, {"_a"}):
    ...     print(raws, table and table.items, rows)
    [b'data_X\n'] None None
    [b'loop_\n_a.id\n_a.x\n'] ['id', 'x'] None
    [b"1 'two words'\n"] ['id', 'x'] [[b'1', b'two words']]
    [b'#\n'] None None
    [b''] ['id', 'x'] None
    """
    scanner = _Scanner(wanted, noted, block)
    rest = iter(lines)
    while some := list(islice(rest, _LINES_AT_ONCE)):
        yield from _scan_some(scanner, some)
    yield from scanner.finish()


def _scan_some(scanner: _Scanner, lines: list[bytes]) -> Iterator[Piece]:
    """Take the short way wherever it leads to the same, looking at many lines at once for what forbids it."""
    joined = b"".join(lines)
    has_text = joined.startswith(b";") or b"\n;" in joined
    has_names = b"_" in joined  # without an underscore there is no name and no keyword
    if scanner.is_between_pieces and not has_text and not has_names:
        table = scanner.table
        if table is None:
            yield [joined], None, None
            return
        if not (b"#" in joined or b"'" in joined or b'"' in joined):
            rows = list(map(bytes.split, lines))
            if set(map(len, rows)) == {len(table.items)}:
                yield lines, table, rows
                return
    for line in lines:
        table = scanner.table
        if scanner.is_between_pieces:
            if table is None:
                if b"_" not in line and not line.startswith(b";"):
                    yield [line], None, None
                    continue
            else:
                values = line.split()
                if len(values) == len(table.items) and _read_simply(line, values):
                    yield [line], table, [values]
                    continue
        yield from scanner.read(line)


def _read_simply(line: bytes, values: list[bytes]) -> bool:
    """Whether the words of a line are its values; quotes around any (``"O5'"``) are taken off."""
    if b"_" in line or b"#" in line or line.startswith(b";"):
        return False
    if b'"' in line or b"'" in line:
        for position, value in enumerate(values):
            if value[0] in _QUOTES:
                if len(value) < 2 or value[-1] != value[0]:
                    return False
                values[position] = value[1:-1]
    return True


def read_tables(lines: Iterable[bytes], wanted: Collection[str]) -> dict[str, list[dict[str, str]]]:
    r"""Read whole categories of the first data block, each as a list of rows.

    Examples
    --------
    >>> read_tables([b"data_X\n", b"_a.id 1\n", b"_a.x 'two words'\n"], {"_a"})
    {'_a': [{'id': '1', 'x': 'two words'}]}
    """
    tables: dict[str, list[dict[str, str]]] = {}
    for _, table, rows in scan(lines, wanted):
        if table is not None and rows is not None:
            read = tables.setdefault(table.category, [])
            for values in rows:
                row = dict(zip(table.items, map(text, values), strict=True))
                if table.is_loop or not read:
                    read.append(row)
                else:
                    read[-1].update(row)
    return tables


def text(value: bytes) -> str:
    """Value as text; bytes that are no UTF-8, as old files have, become question marks."""
    return value.decode("utf-8", "replace")


class _Scanner:
    """The long way: one token after the other."""

    def __init__(self, wanted: Collection[str], noted: Collection[str], block: int | None) -> None:
        self._wanted, self._noted = frozenset(wanted), frozenset(noted)
        self._wanted_block, self._block = block, 0
        self._kept: list[bytes] = []  # bytes read that belong to the next piece
        self._text: list[bytes] | None = None  # lines of the text field that is open
        self._header: list[str] | None = None  # names of the loop whose header is being read
        self._pair: str | None = None  # name that waits for its value
        self._values: list[bytes] = []  # of the row that is being read
        self.table: Table | None = None  # wanted loop whose rows are being read
        self.is_between_pieces = True  # whether the next line begins a new piece

    def read(self, line: bytes) -> Iterator[Piece]:
        """Take one line."""
        yield from self._read(line)
        self.is_between_pieces = not self._kept and self._text is None and self._header is None

    def _read(self, line: bytes) -> Iterator[Piece]:
        self._line, self._cut = line, 0
        position = 0
        if self._text is not None:
            if not line.startswith(b";"):
                self._text.append(line)
                self._kept.append(line)
                return
            # The end of the last line belongs to the closing semicolon.
            value = b"".join(self._text)[1:].removesuffix(b"\n").removesuffix(b"\r")
            yield from self._value(value, 1)
            self._text, position = None, 1
        elif line.startswith(b";"):
            yield from self._end_header()
            self._text = [line]
            self._kept.append(line)
            return
        for match in _TOKEN.finditer(line, position):
            yield from self._token(match)
        yield from self._end_line()

    def finish(self) -> Iterator[Piece]:
        """End the file."""
        if self._text is not None:
            raise DamagedFileError("the file ends within a text field: it has been cut short")
        self._line, self._cut = b"", 0
        yield from self._end_header()
        yield from self._end_loop()
        yield from self._other(0)

    def _token(self, match: re.Match[bytes]) -> Iterator[Piece]:
        kind = match.lastgroup
        if kind == "comment":
            return
        token = match[kind or 0]
        if kind == "bare":
            keyword = token[:5].lower()
            if token.startswith(b"_"):
                yield from self._name(token.decode("utf-8", "replace"), match.start())
                return
            if keyword in (b"loop_", b"data_", b"save_") or token.lower() in (b"global_", b"stop_"):
                yield from self._keyword(keyword, match.start())
                return
        yield from self._end_header(match.start())
        yield from self._value(token, match.end())

    def _name(self, name: str, start: int) -> Iterator[Piece]:
        if self._header is not None:
            if len(self._header) >= _LONGEST_HEADER:
                raise DamagedFileError(f"a loop of more than {_LONGEST_HEADER} columns; no file has one")
            self._header.append(name)
            return
        yield from self._end_loop()
        yield from self._other(start)
        self._pair = name if self._is_wanted(name) else None

    def _keyword(self, keyword: bytes, start: int) -> Iterator[Piece]:
        yield from self._end_header(start)
        yield from self._end_loop()
        yield from self._other(start)
        self._pair = None
        if keyword == b"loop_":
            self._header = []
        elif keyword == b"data_":
            self._block += 1

    def _value(self, value: bytes, end: int) -> Iterator[Piece]:
        if self.table is not None:
            self._values.append(value)
            if len(self._values) == len(self.table.items):
                values, self._values = self._values, []
                yield [self._take(self._end_of_piece(end))], self.table, [values]
        elif self._pair is not None:
            category, _, item = self._pair.partition(".")
            self._pair = None
            table = Table(category.lower(), [item], False, self._block)
            yield [self._take(self._end_of_piece(end))], table, [[value]]

    def _end_header(self, start: int = 0) -> Iterator[Piece]:
        """Begin the rows of a loop, where its first value stands."""
        names, self._header = self._header, None
        if names is None:
            return
        if names and self._is_wanted(names[0]):
            category = names[0].partition(".")[0].lower()
            table = Table(category, [name.partition(".")[2] for name in names], True, self._block)
            self.table = table if category in self._wanted else None
            yield [self._take(start)], table, None
        else:
            yield from self._other(start)

    def _end_loop(self) -> Iterator[Piece]:
        table, self.table = self.table, None
        if self._values:
            raise DamagedFileError(
                f"a row of {table.category if table else 'a loop'} has "
                f"{counted(len(self._values), 'values')} instead of {len(table.items) if table else 0}: "
                "the file has been cut short or edited wrongly"
            )
        if table is not None:
            yield [b""], table, None

    def _end_line(self) -> Iterator[Piece]:
        if self._header is None and self._pair is None and not self._values:
            yield from self._other(len(self._line))
        else:
            self._kept.append(self._line[self._cut :])

    def _other(self, end: int) -> Iterator[Piece]:
        raw = self._take(end)
        if raw:
            yield [raw], None, None

    def _take(self, end: int) -> bytes:
        """All bytes not yet handed out, up to a position in the present line."""
        raw = b"".join((*self._kept, self._line[self._cut : end]))
        self._kept.clear()
        self._cut = max(self._cut, end)
        return raw

    def _end_of_piece(self, end: int) -> int:
        """A piece takes the end of its line with it, if nothing else stands there."""
        return end if self._line[end:].strip(_BLANK) else len(self._line)

    def _is_wanted(self, name: str) -> bool:
        category = name.partition(".")[0].lower()
        is_in_block = self._wanted_block in (None, self._block)
        return is_in_block and (category in self._wanted or category in self._noted)
