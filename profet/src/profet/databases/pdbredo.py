"""PDB-REDO: crystal structures of the PDB, refined and rebuilt again by one and the same procedure."""

from __future__ import annotations

from collections.abc import Sequence

from profet import settings
from profet.access import Access
from profet.databases.protocol import Target
from profet.databases.references import entries_of
from profet.enums import FileType
from profet.formats.sniff import check_file_type
from profet.hits import StructureHit
from profet.store import Key, Stored

NAME = "pdbredo"


def file_url(pdb_id: str, filetype: FileType) -> str:
    """Address of the final model of an entry.

    Source: https://pdb-redo.eu, "Download" (``/db/<id>/<id>_final.cif``).

    Examples
    --------
    >>> file_url("1AKI", FileType.cif)
    'https://pdb-redo.eu/db/1aki/1aki_final.cif'
    """
    name = pdb_id.lower()
    return f"{settings.service_url('PDBREDO')}/db/{name}/{name}_final.{filetype}"


class PdbRedo:
    """Entries of the PDB that PDB-REDO has rebuilt: those from X-ray diffraction with data deposited.

    Parameters
    ----------
    access
        The way to files, through the cache.
    """

    name = NAME

    def __init__(self, access: Access) -> None:
        self._access = access

    def find(self, target: Target) -> Sequence[StructureHit]:
        """The entry of a PDB id, or the crystal structures that UniProt lists; nobody is asked."""
        entries = entries_of(target, NAME)
        return [hit for hit in entries if hit.method.lower().startswith("x-ray") or target.pdb_id]

    def fetch(self, hit: StructureHit, filetype: FileType) -> Stored | None:
        """Get a rebuilt structure, or None if there is none; there is no BinaryCIF."""
        if filetype is FileType.bcif:
            return None
        return self._access.file(
            Key(source=NAME, id=hit.id, extension=filetype),
            lambda: file_url(hit.id, filetype),
            lambda data: check_file_type(data, filetype),
            etag_is_md5=False,
        )
