"""What can be drawn, shown and saved as a picture."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

from empiarreader.saving import check_free, write_whole


class Drawn(ABC):
    """What can be drawn: it can be saved as a PNG file, and a notebook shows it."""

    @property
    @abstractmethod
    def png(self) -> bytes:
        """The drawing as a PNG file."""

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the PNG file, whole or not at all, and return where it is.

        Raises
        ------
        LocalFileError
            If there is a file of that name already and ``overwrite`` does not say that it may go, or if it
            cannot be written.
        MissingExtraError
            If matplotlib is not installed.
        """
        check_free(path, overwrite=overwrite)
        return write_whole(path, self.png, overwrite=overwrite)

    def _repr_png_(self) -> bytes:
        return self.png
