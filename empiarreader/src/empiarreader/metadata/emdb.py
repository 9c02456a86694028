"""Maps of EMDB, the archive of what was made from the images: their ids and addresses.

An entry of EMPIAR names the maps that belong to it. EMDB keeps each as a gzipped MRC file,
``structures/EMD-3197/map/emd_3197.map.gz`` (https://www.ebi.ac.uk/emdb/download).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from empiarreader import settings
from empiarreader.errors import InvalidRequestError

if TYPE_CHECKING:
    import xarray

_EMDB_ID = re.compile(r"EMD-?(\d{3,9})", re.IGNORECASE)


def parse_emdb_id(text: str) -> str | None:
    """Return an EMDB id in EMDB's own spelling, None where the text is none.

    Examples
    --------
    >>> parse_emdb_id("emd-3197"), parse_emdb_id("EMD3197.map")
    ('EMD-3197', None)
    """
    match = _EMDB_ID.fullmatch(text.strip())
    return f"EMD-{match[1]}" if match else None


def map_address(emdb_id: str) -> str:
    """Return the address of the primary map of an EMDB entry (below ``EMPIARREADER_EMDB_URL``).

    Raises
    ------
    InvalidRequestError
        If it is no EMDB id.

    Examples
    --------
    >>> map_address("EMD-3197")
    'https://ftp.ebi.ac.uk/pub/databases/emdb/structures/EMD-3197/map/emd_3197.map.gz'
    """
    accession = parse_emdb_id(emdb_id)
    if accession is None:
        raise InvalidRequestError(f"{emdb_id!r} is no EMDB id; give one such as EMD-3197")
    number = accession.removeprefix("EMD-")
    return f"{settings.emdb_url()}/structures/{accession}/map/emd_{number}.map.gz"


@dataclass(frozen=True, kw_only=True)
class EmdbMap:
    """A map of EMDB that an entry names: its id, and the address of the gzipped MRC file."""

    emdb_id: str
    url: str

    def open(self) -> xarray.DataArray:
        """Return the map, ``(z, y, x)`` with its voxel size in Å; see :func:`empiarreader.open_image`."""
        from empiarreader import open_image

        return open_image(self.url)
