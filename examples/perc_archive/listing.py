"""Directory listings byte for byte as Apache 2.4 (mod_autoindex) writes them.

Styles: ``table`` (HTMLTable, NameWidth=*: what ftp.ebi.ac.uk is taken to use), ``table-truncated``
(HTMLTable with the default name width of 23), ``pre`` (FancyIndexing without a table) and ``ul`` (no
FancyIndexing).
"""

from __future__ import annotations

import functools
import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STYLES = ("table", "table-truncated", "pre", "ul")
_NAME_WIDTH = 23
_UNESCAPED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$-_.+!*'(),:;@&=/~")
_PLAIN = re.compile(r"[A-Za-z0-9$\-_.+!*'(),;@&=/~]*")  # most names by far, colons aside
_QUOTED = [chr(byte) if byte in _UNESCAPED else f"%{byte:02x}" for byte in range(256)]


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """What a listing tells of one name."""

    name: str
    is_folder: bool = False
    size_bytes: int = 0
    modified: float = 0.0  # seconds since 1970


def escape_path(path: str) -> str:
    """Percent-encoding as Apache's ``ap_os_escape_path`` does it: lower case, ``./`` before a first colon.

    >>> escape_path("a b#1+c.mrc"), escape_path("time:1.mdoc")
    ('a%20b%231+c.mrc', './time:1.mdoc')
    """
    if _PLAIN.fullmatch(path):
        return path
    quoted = "".join([_QUOTED[byte] for byte in os.fsencode(path)])
    return f"./{quoted}" if ":" in quoted.partition("/")[0] else quoted


def escape_html(text: str) -> str:
    """Apache's ``ap_escape_html``: the apostrophe stays."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def format_size(size_bytes: int) -> str:
    """Four characters that stand for a size, as ``apr_strfsize`` rounds it.

    >>> [format_size(n) for n in (457, 1023, 9999, 10239, 999 << 20)]
    ['457 ', '1.0K', '9.8K', ' 10K', '1.0G']
    """
    if size_bytes < 973:
        return f"{size_bytes:3d} "
    size = size_bytes
    for unit in "KMGTPE":
        size, remainder = size >> 10, size & 1023
        if size >= 973:
            continue
        if size < 9 or (size == 9 and remainder < 973):
            tenths = (remainder * 5 + 256) // 512
            return f"{size + 1}.0{unit}" if tenths >= 10 else f"{size}.{tenths}{unit}"
        return f"{size + (remainder >= 512):3d}{unit}"
    return "****"


@functools.lru_cache(maxsize=1 << 16)  # large directories are listed again and again
def natural_key(name: str) -> tuple[tuple[int, int, bytes], ...]:
    """Sort key of VersionSort (``apr_strnatcmp``): digits as numbers, no white space, signed bytes.

    >>> sorted(["a10", "a9", "a 1"], key=natural_key)
    ['a 1', 'a9', 'a10']
    """
    key = []
    for token in re.findall(rb"[0-9]+|\s+|[^0-9\s]", os.fsencode(name)):
        if token.isdigit():
            # A run that begins with zero is compared as a fraction, from the left; others by length first.
            key.append((48, 0 if token.startswith(b"0") else len(token), token))
        elif not token.isspace():
            key.append((token[0] - 256 if token[0] > 127 else token[0], 0, b""))
    return (*key, (0, 0, b""))


def sort_files(files: Iterable[ListedFile], query: str) -> list[ListedFile]:
    """Files in the order that a ``?C=N;O=D`` query asks for (name, ascending, without one)."""
    column, descending = _order(query)
    rows = sorted(files, key=lambda file: natural_key(file.name + "/" * file.is_folder), reverse=descending)
    if column == "M":
        rows.sort(key=lambda file: file.modified, reverse=descending)
    elif column == "S":
        rows.sort(key=lambda file: -1 if file.is_folder else file.size_bytes, reverse=descending)
    return rows


def _order(query: str) -> tuple[str, bool]:
    values = dict(part.partition("=")[::2] for part in re.split("[;&]", query))
    column = values.get("C", "N")
    return (column if column in tuple("NMSD") else "N"), values.get("O") == "D"


def render(
    path: str, files: Sequence[ListedFile], *, style: str = "table", query: str = "", prefix: str = ""
) -> bytes:
    """HTML of one directory.

    Parameters
    ----------
    path
        Decoded path of the directory within its host, ending in a slash.
    files
        Names in it, in any order.
    style
        One of `STYLES`.
    query
        Query of the request: sort column and direction.
    prefix
        Put before the absolute link to the parent.

    Returns
    -------
    bytes
        UTF-8 (or whatever bytes the names are made of), though the header of the answer will say ISO-8859-1.
    """
    title = escape_html("Index of " + path.rstrip("/"))
    parent = escape_html(prefix + escape_path(path.rstrip("/").rpartition("/")[0] + "/"))
    rows = sort_files(files, query)
    body = {"table": _table, "table-truncated": _truncated_table, "pre": _pre, "ul": _plain}[style]
    text = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">\n'
        f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n<h1>{title}</h1>\n"
    )
    return os.fsencode(text) + body(rows, parent, query) + b"</body></html>\n"


def _sort_link(column: str, label: str, query: str) -> str:
    current, descending = _order(query)
    direction = "D" if column == current and not descending else "A"
    return f'<a href="?C={column};O={direction}">{label}</a>'


def _icon(file: ListedFile) -> str:
    if file.is_folder:
        return '<img src="/icons/folder.gif" alt="[DIR]">'
    suffix = file.name.rpartition(".")[2]
    if suffix in ("tif", "tiff"):
        return '<img src="/icons/image2.gif" alt="[   ]">'
    if suffix in ("bz2", "gz", "tgz", "zip", "Z"):
        return '<img src="/icons/compressed.gif" alt="[   ]">'
    return '<img src="/icons/unknown.gif" alt="[   ]">'


def _date(file: ListedFile) -> str:
    return _minute(int(file.modified))


@functools.lru_cache(maxsize=1 << 12)
def _minute(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))


def _shown_size(file: ListedFile) -> str:
    return "  - " if file.is_folder else format_size(file.size_bytes)


def _link(file: ListedFile) -> tuple[str, str]:
    name = file.name + "/" * file.is_folder
    return escape_html(escape_path(name)), name


def _fitted(name: str, width: int | None) -> tuple[bytes, bytes]:
    """Shown name, cut and padded in bytes as Apache does, even within a character."""
    raw = os.fsencode(name)
    if width is None:
        return os.fsencode(escape_html(name)), b""
    if len(raw) > width:
        raw = raw[: width - 3] + b"..>"
    escaped = (
        raw.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;").replace(b'"', b"&quot;")
    )
    return escaped, b" " * (width - len(raw))


def _table(rows: Sequence[ListedFile], parent: str, query: str, width: int | None = None) -> bytes:
    links = "".join(
        f"<th>{_sort_link(column, label, query)}</th>"
        for column, label in (("N", "Name"), ("M", "Last modified"), ("S", "Size"), ("D", "Description"))
    )
    padding = " " * (width - len("Parent Directory")) if width else ""
    lines = [
        f'  <table>\n   <tr><th valign="top">&nbsp;</th>{links}</tr>\n'
        '   <tr><th colspan="5"><hr></th></tr>\n'
        '<tr><td valign="top"><img src="/icons/back.gif" alt="[PARENTDIR]"></td>'
        f'<td><a href="{parent}">Parent Directory</a>{padding}</td>'
        '<td>&nbsp;</td><td align="right">  - </td><td>&nbsp;</td></tr>\n'.encode()
    ]
    for file in rows:
        href, name = _link(file)
        shown, pad = _fitted(name, width)
        lines += [
            f'<tr><td valign="top">{_icon(file)}</td><td><a href="{href}">'.encode(),
            shown,
            b"</a>" + pad,
            f'</td><td align="right">{_date(file)}  </td><td align="right">{_shown_size(file)}</td>'
            "<td>&nbsp;</td></tr>\n".encode(),
        ]
    return b"".join(lines) + b'   <tr><th colspan="5"><hr></th></tr>\n</table>\n'


def _truncated_table(rows: Sequence[ListedFile], parent: str, query: str) -> bytes:
    return _table(rows, parent, query, _NAME_WIDTH)


def _pre(rows: Sequence[ListedFile], parent: str, query: str) -> bytes:
    names = [_link(file)[1] for file in rows]
    width = max(map(len, map(os.fsencode, ["Parent Directory", *names])))
    lines = [
        f"<pre>      {_sort_link('N', 'Name', query)}{' ' * (width - 4)} "
        f"{_sort_link('M', 'Last modified', query)}"
        f"      {_sort_link('S', 'Size', query)}  {_sort_link('D', 'Description', query)}<hr>"
        f'<img src="/icons/back.gif" alt="[PARENTDIR]"> <a href="{parent}">Parent Directory</a>'
        f"{' ' * (width - 16)} {' ' * 19}  -   \n".encode()
    ]
    for file in rows:
        href, name = _link(file)
        shown, pad = _fitted(name, width)
        lines += [f'{_icon(file)} <a href="{href}">'.encode(), shown, b"</a>" + pad]
        lines.append(f" {_date(file)}  {_shown_size(file)}  \n".encode())
    return b"".join(lines) + b"<hr></pre>\n"


def _plain(rows: Sequence[ListedFile], parent: str, query: str) -> bytes:
    lines = [f'<ul><li><a href="{parent}"> Parent Directory</a></li>\n'.encode()]
    for file in rows:
        href, name = _link(file)
        lines.append(os.fsencode(f'<li><a href="{href}"> {escape_html(name)}</a></li>\n'))
    return b"".join(lines) + b"</ul>\n"
