"""Where the archive is and how long to wait for it: read from the environment when used, never at import."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from empiarreader.errors import InvalidRequestError

API_URL = "https://www.ebi.ac.uk/empiar/api"
ARCHIVE_URL = "https://ftp.ebi.ac.uk/empiar/world_availability"
EMDB_URL = "https://ftp.ebi.ac.uk/pub/databases/emdb"
TIMEOUT_SECONDS = 30.0


def api_url() -> str:
    """Return the base address of the REST API, without a slash at the end (``EMPIARREADER_API_URL``)."""
    return _base_address("EMPIARREADER_API_URL", API_URL)


def archive_url() -> str:
    """Return the base address of the HTTPS tree of entries (``EMPIARREADER_ARCHIVE_URL``)."""
    return _base_address("EMPIARREADER_ARCHIVE_URL", ARCHIVE_URL)


def emdb_url() -> str:
    """Return the base address of EMDB's files (``EMPIARREADER_EMDB_URL``)."""
    return _base_address("EMPIARREADER_EMDB_URL", EMDB_URL)


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


def _base_address(name: str, default: str) -> str:
    address = os.environ.get(name, "").strip().rstrip("/") or default
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise InvalidRequestError(
            f"{name} is {address!r}; set it to an address such as {default}, or leave it unset"
        )
    return address
