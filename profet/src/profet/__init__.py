"""profet fetches, caches and cleans protein structures by UniProt or PDB id.

>>> import profet
>>> fetcher = profet.Fetcher("pdb", save_directory="~/.pdb/")

`Fetcher` gets files; `clean` takes out of them what is not wanted. Importing this package asks nothing of the
network and makes no folder.
"""

from __future__ import annotations

import logging as _logging

__version__ = "2.0.0.dev0"

from profet import alphafold, cache, cleaver, databases, enums, pdb  # noqa: F401 - `profet.cache` and such are used
from profet.cleaning.clean import clean
from profet.cleaning.options import CleanOptions
from profet.cleaning.report import ChainNumbering, CleanReport
from profet.enums import FileType
from profet.errors import (
    CacheError,
    DamagedFileError,
    InactiveAccessionError,
    InvalidChoiceError,
    InvalidIdError,
    MissingFileError,
    NotFetchedError,
    OfflineError,
    ProfetError,
    RefusedError,
    ServiceError,
    StructureNotFoundError,
)
from profet.fetcher import Fetcher
from profet.hits import StructureHit
from profet.provenance import Provenance
from profet.result import FetchResult

__all__ = [
    "CacheError",
    "ChainNumbering",
    "CleanOptions",
    "CleanReport",
    "DamagedFileError",
    "FetchResult",
    "Fetcher",
    "FileType",
    "InactiveAccessionError",
    "InvalidChoiceError",
    "InvalidIdError",
    "MissingFileError",
    "NotFetchedError",
    "OfflineError",
    "ProfetError",
    "Provenance",
    "RefusedError",
    "ServiceError",
    "StructureHit",
    "StructureNotFoundError",
    "__version__",
    "clean",
]

_logging.getLogger(__name__).addHandler(_logging.NullHandler())
