"""Files of the archive that a local folder laid out like it (``EMPIARREADER_MIRROR``) has, too."""

from __future__ import annotations

from pathlib import Path

from empiarreader import settings
from empiarreader.addresses import check_target, decode_path
from empiarreader.errors import InvalidRequestError


def mirrored(url: str) -> Path | None:
    """Return where the mirror has the file behind an address, None where it has none or there is no mirror.

    The mirror holds ``10943/data/a b.mrc`` for ``…/world_availability/10943/data/a%20b.mrc``.
    """
    folder = settings.mirror()
    base = settings.archive_url() + "/"
    if folder is None or not url.startswith(base):
        return None
    try:
        path = folder / check_target(decode_path(url[len(base) :]))
    except InvalidRequestError:
        return None  # the address climbs out of the archive; the archive itself may say what it thinks of it
    return path if path.is_file() else None
