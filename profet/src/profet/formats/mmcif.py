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

from profet.errors import DamagedFileError

_TOKEN = re.compile(
    rb"(?P<comment>#[^\r\n]*)"
    rb"|'(?P<single>[^\r\n]*?)'(?=\s|\Z)"
    rb'|"(?P<double>[^\r\n]*?)"(?=\s|\Z)'
    rb"|(?P<bare>[^\s]+)"
)
_BLANK = b" \t\r\n\x0b\x0c"
_LONGEST_HEADER = 1000  # columns of a loop


@dataclass(slots=True, eq=False)
class Table:
    """A category of interest: its name in lower case, and its items (``label_seq_id``) in file order.

    ``is_loop`` is False for a category of one row that is written as pairs of name and value.
    """

    category: str
    items: list[str]
    is_loop: bool

    def column(self, item: str) -> int | None:
        """Position of an item in each row; None if the file does not have it."""
        return self.items.index(item) if item in self.items else None


Piece = tuple[bytes, Table | None, list[bytes] | None]
"""Bytes of the file, and what they are.

- ``(raw, None, None)``: nothing of interest;
- ``(raw, table, None)``: the beginning of a loop (``loop_`` and the names), or, with ``raw`` empty, its end;
- ``(raw, table, values)``: one row of a loop, or one pair (``table.is_loop`` tells which, and a pair has one
  value).
"""


def scan(lines: Iterable[bytes], wanted: Collection[str]) -> Iterator[Piece]:
    r"""Cut an mmCIF file into pieces.

    Parameters
    ----------
    lines
        The file, line by line, with the ends of lines.
    wanted
        Categories of interest, as ``_atom_site``. Only those of the first data block count.

    Raises
    ------
    DamagedFileError
        If the file ends within a row or a text field, as one that was cut short does.

    Examples
    --------
    >>> lines = [b"data_X\n", b"loop_\n", b"_a.id\n", b"_a.x\n", b"1 'two words'\n", b"#\n"]
    >>> for raw, table, values in scan(lines, {"_a"}):
    ...     print(raw, table and table.items, values)
    b'data_X\n' None None
    b'loop_\n_a.id\n_a.x\n' ['id', 'x'] None
    b"1 'two words'\n" ['id', 'x'] [b'1', b'two words']
    b'#\n' None None
    b'' ['id', 'x'] None
    """
    scanner = _Scanner(wanted)
    for line in lines:
        table = scanner.table
        if scanner.is_between_pieces:
            if table is None:
                # Without an underscore there is no name and no keyword in it, whatever else it holds.
                if b"_" not in line and not line.startswith(b";"):
                    yield line, None, None
                    continue
            elif not (b"_" in line or b"'" in line or b'"' in line or b"#" in line or line.startswith(b";")):
                values = line.split()
                if len(values) == len(table.items):
                    yield line, table, values
                    continue
        yield from scanner.read(line)
    yield from scanner.finish()


def read_tables(lines: Iterable[bytes], wanted: Collection[str]) -> dict[str, list[dict[str, str]]]:
    r"""Read whole categories, each as a list of rows.

    Examples
    --------
    >>> read_tables([b"data_X\n", b"_a.id 1\n", b"_a.x 'two words'\n"], {"_a"})
    {'_a': [{'id': '1', 'x': 'two words'}]}
    """
    tables: dict[str, list[dict[str, str]]] = {}
    for _, table, values in scan(lines, wanted):
        if table is not None and values is not None:
            rows = tables.setdefault(table.category, [])
            row = dict(zip(table.items, map(text, values), strict=True))
            if table.is_loop or not rows:
                rows.append(row)
            else:
                rows[-1].update(row)
    return tables


def text(value: bytes) -> str:
    """Value as text; bytes that are no UTF-8, as old files have, become question marks."""
    return value.decode("utf-8", "replace")


class _Scanner:
    """The long way: one token after the other."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = frozenset(wanted)
        self._block = 0
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
                yield self._take(self._end_of_piece(end)), self.table, values
        elif self._pair is not None:
            category, _, item = self._pair.partition(".")
            self._pair = None
            yield self._take(self._end_of_piece(end)), Table(category.lower(), [item], False), [value]

    def _end_header(self, start: int = 0) -> Iterator[Piece]:
        """Begin the rows of a loop, where its first value stands."""
        names, self._header = self._header, None
        if names is None:
            return
        if names and self._is_wanted(names[0]):
            category = names[0].partition(".")[0].lower()
            self.table = Table(category, [name.partition(".")[2] for name in names], True)
            yield self._take(start), self.table, None
        else:
            yield from self._other(start)

    def _end_loop(self) -> Iterator[Piece]:
        table, self.table = self.table, None
        if self._values:
            raise DamagedFileError(
                f"a row of {table.category if table else 'a loop'} has {len(self._values)} values instead of "
                f"{len(table.items) if table else 0}: the file has been cut short or edited wrongly"
            )
        if table is not None:
            yield b"", table, None

    def _end_line(self) -> Iterator[Piece]:
        if self._header is None and self._pair is None and not self._values:
            yield from self._other(len(self._line))
        else:
            self._kept.append(self._line[self._cut :])

    def _other(self, end: int) -> Iterator[Piece]:
        raw = self._take(end)
        if raw:
            yield raw, None, None

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
        return self._block == 1 and name.partition(".")[0].lower() in self._wanted
