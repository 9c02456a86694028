"""The Protein Data Bank, as RCSB serves its files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from profet import settings
from profet.access import Access
from profet.databases.protocol import Target
from profet.databases.references import entries_of
from profet.databases.revisions import Revisions
from profet.enums import FileType
from profet.errors import OfflineError
from profet.formats import mmcif
from profet.formats.sniff import check_file_type
from profet.hits import StructureHit
from profet.ids import PdbId, parse_id
from profet.store import Key, Stored

NAME = "pdb"

_REVISIONS = "_pdbx_audit_revision_history"


def file_url(pdb_id: PdbId, filetype: FileType, assembly: int | None = None) -> str:
    """Address of a structure file, of the deposited unit or of a biological assembly.

    Source: https://www.rcsb.org/docs/programmatic-access/file-download-services; BinaryCIF is what their
    ModelServer keeps ready.

    Examples
    --------
    >>> from profet.ids import parse_id
    >>> file_url(parse_id("4v1w"), FileType.cif)
    'https://files.rcsb.org/download/4V1W.cif'
    >>> file_url(parse_id("4v1w"), FileType.pdb_gz, assembly=1)
    'https://files.rcsb.org/download/4V1W.pdb1.gz'
    >>> file_url(parse_id("4v1w"), FileType.bcif)
    'https://models.rcsb.org/4V1W.bcif'
    """
    name, gz = pdb_id.text, ".gz" if filetype.is_compressed else ""
    if filetype is FileType.bcif:
        return f"{settings.service_url('RCSB_MODELS')}/{name}.bcif"
    if assembly is None:
        name = f"{name}.{filetype.content}"
    elif filetype.content is FileType.cif:
        name = f"{name}-assembly{assembly}.cif"
    else:
        name = f"{name}.pdb{assembly}"
    return f"{settings.service_url('RCSB_FILES')}/download/{name}{gz}"


class Rcsb:
    """Structure files of the PDB.

    Parameters
    ----------
    access
        The way to files, through the cache.
    """

    name = NAME
    has_assemblies = True

    def __init__(self, access: Access) -> None:
        self._access = access
        self.revisions = Revisions(access)

    def find(self, target: Target) -> Sequence[StructureHit]:
        """PDB entries of a protein, as UniProt lists them, or the entry of a PDB id; nobody is asked."""
        return entries_of(target, NAME)

    def fetch(self, hit: StructureHit, filetype: FileType) -> Stored | None:
        """Get a structure, or None if the PDB has no such file.

        Large structures, and all with a 12-character id, have no file in PDB format; there is no BinaryCIF of
        assemblies.
        """
        pdb_id = parse_id(hit.id)
        assert isinstance(pdb_id, PdbId)
        if pdb_id.is_extended and filetype is FileType.pdb:
            return None
        if hit.assembly is not None and filetype is FileType.bcif:
            return None

        def check(data: bytes) -> str | None:
            check_file_type(data, filetype)
            return _revision(data, filetype)

        # The archive's own files are compressed; that is the shorter way to the same bytes.
        url = f"{file_url(pdb_id, filetype, hit.assembly)}.gz"
        return self._access.file(
            _key(pdb_id, filetype, hit.assembly),
            lambda: url,
            check,
            etag_is_md5=False,
            is_current=lambda kept: self.revisions.is_current(pdb_id, kept),
        )

    def expect(self, pdb_ids: Iterable[PdbId], filetype: FileType) -> None:
        """Ask at once when many entries were revised, before files of them are asked for again.

        Only a saving, for files that came without validators: who is not told now asks for each.
        """
        origins = {pdb_id: self._access.store.origin(_key(pdb_id, filetype.content)) for pdb_id in pdb_ids}
        self.revisions.ask(name for name, origin in origins.items() if origin and not origin.has_validators)

    def holds(self, pdb_id: PdbId) -> bool:
        """Whether the PDB has the entry: from the cache, or by one small question."""
        if self._access.store.get(_key(pdb_id, FileType.cif)) is not None:
            return True
        url = f"{file_url(pdb_id, FileType.cif)}.gz"
        if settings.is_offline():
            raise OfflineError(f"PROFET_OFFLINE is set, so nobody can be asked for {url}", url=url)
        return self._access.client.exists(url)


def _key(pdb_id: PdbId, filetype: FileType, assembly: int | None = None) -> Key:
    name = pdb_id.text if assembly is None else f"{pdb_id.text}-assembly{assembly}"
    return Key(source=NAME, id=name, extension=filetype)


def _revision(data: bytes, filetype: FileType) -> str | None:
    """Revision of the entry that the file states, as ``1.4`` (mmCIF) or ``4`` (PDB format)."""
    if filetype is FileType.bcif:
        return None
    if filetype is FileType.pdb:
        start = data.find(b"\nREVDAT ")
        return data[start + 8 : start + 11].decode("ascii", "replace").strip() or None if start >= 0 else None
    head = data[: data.find(b"_atom_site.")]
    rows = mmcif.read_tables(head.splitlines(keepends=True)[:-1], {_REVISIONS}).get(_REVISIONS)
    if not rows:
        return None
    return f"{rows[-1].get('major_revision', '?')}.{rows[-1].get('minor_revision', '?')}"
