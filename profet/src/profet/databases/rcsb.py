"""The Protein Data Bank, as RCSB serves its files."""

from __future__ import annotations

from profet import settings
from profet.access import Access
from profet.enums import FileType
from profet.errors import OfflineError
from profet.formats import mmcif
from profet.formats.sniff import check_file_type
from profet.ids import PdbId
from profet.store import Key, Stored

NAME = "pdb"

_REVISIONS = "_pdbx_audit_revision_history"


def file_url(pdb_id: PdbId, filetype: FileType) -> str:
    """Address of a structure file, uncompressed.

    Examples
    --------
    >>> from profet.ids import parse_id
    >>> file_url(parse_id("4v1w"), FileType.cif)
    'https://files.rcsb.org/download/4V1W.cif'
    """
    return f"{settings.service_url('RCSB_FILES')}/download/{pdb_id.text}.{filetype}"


class Rcsb:
    """Structure files of the PDB.

    Parameters
    ----------
    access
        The way to files, through the cache.
    """

    name = NAME

    def __init__(self, access: Access) -> None:
        self._access = access

    def fetch(self, pdb_id: PdbId, filetype: FileType) -> Stored | None:
        """Get a structure, or None if the PDB has no such file.

        Large structures, and all with a 12-character id, have no file in PDB format.
        """
        if pdb_id.is_extended and filetype is FileType.pdb:
            return None

        def check(data: bytes) -> str | None:
            check_file_type(data, filetype)
            return _revision(data, filetype)

        return self._access.file(
            _key(pdb_id, filetype),
            # The archive's own files are compressed; this is the shorter way to the same bytes.
            lambda: f"{file_url(pdb_id, filetype)}.gz",
            check,
            etag_is_md5=False,
        )

    def holds(self, pdb_id: PdbId) -> bool:
        """Whether the PDB has the entry: from the cache, or by one small question."""
        key = _key(pdb_id, FileType.cif)
        if self._access.store.get(key) is not None:
            return True
        url = f"{file_url(pdb_id, FileType.cif)}.gz"
        if settings.is_offline():
            raise OfflineError(f"PROFET_OFFLINE is set, so nobody can be asked for {url}", url=url)
        return self._access.client.exists(url)


def _key(pdb_id: PdbId, filetype: FileType) -> Key:
    return Key(source=NAME, id=pdb_id.text, extension=filetype)


def _revision(data: bytes, filetype: FileType) -> str | None:
    """Revision of the entry that the file states, as ``1.4`` (mmCIF) or ``4`` (PDB format)."""
    if filetype is FileType.pdb:
        start = data.find(b"\nREVDAT ")
        return data[start + 8 : start + 11].decode("ascii", "replace").strip() or None if start >= 0 else None
    head = data[: data.find(b"_atom_site.")]
    rows = mmcif.read_tables(head.splitlines(keepends=True)[:-1], {_REVISIONS}).get(_REVISIONS)
    if not rows:
        return None
    return f"{rows[-1].get('major_revision', '?')}.{rows[-1].get('minor_revision', '?')}"
