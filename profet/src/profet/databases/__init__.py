"""The databases that structures come from, and how others add theirs.

A database is an object with a name and two methods (`profet.databases.protocol.Database`). profet finds it by
its name among its own, among those that a program has registered here, and among the entry points of
installed packages in the group ``profet.databases``::

    [project.entry-points."profet.databases"]
    mine = "my_package.structures:MyDatabase"

`profet.template.database` is one to begin with.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from profet.errors import InvalidChoiceError
from profet.ids import shown

if TYPE_CHECKING:
    from profet.access import Access
    from profet.databases.protocol import Database

    Factory = Callable[[Access], Database]

GROUP = "profet.databases"
"""Group of the entry points."""

ALWAYS_ASKED = ("pdb", "alphafold")
"""Databases that are asked in turn where the one asked first holds nothing."""

_OWN = {
    "pdb": "profet.databases.rcsb:Rcsb",
    "alphafold": "profet.databases.alphafold:AlphaFold",
    "pdbe": "profet.databases.pdbe:Pdbe",
    "pdbredo": "profet.databases.pdbredo:PdbRedo",
    "3dbeacons": "profet.databases.beacons:Beacons",
    "swissmodel": "profet.databases.beacons:SwissModel",
    "alphafill": "profet.databases.beacons:AlphaFill",
    "modelarchive": "profet.databases.beacons:ModelArchive",
    "ted": "profet.template.database:Ted",
}
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")

_registered: dict[str, Factory] = {}
_lock = threading.Lock()


def register(name: str, factory: Factory) -> None:
    """Make a database known under a name, for this program; a later one of the same name takes its place.

    Parameters
    ----------
    name
        What users write: ``Fetcher(main_db=name)``. Small letters, digits, ``_`` and ``-``; its files are
        kept in folders of that name.
    factory
        Called with a `profet.access.Access`, the way to files through the cache; returns the database. A
        class whose ``__init__`` takes that is one.

    Raises
    ------
    InvalidChoiceError
        If the name cannot be one, or is that of a database of profet's own.
    """
    if not _NAME.fullmatch(name):
        raise InvalidChoiceError(
            f"{shown(name)} cannot be the name of a database: small letters, digits, _, -"
        )
    if name in _OWN:
        raise InvalidChoiceError(f"{name} is a database of profet's own; call this one otherwise")
    with _lock:
        _registered[name] = factory


def names() -> list[str]:
    """Names of all databases that are known here: profet's own, then registered ones, then installed ones."""
    return list(dict.fromkeys([*_OWN, *_registered, *sorted(_installed())]))


def check_database(name: str) -> str:
    """Recognise the name of a database.

    Raises
    ------
    InvalidChoiceError
        If there is no such database.
    """
    if name in _OWN or name in _registered or name in _installed():
        return name
    known = names()
    raise InvalidChoiceError(
        f"there is no database {shown(name)}; profet knows {', '.join(known[:-1])} and {known[-1]}"
    )


def open_database(name: str, access: Access) -> Database:
    """Make the database of a name.

    Raises
    ------
    InvalidChoiceError
        If there is none, or the package that brings it cannot be loaded.
    """
    if name in _OWN:
        module, _, attribute = _OWN[name].partition(":")
        factory: Factory = getattr(import_module(module), attribute)
        return factory(access)
    with _lock:
        registered = _registered.get(name)
    return (registered or _load(check_database(name)))(access)


def _installed() -> dict[str, list[str]]:
    """Names of the entry points, each with the packages that offer it; no package is imported."""
    from importlib.metadata import entry_points

    found: dict[str, list[str]] = {}
    for point in entry_points(group=GROUP):
        if _NAME.fullmatch(point.name) and point.name not in _OWN:
            found.setdefault(point.name, []).append(point.dist.name if point.dist else "?")
    return found


def _load(name: str) -> Factory:
    from importlib.metadata import entry_points

    point = next(iter(entry_points(group=GROUP, name=name)))
    try:
        factory: Factory = point.load()
    except Exception as error:  # whatever a foreign module does when it is imported
        raise InvalidChoiceError(
            f"the database {name} ({point.value}) cannot be loaded: {error!r}"
        ) from error
    return factory
