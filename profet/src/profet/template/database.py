"""A database to copy from: the domains that CATH's team has found in predicted structures (TED).

profet looks for a database by its name. This file shows all that one needs; to add yours, copy it, change
what it asks and where, and make it known, either in your program ::

    import profet
    profet.databases.register("mine", MyDatabase)
    profet.Fetcher(main_db="mine").get_file("P05067")

or in the ``pyproject.toml`` of a package, which every program then finds by itself, ``profet --main_db=mine``
included::

    [project.entry-points."profet.databases"]
    mine = "my_package.structures:MyDatabase"

The Encyclopedia of Domains cuts models of AlphaFold DB into domains and says which superfamily of CATH each
belongs to. Source: https://ted.cathdb.info, and its interface at https://ted.cathdb.info/api/v1 (fields
``ted_id``, ``chopping``, ``cath_label``).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from profet import settings
from profet.access import Access
from profet.databases.protocol import Target
from profet.enums import FileType
from profet.errors import DamagedFileError
from profet.formats.sniff import check_file_type
from profet.hits import PREDICTED, StructureHit, extent, residues_in
from profet.store import Key, Stored


class Ted:
    """Domains of AlphaFold models; the file of each holds that domain alone.

    Parameters
    ----------
    access
        The way to files and records, through the cache. profet gives it.
    """

    # What users write, and the folder of the cache and of saved files that is yours.
    name = "ted"

    def __init__(self, access: Access) -> None:
        self._access = access

    def find(self, target: Target) -> Sequence[StructureHit]:
        """Domains of a protein. A database says what it holds here, and fetches no file yet.

        `target` tells which kind of id it is about; what you do not go by, you do not hold. ``target.entry``
        is what UniProt says of the protein, so that its length, say, need not be asked for again.
        """
        if target.accession is None or not target.is_canonical:
            return []  # a PDB id, or an isoform
        # `record` asks once a week at most, and returns None where the service answers that it has nothing.
        record = self._access.record(
            Key(source=self.name, id=target.accession, extension="summary.json"),
            f"{_base_url()}/uniprot/summary/{quote(target.accession)}?skip=0&limit=200",
        )
        length = len(target.entry.sequence) if target.entry else 0
        try:
            return [_hit(domain, target.accession, length) for domain in (record or {}).get("data", ())]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # What came may be anything: say so in one of profet's own errors.
            raise DamagedFileError(f"TED sent a list that cannot be understood ({error!r})") from None

    def fetch(self, hit: StructureHit, filetype: FileType) -> Stored | None:
        """Get the file of a hit that `find` returned, or None if it does not exist in this file type.

        `file` looks into the cache, asks for the file, checks it, and keeps it with a note of its origin.
        """
        if filetype is not FileType.pdb:
            return None  # profet tries the other file type next, and says so
        return self._access.file(
            Key(source=self.name, id=hit.id, extension=filetype),
            lambda: f"{_base_url()}/files/{quote(hit.id)}.pdb",
            lambda data: check_file_type(data, filetype),
            etag_is_md5=False,
        )


def _hit(domain: dict[str, str], accession: str, length: int) -> StructureHit:
    segments = _segments(domain["chopping"])
    return StructureHit(
        database=Ted.name,
        id=domain["ted_id"],
        chains=("A",),
        range=extent(segments),
        coverage=min(1.0, residues_in(segments) / length) if length else None,
        method=PREDICTED,
        accession=accession,
        segments=segments,
        # What stands behind the accession in the name of the saved file: p05067_TED01.pdb
        label=domain["ted_id"].rpartition("_")[2],
    )


def _segments(chopping: str) -> tuple[tuple[str, int, int], ...]:
    """Stretches of a domain, of which there may be several: ``11-41_290-389``."""
    ends = (part.split("-") for part in chopping.split("_"))
    return tuple(("A", int(first), int(last)) for first, last in ends)


def _base_url() -> str:
    # An address that can be changed is also how tests point at a server of their own.
    return settings.base_url("PROFET_TED_URL", "https://ted.cathdb.info/api/v1")
