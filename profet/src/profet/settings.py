"""Settings from the environment, read when they are used.

===========================  ========================================  =====================================
Variable                     Default                                   Meaning
===========================  ========================================  =====================================
PROFET_CACHE_DIR             ``~/.cache/pdb``                          cache, and default save directory
PROFET_OFFLINE               unset                                     1: ask no service, use the cache only
PROFET_TIMEOUT               30                                        seconds without a byte before giving up
PROFET_RETRIES               5                                         how often a failed request is repeated
PROFET_<SERVICE>_URL         the real archive                          base address, without a last slash
===========================  ========================================  =====================================
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Literal

from profet.errors import InvalidChoiceError

Service = Literal[
    "RCSB", "RCSB_DATA", "RCSB_FILES", "RCSB_MODELS", "WWPDB", "PDBE", "ALPHAFOLD", "UNIPROT", "PDBREDO"
]

_DEFAULT_URLS: dict[Service, str] = {
    "RCSB": "https://www.rcsb.org",
    "RCSB_DATA": "https://data.rcsb.org",
    "RCSB_FILES": "https://files.rcsb.org",
    "RCSB_MODELS": "https://models.rcsb.org",
    "WWPDB": "https://files.wwpdb.org",
    "PDBE": "https://www.ebi.ac.uk/pdbe",
    "ALPHAFOLD": "https://alphafold.ebi.ac.uk",
    "UNIPROT": "https://rest.uniprot.org",
    "PDBREDO": "https://pdb-redo.eu",
}
_DEFAULT_CACHE = "~/.cache/pdb"
_DEFAULT_TIMEOUT_SECONDS = 30.0
_DEFAULT_RETRIES = 5
_NO = frozenset({"", "0", "false", "no", "off"})


def service_url(service: Service) -> str:
    """Base address of a service, without a slash at the end.

    Examples
    --------
    >>> service_url("UNIPROT")
    'https://rest.uniprot.org'
    """
    return base_url(f"PROFET_{service}_URL", _DEFAULT_URLS[service])


def base_url(variable: str, default: str) -> str:
    """Address that an environment variable states, or the default; for databases that others add, too."""
    url = os.environ.get(variable, "").strip().rstrip("/") or default
    if not url.startswith(("https://", "http://")):
        raise InvalidChoiceError(f"{variable} is {url!a}; it has to begin with https:// or http://")
    return url


def cache_directory() -> Path:
    """Folder of the cache, absolute; it need not exist."""
    return absolute(os.environ.get("PROFET_CACHE_DIR", "").strip() or _DEFAULT_CACHE)


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return the path as it is written in results: ``~`` expanded, absolute, links kept."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow links


def is_offline() -> bool:
    """Whether no service may be asked."""
    return os.environ.get("PROFET_OFFLINE", "").strip().lower() not in _NO


def timeout_seconds() -> float:
    """Seconds without a byte after which a connection counts as dead."""
    return _number("PROFET_TIMEOUT", _DEFAULT_TIMEOUT_SECONDS, least=0.01)


def retries() -> int:
    """How often a request that failed for a passing reason is repeated."""
    return int(_number("PROFET_RETRIES", _DEFAULT_RETRIES, least=0))


def _number(name: str, default: float, *, least: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = math.nan
    if not least <= value < math.inf:
        raise InvalidChoiceError(f"{name} is {text!a}; it has to be a number, {least:g} or more")
    return value
