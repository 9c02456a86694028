"""Where the archive is, how long to wait for it and where to keep what came of it.

All of it is read from the environment when it is used, never at import.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from empiarreader.byteunits import parse_bytes
from empiarreader.errors import InvalidRequestError

API_URL = "https://www.ebi.ac.uk/empiar/api"
ARCHIVE_URL = "https://ftp.ebi.ac.uk/empiar/world_availability"
SEARCH_URL = "https://www.ebi.ac.uk/ebisearch/ws/rest"
EMDB_URL = "https://ftp.ebi.ac.uk/pub/databases/emdb"
FTP_URL = "ftp://ftp.ebi.ac.uk/empiar/world_availability"
TIMEOUT_SECONDS = 30.0
CACHE_SIZE_BYTES = 20 * 10**9
_YES, _NO = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})


def api_url() -> str:
    """Return the base address of the REST API, without a slash at the end (``EMPIARREADER_API_URL``)."""
    return _base_address("EMPIARREADER_API_URL", API_URL)


def archive_url() -> str:
    """Return the base address of the HTTPS tree of entries (``EMPIARREADER_ARCHIVE_URL``)."""
    return _base_address("EMPIARREADER_ARCHIVE_URL", ARCHIVE_URL)


def search_url() -> str:
    """Return the base address of EBI Search (``EMPIARREADER_SEARCH_URL``)."""
    return _base_address("EMPIARREADER_SEARCH_URL", SEARCH_URL)


def emdb_url() -> str:
    """Return the base address of EMDB's files (``EMPIARREADER_EMDB_URL``)."""
    return _base_address("EMPIARREADER_EMDB_URL", EMDB_URL)


def ftp_url() -> str:
    """Return the base address of the FTP tree of entries (``EMPIARREADER_FTP_URL``)."""
    return _base_address("EMPIARREADER_FTP_URL", FTP_URL, schemes=frozenset({"ftp"}))


def mirror() -> Path | None:
    """Return the local folder laid out like the archive (``EMPIARREADER_MIRROR``), None where there is none.

    Raises
    ------
    InvalidRequestError
        If it is set to something that is no folder: silence would mean reading everything from afar.
    """
    text = os.environ.get("EMPIARREADER_MIRROR", "").strip()
    if not text:
        return None
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise InvalidRequestError(
            f"EMPIARREADER_MIRROR is {text!r}, which is no folder; set it to one that holds entries by their "
            "number (10943/data/...), or leave it unset"
        )
    return folder


def cache_dir() -> Path:
    """Return the folder of the cache (``EMPIARREADER_CACHE_DIR``, default ``~/.cache/empiarreader``)."""
    text = os.environ.get("EMPIARREADER_CACHE_DIR", "").strip()
    if text:
        return Path(text).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache"
    return Path(base).expanduser().absolute() / "empiarreader"


def cache_size_bytes() -> int:
    """Return how much the cache may hold (``EMPIARREADER_CACHE_SIZE``, default 20 GB).

    ``50 GB`` and ``50G`` count in thousands, ``50 GiB`` in 1024s; a bare number is bytes.
    """
    text = os.environ.get("EMPIARREADER_CACHE_SIZE", "").strip()
    if not text:
        return CACHE_SIZE_BYTES
    size = parse_bytes(text)
    if size is None:
        raise InvalidRequestError(f"EMPIARREADER_CACHE_SIZE is {text!r}; set it to a size such as 50 GB")
    return size


def offline() -> bool:
    """Return whether the network must be left alone (``EMPIARREADER_OFFLINE``, default no)."""
    text = os.environ.get("EMPIARREADER_OFFLINE", "").strip().lower()
    if text not in _YES | _NO:
        raise InvalidRequestError(f"EMPIARREADER_OFFLINE is {text!r}; set it to 1 or to 0")
    return text in _YES


def not_kept(url: str) -> str:
    """Return the sentence for what cannot be had offline."""
    return (
        f"EMPIARREADER_OFFLINE is set and {url} is not in the cache {cache_dir()}; fetch it where "
        "there is a network: empiarreader prefetch"
    )


def timeout_seconds() -> float:
    """Return the longest silence of a server that is waited out (``EMPIARREADER_TIMEOUT``, default 30)."""
    text = os.environ.get("EMPIARREADER_TIMEOUT", "").strip()
    if not text:
        return TIMEOUT_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise InvalidRequestError(
            f"EMPIARREADER_TIMEOUT is {text!r}; set it to a number of seconds above 0 and up to 3600"
        )
    return seconds


def _base_address(name: str, default: str, *, schemes: frozenset[str] = frozenset({"http", "https"})) -> str:
    return _checked(name, os.environ.get(name, "").strip().rstrip("/") or default, default, schemes)


@lru_cache(maxsize=16)
def _checked(name: str, address: str, default: str, schemes: frozenset[str]) -> str:
    parts = urlsplit(address)
    if parts.scheme not in schemes or not parts.hostname or parts.query or parts.fragment:
        raise InvalidRequestError(
            f"{name} is {address!r}; set it to an address such as {default}, or leave it unset"
        )
    return address
