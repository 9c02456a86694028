"""The imagesets of an entry by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from empiarreader.addresses import parse_entry_id
from empiarreader.metadata.api import fetch_entry_record
from empiarreader.metadata.records import Imageset, as_text, read_imagesets
from empiarreader.notebook import catalogue_html
from empiarreader.source import EmpiarSource


class EmpiarCatalog(Mapping[str, EmpiarSource]):
    """Imagesets of one entry: a mapping from their names to sources that read them.

    Names that several imagesets share get the number of their occurrence, ``"Movies [2]"``; an imageset
    without a name is called by its directory.

    Parameters
    ----------
    empiar_index
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``. The API is asked once, now.
    metadata
        Anything to keep with the catalogue.

    Raises
    ------
    EntryNotFoundError
        If EMPIAR has no such entry.
    ServiceError
        If EMPIAR cannot be asked.
    """

    name = "empiar_catalog"

    def __init__(self, empiar_index: int | str, metadata: Mapping[str, Any] | None = None) -> None:
        self.empiar_index = parse_entry_id(empiar_index)
        self.metadata = dict(metadata or {})
        self.entry_data = self.fetch_entry_data(self.empiar_index)
        self._imagesets = _by_name(read_imagesets(self.entry_data))

    @classmethod
    def fetch_entry_data(cls, empiar_index: int | str) -> dict[str, Any]:
        """Return everything that the API says about an entry.

        Raises
        ------
        EntryNotFoundError
            If EMPIAR has no such entry.
        ServiceError
            If EMPIAR cannot be asked.
        """
        return fetch_entry_record(empiar_index)

    def __getitem__(self, name: str) -> EmpiarSource:
        imageset = self._imagesets[name]
        return EmpiarSource(
            self.empiar_index, directory=imageset.directory, imageset_metadata=dict(imageset.record)
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._imagesets)

    def __len__(self) -> int:
        return len(self._imagesets)

    def _repr_html_(self) -> str:
        title = f"EMPIAR-{self.empiar_index}: {as_text(self.entry_data.get('title'))}"
        return catalogue_html(title, as_text(self.entry_data.get("dataset_size")), self._imagesets)

    def __repr__(self) -> str:
        return f"EmpiarCatalog({self.empiar_index}, {list(self._imagesets)!r})"


def _by_name(imagesets: tuple[Imageset, ...]) -> dict[str, Imageset]:
    named: dict[str, Imageset] = {}
    for imageset in imagesets:
        wanted = imageset.name or imageset.directory or "imageset"
        name, occurrence = wanted, 1
        while name in named:
            occurrence += 1
            name = f"{wanted} [{occurrence}]"
        named[name] = imageset
    return named
