"""The file that is to be cleaned, in either format, gzipped or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from profet.enums import FileType
from profet.errors import CacheError, DamagedFileError, MissingFileError, RefusedError
from profet.formats import compressed
from profet.formats.sniff import file_type_of

_HEAD_BYTES = 4096


class StructureFile:
    """One input file.

    Raises
    ------
    MissingFileError
        If there is no such file.
    CacheError
        If it cannot be read.
    DamagedFileError
        If it is no structure file.
    RefusedError
        If it is BinaryCIF: packed columns have no rows that could go while every other byte stays. Or if its
        lines are not told apart by line feeds, in PDB format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file, compressed.reading(file) as unpacked:
                head = unpacked.read(_HEAD_BYTES)
        except FileNotFoundError:
            raise MissingFileError(f"there is no file {path}") from None
        except OSError as error:
            raise CacheError(f"cannot read {path}: {error.strerror or error}") from error
        except DamagedFileError as error:
            raise self._damaged(error) from None
        try:
            self.type = file_type_of(head)
        except DamagedFileError as error:
            raise self._damaged(error) from None
        if self.type is FileType.bcif:
            raise RefusedError(
                f"{path} is BinaryCIF, whose columns are packed: no row can go while the rest stays; "
                "clean the mmCIF file of the entry"
            )
        if self.type is FileType.pdb and b"\r" in head and b"\n" not in head:
            raise RefusedError(
                f"{path} ends its lines with a carriage return alone; convert them to line feeds"
            )

    def lines(self) -> Iterator[bytes]:
        """Read the file from its beginning."""
        try:
            with self.path.open("rb") as file, compressed.reading(file) as unpacked:
                yield from unpacked
        except DamagedFileError as error:
            raise self._damaged(error) from None

    def _damaged(self, error: DamagedFileError) -> DamagedFileError:
        return DamagedFileError(f"{self.path}: {error}", origin=str(self.path))
