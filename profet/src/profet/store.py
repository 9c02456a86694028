"""The verified cache: what came from a service, as it came, with a sidecar that says from where.

It lies in the hidden folder ``.profet`` of ``PROFET_CACHE_DIR`` (``~/.cache/pdb`` unless set), one folder for
each source, every file compressed and named ``<id>.<ext>.gz`` in lower case, its sidecar
``<id>.<ext>.gz.json``. The layout is private. The files that people see, under the names that profet has
always given them (``4v1w.cif``), are placed by ``get_file(..., filesave=True)`` and belong to the user, who
may edit or delete them: so they lie outside, and the cache never trusts them.

An entry counts only if the sidecar is there and the sha256 in it is that of the uncompressed file; anything
else is as good as absent and will be fetched again. Files are written beside and renamed, the sidecar last,
so that jobs on a shared file system need no lock to be safe (`profet.claims` only saves them double work).
That a file does *not* exist at a source is remembered for a day, as ``<id>.<ext>.absent``.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path

from profet.errors import CacheError, DamagedFileError
from profet.formats import compressed
from profet.provenance import Provenance
from profet.whole_files import whole_file, write_whole

_logger = logging.getLogger(__name__)

HIDDEN_FOLDER = ".profet"
CLAIMS, SAVED = "claims", "saved"
"""Folders in it that are no source's."""

PACKED, SIDECAR, ABSENT = ".gz", ".json", ".absent"
ABSENT_FOR_SECONDS = 24 * 3600.0
_BETWEEN_RENAMES_SECONDS = 0.05
_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class Key:
    """What an entry of the cache is found by."""

    source: str
    id: str
    extension: str

    @property
    def name(self) -> str:
        """Path below the hidden folder."""
        parts = (self.source.lower(), f"{self.id.lower()}.{self.extension}")
        for part in parts:
            if not _SAFE_NAME.fullmatch(part):  # ids are checked long before; this is the last gate
                raise CacheError(f"{part!a} cannot be the name of a file in the cache")
        return "/".join(parts)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A file and where it came from."""

    data: bytes
    provenance: Provenance


class Store:
    """The cache in one folder.

    Parameters
    ----------
    directory
        Folder that people know; the cache is a hidden folder in it, made when the first file comes.
    """

    def __init__(self, directory: Path) -> None:
        self.root = directory / HIDDEN_FOLDER

    def path(self, key: Key) -> Path:
        """Where the compressed file of an entry lies."""
        return self.root / f"{key.name}{PACKED}"

    def get(self, key: Key) -> Stored | None:
        """Return the entry if it is there, whole and verified."""
        path = self.path(key)
        try:
            return read_verified(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DamagedFileError:
            time.sleep(_BETWEEN_RENAMES_SECONDS)  # another process may be replacing both files just now
        try:
            return read_verified(path)
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            _logger.warning("%s in the cache is damaged (%s) and will be fetched again", path, error)
            return None

    def origin(self, key: Key) -> Provenance | None:
        """Where an entry says that it is from, without a look at the file."""
        try:
            return Provenance.from_json(sidecar(self.path(key)).read_bytes())
        except (OSError, DamagedFileError):
            return None

    def put(self, key: Key, packed: bytes, provenance: Provenance) -> None:
        """Keep an entry.

        Parameters
        ----------
        packed
            The file, compressed.
        provenance
            With the sha256 of the uncompressed file.
        """
        path = self.path(key)
        with whole_file(sidecar(path), flush=False) as beside:
            beside.write(provenance.to_json())
            beside.flush()  # a full disk shows before the file takes its name
            write_whole(path, packed, flush=False)  # what a power cut takes is missed when it is read

    def confirm(self, key: Key, provenance: Provenance) -> None:
        """Replace the sidecar of an entry, as when the service says that the file is still the same."""
        # Were a power cut to take it, the entry would be as good as absent; so it need not be flushed.
        write_whole(sidecar(self.path(key)), provenance.to_json(), flush=False)

    def is_absent(self, key: Key) -> bool:
        """Whether the source said within the last day that it has no such file."""
        try:
            seen = Provenance.from_json(self._absent(key).read_bytes())
        except (OSError, DamagedFileError):
            return False
        return seen.age_seconds < ABSENT_FOR_SECONDS

    def put_absent(self, key: Key, provenance: Provenance) -> None:
        """Remember that the source has no such file."""
        write_whole(self._absent(key), provenance.to_json(), flush=False)

    def _absent(self, key: Key) -> Path:
        return self.root / f"{key.name}{ABSENT}"


def sidecar(path: Path) -> Path:
    """Where the provenance of a file of the cache lies."""
    return path.with_name(f"{path.name}{SIDECAR}")


def read_verified(path: Path) -> Stored:
    """Read a file of the cache, uncompressed, and its sidecar.

    Raises
    ------
    DamagedFileError
        If they do not fit each other.
    FileNotFoundError, NotADirectoryError
        If one of them is not there.
    CacheError
        If they cannot be read.
    """
    try:
        provenance = Provenance.from_json(sidecar(path).read_bytes())
        data, _ = compressed.unpack(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise CacheError.of(error, f"cannot read {path}") from error
    if hashlib.sha256(data).hexdigest() != provenance.sha256:
        raise DamagedFileError("its sha256 is not the one recorded")
    return Stored(data=data, provenance=provenance)
