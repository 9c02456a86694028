"""What a structure file that has no name is called: after the entry that it says it is."""

from __future__ import annotations

import re
from pathlib import Path

from profet.errors import InvalidIdError, ProfetError
from profet.formats import compressed
from profet.formats.sniff import file_type_of
from profet.ids import ModelId, parse_id

_HEAD_BYTES = 65536
_UNKNOWN = "structure"
# Columns 63 to 66 of HEADER; the item _entry.id, or else the name of the data block.
_STATED = re.compile(
    rb"""^HEADER.{56}(?P<header>\S{4})|^_entry\.id\s+['"]?(?P<entry>[\w.-]+)|^data_(?P<block>[\w.-]+)""",
    re.MULTILINE | re.IGNORECASE,
)


def file_name_of(path: Path) -> str:
    """Return a name for a structure file: ``1aki.pdb.gz``, ``structure.cif`` if it does not say what it is.

    A file that is no structure keeps its name.
    """
    try:
        with path.open("rb") as file, compressed.reading(file) as unpacked:
            head = unpacked.read(_HEAD_BYTES)
            ending = ".gz" if unpacked is not file else ""
        kind = file_type_of(head)
    except ProfetError:
        return path.name
    stated = {match.lastgroup: match[match.lastgroup or 0] for match in _STATED.finditer(head)}
    words = (stated[place].decode() for place in ("entry", "header", "block") if place in stated)
    return f"{next(filter(None, map(_file_name, words)), _UNKNOWN)}.{kind}{ending}"


def _file_name(word: str) -> str | None:
    """Return the id that a word is, as files are called after it; None for any other word."""
    try:
        identity = parse_id(word)
    except InvalidIdError:
        return None
    return (identity.name if isinstance(identity, ModelId) else identity.text).lower()
