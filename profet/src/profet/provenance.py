"""Where a file came from, as the sidecar beside it in the cache says."""

from __future__ import annotations

import dataclasses
import datetime
import json
from dataclasses import dataclass

from profet.errors import DamagedFileError


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Origin of one file.

    Attributes
    ----------
    database
        Name of the database, as in ``Fetcher(main_db=...)``.
    id
        Id in that database: ``4V1W``, ``P05067``.
    url
        Where the bytes came from, after redirections.
    retrieved
        When, in UTC, as ISO 8601.
    sha256
        Of the uncompressed file, as ``sha256sum`` prints it for the saved one.
    size_bytes
        Length of the uncompressed file.
    etag, last_modified, release
        What the service said of the file (``release``: the UniProt release), None if nothing.
    source_version
        Version of the entry: its revision in the PDB, the version of the model in AlphaFold DB.
    checked
        When the service last said that this is still its file, as ISO 8601; None if it was not asked again.
    """

    database: str
    id: str
    url: str
    retrieved: str
    sha256: str
    size_bytes: int
    etag: str | None = None
    last_modified: str | None = None
    release: str | None = None
    source_version: str | None = None
    checked: str | None = None

    def to_json(self) -> bytes:
        """Return the sidecar file."""
        return json.dumps(dataclasses.asdict(self), indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Provenance:
        """Read the sidecar file; keys of later versions are passed over.

        Raises
        ------
        DamagedFileError
            If it is not one.
        """
        try:
            record = json.loads(data)
            names = {field.name for field in dataclasses.fields(cls)}
            read = cls(**{name: value for name, value in record.items() if name in names})
            _ = read.age_seconds
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedFileError(f"the sidecar cannot be read ({error})") from None
        return read

    @property
    def has_validators(self) -> bool:
        """Whether the service can be asked for the file only if it has changed."""
        return bool(self.etag or self.last_modified)

    @property
    def current_at(self) -> datetime.datetime:
        """When the service last said that this is its file."""
        return datetime.datetime.fromisoformat(self.checked or self.retrieved)

    @property
    def age_seconds(self) -> float:
        """Seconds since then."""
        return (now() - self.current_at).total_seconds()


def now() -> datetime.datetime:
    """Return the time in UTC."""
    return datetime.datetime.now(datetime.UTC)
