"""Whether a file is there already: as the folder's manifest says, and as the archive has it now."""

from __future__ import annotations

from pathlib import Path

from empiarreader.downloading.doors import Door
from empiarreader.downloading.ledger import Ledger
from empiarreader.downloading.manifest import DownloadedFile
from empiarreader.downloading.persistence import Persistence
from empiarreader.downloading.placement import Placement
from empiarreader.errors import DamagedDataError, ServiceError
from empiarreader.network.answers import FileVersion


def is_in_place(path: Path, record: DownloadedFile) -> bool:
    """Return whether a file is there and as long as recorded; a link in its place is somebody else's."""
    return not path.is_symlink() and path.is_file() and path.stat().st_size == record.size


class Presence:
    """What is known of files that may be there.

    Parameters
    ----------
    ledger
        The folder.
    persistence
        How long the archive is asked.
    """

    def __init__(self, ledger: Ledger, persistence: Persistence) -> None:
        self._ledger = ledger
        self._persistence = persistence

    def is_unchanged(self, placement: Placement, record: DownloadedFile, door: Door) -> bool:
        """Return whether a file is there in full, and the archive still has the version that was recorded."""
        path = self._ledger.folder / placement.target
        if not is_in_place(path, record):
            return False
        known = FileVersion(size=record.size, etag=record.etag, last_modified=record.last_modified)
        if self.ask_version(record.url, door).differs_from(known):
            return False
        if placement.sha256 is not None and placement.sha256 != record.sha256:
            raise DamagedDataError(
                f"{path} has the SHA-256 {record.sha256}, not {placement.sha256} as the manifest says"
            )
        return True

    def ask_version(self, url: str, door: Door) -> FileVersion:
        """Return the version of a file that the archive has now."""
        attempt = 0
        while True:
            self._persistence.before_asking()
            try:
                return door.version(url, attempt)
            except ServiceError as error:
                attempt += 1
                self._persistence.after_failure(error, attempt)
