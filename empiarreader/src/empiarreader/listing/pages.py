"""Names out of a directory page of Apache's autoindex, in any of its three layouts.

Names come from the links, never from the text beside them: the text may be cut short and says nothing of its
encoding, while a link is HTML-escaped (``&amp;``) around a percent-encoded name.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from empiarreader.addresses import decode_path

_LINK = re.compile(r"""<a\s[^<>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')[^<>]*>""", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
# Three figures at most, 1024-based and rounded: 457, 1.0K, 543M.
_SIZE = re.compile(r"(?<![\w.])(\d{1,4}(?:\.\d)?)([KMGTP]?)(?![\w.:-])")
_FACTORS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
_SORT_LINK = re.compile(r"\?C=[NMSD];O=[AD]")


@dataclass(frozen=True, kw_only=True)
class ListedItem:
    """One name in a directory, as a door of the archive shows it."""

    name: str  # decoded; may hold anything but a slash
    is_directory: bool
    size_bytes: int | None = None  # exact; pages never say it
    approximate_size_bytes: int | None = None  # rounded to three figures by the server
    modified: str | None = None  # as the server shows it, in its own time zone


def parse_listing(page: str) -> tuple[ListedItem, ...]:
    """Return what a directory page lists, sorted by name.

    Links for sorting, the parent directory and everything that leads out of the directory are left out. Any
    text at all may be given: what is no listing lists nothing.

    Examples
    --------
    >>> page = '<a href="?C=N;O=D">Name</a> <a href="a%20b&amp;c.mrc">a b&amp;c..&gt;</a> <a href="sub/">'
    >>> [(item.name, item.is_directory) for item in parse_listing(page)]
    [('a b&c.mrc', False), ('sub', True)]
    """
    found: dict[str, ListedItem] = {}
    links = list(_LINK.finditer(page))
    ends = [link.start() for link in links[1:]] + [len(page)]
    for link, end in zip(links, ends, strict=False):
        name = _name(link[1] if link[1] is not None else link[2])
        if name is None:
            continue
        date, size = _details(page[link.end() : min(end, link.end() + 4096)])
        bare = name.rstrip("/")
        is_directory = name != bare
        found.setdefault(
            bare,
            ListedItem(
                name=bare,
                is_directory=is_directory,
                approximate_size_bytes=None if is_directory else size,
                modified=date,
            ),
        )
    return tuple(sorted(found.values(), key=lambda item: item.name))


def apparatus_links(page: str) -> tuple[str, ...]:
    """Return the links of a page that lead to no file: those for sorting, and the parent directory."""
    hrefs = [html.unescape(link[1] if link[1] is not None else link[2]) for link in _LINK.finditer(page)]
    return tuple(href for href in hrefs if _SORT_LINK.fullmatch(href) or href.startswith("/"))


def is_listing(page: str) -> bool:
    """Return whether a page looks like one that a server made of a directory."""
    return "<title>Index of" in page or "Parent Directory" in page or _SORT_LINK.search(page) is not None


def _name(href: str) -> str | None:
    """Return the name a link stands for, with a slash after a directory's; None for other links."""
    text = html.unescape(href).strip()
    if text.startswith("./"):
        text = text[2:]  # Apache's way of keeping a colon from looking like a scheme
    elif _SCHEME.match(text):
        return None
    if not text or text[0] in "/?#" or "?" in text or "#" in text:
        return None
    bare = decode_path(text[:-1] if text.endswith("/") else text)
    if bare in {"", ".", ".."} or "/" in bare or "\0" in bare:
        return None
    return f"{bare}/" if text.endswith("/") else bare


def _details(text: str) -> tuple[str | None, int | None]:
    """Return date and rounded size from what follows a link."""
    after = text.partition("</a>")[2] or text
    plain = html.unescape(_TAG.sub(" ", after))
    date = _DATE.search(plain)
    if date is None:
        return None, None
    size = _SIZE.search(plain, date.end())
    return date[0], round(float(size[1]) * _FACTORS[size[2]]) if size else None
