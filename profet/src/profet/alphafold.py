"""AlphaFold DB, under the name it has always had in profet."""

from __future__ import annotations

from profet.access import Access
from profet.choice import Chooser
from profet.databases.alphafold import AlphaFold
from profet.enums import FileType
from profet.errors import InvalidIdError, StructureNotFoundError
from profet.ids import UniProtId, parse_id, shown


class Alphafold_DB:  # noqa: N801 - published name
    """AlphaFold DB. `Fetcher` does more; this is what code for profet 1 uses."""

    def __init__(self) -> None:
        access = Access()
        self._database = AlphaFold(access)
        self._chooser = Chooser(access)

    def check_structure(self, uniprot_id: str) -> bool:
        """Whether there is a model of an accession, as the API says."""
        return self._database.prediction(_accession(uniprot_id)) is not None

    def get_file_url(self, uniprot_id: str, filetype: str = FileType.cif) -> str:
        """Address of the model's file today. Its version changes, so the API is asked.

        Raises
        ------
        StructureNotFoundError
            If there is no model.
        """
        url = self._database.file_url(_accession(uniprot_id), FileType(filetype))
        if url is None:
            raise StructureNotFoundError(
                f"AlphaFold DB has no model of {uniprot_id}", accession=uniprot_id, asked=("alphafold",)
            )
        return url

    make_url = get_file_url

    def get_pdb(self, uniprot_id: str, filetype: str = FileType.cif) -> tuple[str, FileType, bytes]:
        """Get a model: the id as typed, its file type, its bytes."""
        found, _ = self._chooser.find(uniprot_id, FileType(filetype), "alphafold", others=False)
        return found.identifier, found.filetype, found.data


def _accession(typed: str) -> str:
    identity = parse_id(typed)
    if not isinstance(identity, UniProtId):
        raise InvalidIdError(f"{shown(typed)} is a PDB id; AlphaFold DB goes by UniProt accession")
    return identity.text
