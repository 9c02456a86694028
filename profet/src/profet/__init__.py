"""profet fetches, caches and cleans protein structures by UniProt or PDB id.

>>> import profet
>>> fetcher = profet.Fetcher("pdb", save_directory="~/.pdb/")

`Fetcher` gets files; `clean` takes out of them what is not wanted. Importing this package asks nothing of the
network, makes no folder, and loads names when they are first used.
"""

from __future__ import annotations

import logging as _logging
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from profet import alphafold, cache, cleaver, databases, enums, pdb, profet  # noqa: F401 - see _MODULES
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

__version__ = "2.0.0.dev0"

_HOME = {
    "CacheError": "errors",
    "ChainNumbering": "cleaning.report",
    "CleanOptions": "cleaning.options",
    "CleanReport": "cleaning.report",
    "DamagedFileError": "errors",
    "FetchResult": "result",
    "Fetcher": "fetcher",
    "FileType": "enums",
    "InactiveAccessionError": "errors",
    "InvalidChoiceError": "errors",
    "InvalidIdError": "errors",
    "MissingFileError": "errors",
    "NotFetchedError": "errors",
    "OfflineError": "errors",
    "ProfetError": "errors",
    "Provenance": "provenance",
    "RefusedError": "errors",
    "ServiceError": "errors",
    "StructureHit": "hits",
    "StructureNotFoundError": "errors",
    "clean": "cleaning.clean",
}
_MODULES = (
    "alphafold",
    "cache",
    "cleaver",
    "databases",
    "enums",
    "pdb",
    "profet",
)  # used as `profet.cache` and such

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

if not TYPE_CHECKING:  # so that a misspelt name is an error before the program runs

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first asked for."""
        if name in _MODULES:
            return _import_module(f"profet.{name}")
        if name not in _HOME:
            raise AttributeError(f"module 'profet' has no attribute {name!r}")
        value = getattr(_import_module(f"profet.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted((*__all__, *_MODULES))
