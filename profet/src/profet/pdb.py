"""The PDB, under the name it has always had in profet."""

from __future__ import annotations

from profet.access import Access
from profet.choice import Chooser
from profet.databases.rcsb import file_url
from profet.enums import FileType
from profet.errors import StructureNotFoundError
from profet.ids import PdbId, parse_id
from profet.lookup import Lookup


class PDB_DB:  # noqa: N801 - published name
    """The Protein Data Bank. `Fetcher` does more; this is what code for profet 1 uses."""

    def __init__(self) -> None:
        access = Access()
        self._chooser, self._lookup = Chooser(access), Lookup(access)

    def uniprot_id_to_pdb_id(self, uniprot_id: str) -> str | None:
        """PDB entry that stands for an accession: the one that covers most of the protein.

        Among equals the one of best resolution, then the first by id. None if there is none.
        """
        return self._lookup.pdb_id_for(uniprot_id)

    def check_structure(self, uniprot_id: str) -> bool:
        """Whether the PDB holds a structure of an accession, or the entry with that PDB id."""
        return "pdb" in self._lookup.databases(uniprot_id)

    def make_url(self, uniprot_id: str, filetype: str = FileType.pdb) -> str:
        """Address of the file of a PDB id.

        Examples
        --------
        >>> PDB_DB().make_url("4v1w", "cif")
        'https://files.rcsb.org/download/4V1W.cif'
        """
        kind = FileType(filetype)
        found = self._lookup.pdb_id_for(uniprot_id)
        if found is None or not isinstance(identity := parse_id(found), PdbId):
            raise StructureNotFoundError(f"the PDB has no structure of {uniprot_id}", accession=uniprot_id)
        return file_url(identity, kind)

    def get_pdb(self, uniprot_id: str, filetype: str = FileType.cif) -> tuple[str, FileType, bytes]:
        """Get a structure: what it is called after (``P45523_1Q6U``), its type, its bytes."""
        found, _ = self._chooser.find(uniprot_id, FileType(filetype), "pdb", others=False)
        return found.identifier, found.filetype, found.data
