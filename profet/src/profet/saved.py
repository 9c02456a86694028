"""What a fetcher has placed under published names, and finds again when it is to be cleaned."""

from __future__ import annotations

import threading
from pathlib import Path

from profet.cache import PDBFileCache
from profet.databases import ALWAYS_ASKED, names
from profet.errors import NotFetchedError
from profet.hits import StructureHit
from profet.ids import parse_id
from profet.structure import Structure


class SavedFiles:
    """Places structures in a folder, and remembers which one was the last of each id. Safe in threads."""

    def __init__(self) -> None:
        self._last: dict[str, Path] = {}
        self._lock = threading.Lock()

    def place(self, structure: Structure, wanted: str | StructureHit, folder: PDBFileCache) -> Path:
        """Write the file of a structure under its published name, over one of the same name."""
        if structure.database not in ALWAYS_ASKED:
            # The names that profet has always given belong to these two; others have a folder of their own.
            folder = PDBFileCache(Path(folder.directory, structure.database))
        folder[structure.identifier] = structure.database, structure.filetype, structure.data
        path = Path(folder.path(structure.identifier, structure.filetype))
        with self._lock:
            self._last[_text(wanted)] = path
        return path

    def find(self, typed: str, folder: PDBFileCache) -> Path:
        """Find the file of an id: the one placed last, or else one that is called like it.

        Raises
        ------
        NotFetchedError
            If there is none.
        """
        identity = parse_id(typed)
        with self._lock:
            last = self._last.get(identity.text)
        if last is not None and last.exists() and last.is_relative_to(folder.directory):
            return last
        # Another process has saved it, perhaps from a database whose files have a folder of their own.
        others = (PDBFileCache(Path(folder.directory, name)) for name in names() if name not in ALWAYS_ASKED)
        for place in (folder, *others):
            for name in dict.fromkeys((identity.typed, identity.text)):
                if found := place.find(name) or place.find_of_accession(name):
                    return Path(found[0])
        raise NotFetchedError(
            f"no file of {identity.typed} in {folder.directory}; "
            f"fetch it first: get_file({identity.typed!r}, filesave=True)",
            accession=identity.typed,
        )


def _text(wanted: str | StructureHit) -> str:
    """What a structure is remembered by: the id as profet writes it."""
    typed = (wanted.accession or wanted.id) if isinstance(wanted, StructureHit) else wanted
    return parse_id(typed).text
