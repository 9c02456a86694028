"""How the files of a download are fetched, and what becomes of each."""

from __future__ import annotations

from dataclasses import dataclass

from empiarreader.downloading.manifest import DownloadedFile
from empiarreader.errors import EmpiarReaderError
from empiarreader.network.connections import CONNECTIONS_PER_HOST

Outcome = DownloadedFile | EmpiarReaderError


@dataclass(frozen=True, kw_only=True)
class TransferOptions:
    """How files are fetched; see :func:`empiarreader.download`."""

    workers: int = CONNECTIONS_PER_HOST
    protocol: str = "https"
    overwrite: bool = False
    bytes_per_second: float | None = None
