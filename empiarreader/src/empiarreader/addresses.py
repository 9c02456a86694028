"""Entry numbers, paths inside an entry, and the addresses they have in the archive, by which protocol.

A path is what a person reads: decoded, relative to the entry, with single slashes and none at either end
(``data/sub dir/a#1.mrc``). An address is what a server reads: percent-encoded. All conversions are here.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import quote, unquote

from empiarreader.errors import InvalidRequestError

Protocol = Literal["https", "ftp"]

# What Apache leaves alone in the links of a listing, and RFC 3986 allows in a path.
_SAFE = "!$&'()*+,;=:@~"
# Papers cite an entry by its DOI, and people copy the address of its page.
_ENTRY_ID = re.compile(
    r"(?:(?:https?://(?:dx\.)?doi\.org/|doi:\s?)?10\.6019/|https?://www\.ebi\.ac\.uk/(?:pdbe/emdb/)?empiar/)?"
    r"(?:EMPIAR-)?0*([1-9][0-9]{0,8})/?",
    re.IGNORECASE,
)


def parse_entry_id(entry: int | str) -> int:
    """Return the number of an EMPIAR entry.

    Parameters
    ----------
    entry
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``; also its DOI, or the address of its page in EMPIAR.

    Raises
    ------
    InvalidRequestError
        If it is none of these.

    Examples
    --------
    >>> parse_entry_id("EMPIAR-10943"), parse_entry_id("https://doi.org/10.6019/EMPIAR-10943")
    (10943, 10943)
    """
    match = _ENTRY_ID.fullmatch(str(entry).strip())
    if match is None or isinstance(entry, bool):
        raise InvalidRequestError(
            f"{str(entry)!r} is not an EMPIAR entry; give its number, such as 10943 or EMPIAR-10943"
        )
    return int(match[1])


def normalise_path(path: str) -> str:
    """Return a path inside an entry without surplus slashes; refuse one that climbs out of it.

    Examples
    --------
    >>> normalise_path("/data//Tiff/")
    'data/Tiff'
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts or "\0" in path:
        raise InvalidRequestError(f"{path!r} leads outside the entry; give a path inside it, such as 'data'")
    return "/".join(parts)


def join_path(directory: str, name: str) -> str:
    """Return the path of ``name`` inside ``directory``, where ``""`` is the entry itself."""
    return f"{directory}/{name}" if directory else name


def encode_path(path: str) -> str:
    """Return ``path`` percent-encoded for an address; bytes that are not UTF-8 come through unchanged.

    Examples
    --------
    >>> encode_path("data/a#1 β.mrc")
    'data/a%231%20%CE%B2.mrc'
    """
    return quote(path, safe="/" + _SAFE, errors="surrogateescape")


def decode_path(text: str) -> str:
    """Return the path that a percent-encoded text stands for; the inverse of :func:`encode_path`.

    Examples
    --------
    >>> decode_path("data/a%231%20%ce%b2.mrc")
    'data/a#1 β.mrc'
    """
    return unquote(text, errors="surrogateescape")


def entry_address(base: str, entry_id: int, path: str = "", *, directory: bool = False) -> str:
    """Return the address of a file (or, with a slash at the end, a directory) of an entry.

    Examples
    --------
    >>> entry_address("https://host/empiar", 10943, "data/a b", directory=True)
    'https://host/empiar/10943/data/a%20b/'
    """
    address = f"{base}/{entry_id}" + (f"/{encode_path(path)}" if path else "")
    return address + "/" if directory else address


def archive_address(base: str, location: str) -> str:
    """Return the address of a file that is named by its path in the archive.

    Examples
    --------
    >>> archive_address("https://host/empiar", "empiar://EMPIAR-10943/data/a b.mrc")
    'https://host/empiar/10943/data/a%20b.mrc'
    """
    entry, _, path = location.partition("://")[2].partition("/")
    return entry_address(base, parse_entry_id(entry), normalise_path(path))


def check_protocol(protocol: str) -> Protocol:
    """Return a protocol that is spoken.

    Raises
    ------
    InvalidRequestError
        If it is not.
    """
    if protocol == "https":
        return "https"
    if protocol == "ftp":
        return "ftp"
    raise InvalidRequestError(f"{protocol!r} is no protocol of the archive; there are https and ftp")


def check_target(target: str) -> str:
    """Return a target that certainly stays in its folder; the last gate before a disk is touched."""
    if not target or target.startswith("/") or {"..", "."} & set(target.split("/")) or "\0" in target:
        raise InvalidRequestError(f"{target!r} does not stay in the folder that files are saved in")
    return target
