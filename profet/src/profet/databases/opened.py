"""Databases that are in use: each is made when it is first asked, and once."""

from __future__ import annotations

import threading

from profet.access import Access
from profet.databases import open_database
from profet.databases.protocol import Database


class OpenDatabases:
    """Databases by name. Safe in threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._open: dict[str, Database] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Database:
        """Return the database of a name.

        Raises
        ------
        InvalidChoiceError
            If there is none.
        """
        with self._lock:
            if name not in self._open:
                self._open[name] = open_database(name, self._access)
            return self._open[name]
