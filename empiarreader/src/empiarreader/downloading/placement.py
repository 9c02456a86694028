"""Which addresses may be downloaded, and under which name each is saved: all decided before anything moves.

Lists of addresses are files that people pass around. A line is taken only if it leads to one file of the
archive that is configured, by a name that stays inside the folder it is saved in.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from empiarreader import settings
from empiarreader.addresses import decode_path, entry_address
from empiarreader.downloading.manifest import FAILED_NAME, MANIFEST_NAME
from empiarreader.errors import RefusedAddressError

_LONGEST_NAME_BYTES = 255
_RESERVED = frozenset({MANIFEST_NAME, FAILED_NAME})
# RFC 3986 allows none of these in an address; where they occur, the line is something else.
_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x20\x7f-\x9f\"<>\\^`{|}]")
# Also those that reverse the direction of writing, which make a name look like another.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One file to fetch: its address, which entry and path it is, and where it goes in the folder."""

    url: str
    entry_id: int
    path: str
    target: str  # relative to the folder, with forward slashes
    sha256: str | None = None  # what it must be, where somebody knows
    size: int | None = None  # bytes, where its directory told
    size_is_exact: bool = True

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.rpartition("/")[2]

    @property
    def unique_target(self) -> str:
        """Where the file goes when another has its name: the entry, and its path in the entry."""
        return f"{self.entry_id}/{self.path}"


def parse_address(line: str) -> Placement:
    """Return the file that one line of a list stands for.

    Addresses of the real archive are taken for the same file of the archive that is configured
    (``EMPIARREADER_ARCHIVE_URL``), with ``https``, ``http`` or ``ftp``, and with doubled slashes, as earlier
    versions wrote them.

    Raises
    ------
    RefusedAddressError
        If the line is no address, leads elsewhere, to a directory, or out of the entry.

    Examples
    --------
    >>> parse_address("https://ftp.ebi.ac.uk/empiar/world_availability/10934//data/a%20b.mrc").path
    'data/a b.mrc'
    """
    text = line.strip("\r\n")
    if text.startswith("-"):
        raise RefusedAddressError(f"{text[:200]!r} is refused: it is an option, not an address")
    if _NOT_IN_ADDRESSES.search(text) or _BROKEN_PERCENT.search(text):
        raise RefusedAddressError(
            f"{text[:200]!r} is refused: an address holds no spaces, quotes, backslashes, pipes or control "
            "characters; they are percent-encoded"
        )
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise RefusedAddressError(f"{text[:200]!r} is refused: {error}") from error
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise RefusedAddressError(f"{text[:200]!r} is refused: ? and # in a name are written %3F and %23")
    within = _path_in_archive(text)
    segments = [decode_path(segment) for segment in within.split("/") if segment]
    _check_segments(text, within, segments)
    entry_id, path = int(segments[0]), "/".join(segments[1:])
    return Placement(
        url=entry_address(settings.archive_url(), entry_id, path),
        entry_id=entry_id,
        path=path,
        target=segments[-1],
    )


def place_all(placements: Sequence[Placement]) -> list[Placement]:
    """Return the placements with targets that differ: whole paths where two files share one.

    Which of them comes first makes no difference: all that share a name get their paths. Names that differ in
    upper and lower case alone are one name on many disks.
    """
    counts = Counter(placement.target.casefold() for placement in placements)
    return [
        placement
        if counts[placement.target.casefold()] == 1 and placement.target not in _RESERVED
        else with_unique_target(placement)
        for placement in placements
    ]


def with_unique_target(placement: Placement) -> Placement:
    """Return the placement under its entry and path, where no other file can be."""
    return replace(placement, target=placement.unique_target)


def _path_in_archive(text: str) -> str:
    """Return what follows the archive's base in an address, still encoded."""
    configured = settings.archive_url()
    host_and_path = settings.ARCHIVE_URL.partition("://")[2]
    bases = [configured, *(f"{scheme}://{host_and_path}" for scheme in ("https", "http", "ftp"))]
    for base in bases:
        if text.lower().startswith(base.lower() + "/"):
            return text[len(base) + 1 :]
    raise RefusedAddressError(f"{text[:200]!r} is refused: it is not in the archive {configured}")


def _check_segments(text: str, within: str, segments: list[str]) -> None:
    if any(segment in {".", ".."} or "/" in segment for segment in segments):
        raise RefusedAddressError(f"{text[:200]!r} is refused: it leads out of its directory")
    if any(_CONTROL.search(segment) for segment in segments):
        raise RefusedAddressError(f"{text[:200]!r} is refused: its name has control characters in it")
    if len(segments) < 2 or within.endswith("/"):
        raise RefusedAddressError(
            f"{text[:200]!r} is refused: it is a directory; search it for the files in it and list those"
        )
    if re.fullmatch(r"[1-9][0-9]{0,8}", segments[0]) is None:
        raise RefusedAddressError(f"{text[:200]!r} is refused: {segments[0]!r} is no entry of the archive")
    if any(len(segment.encode(errors="surrogateescape")) > _LONGEST_NAME_BYTES for segment in segments):
        raise RefusedAddressError(f"{text[:200]!r} is refused: a name in it is too long for a disk")
