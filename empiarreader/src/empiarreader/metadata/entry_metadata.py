"""What an entry says about itself, as typed values, wherever its record came from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from empiarreader.metadata.records import (
    Citation,
    Grant,
    Imageset,
    Version,
    as_text,
    emdb_references,
    parse_dataset_size,
    read_citations,
    read_grants,
    read_imagesets,
    read_orcids,
    read_people,
    read_person,
    read_references,
    read_versions,
    read_workflow_urls,
)
from empiarreader.metadata.vocabularies import decode_number


class EntryMetadata(ABC):
    """Metadata of an entry, read tolerantly: ``""``, None or ``()`` where its record says nothing."""

    @property
    @abstractmethod
    def record(self) -> Mapping[str, Any]:
        """Everything that EMPIAR says about the entry, under the names of its API."""

    @property
    def title(self) -> str:
        """Title of the entry."""
        return as_text(self.record.get("title"))

    @property
    def status(self) -> str:
        """``REL`` for a released entry; ``OBS``, ``HPUB`` and ``HOLD`` are others."""
        return as_text(self.record.get("status"))

    @property
    def deposition_date(self) -> str:
        """Day of deposition, ``YYYY-MM-DD``."""
        return as_text(self.record.get("deposition_date"))

    @property
    def update_date(self) -> str:
        """Day of the last change, ``YYYY-MM-DD``."""
        return as_text(self.record.get("update_date"))

    @property
    def obsolete_date(self) -> str:
        """Day on which the entry became obsolete, ``""`` for one that is not."""
        return as_text(self.record.get("obsolete_date"))

    @property
    def release_date(self) -> str:
        """Day of release, ``YYYY-MM-DD``."""
        return as_text(self.record.get("release_date"))

    @property
    def doi(self) -> str:
        """DOI of the entry itself."""
        return as_text(self.record.get("entry_doi"))

    @property
    def experiment_type(self) -> str:
        """Kind of experiment, such as ``EMDB`` (of which EMDB holds a map), ``FIB-SEM`` or ``ssET``."""
        return decode_number("experiment_type", as_text(self.record.get("experiment_type")))

    @property
    def scale(self) -> str:
        """Scale of what was imaged: molecule, virus, cell, tissue or organism."""
        return decode_number("scale", as_text(self.record.get("scale")))

    @property
    def corresponding_author(self) -> str:
        """Name of the corresponding author, ``""`` where none is given."""
        return read_person(self.record.get("corresponding_author"))

    @property
    def principal_investigators(self) -> tuple[str, ...]:
        """Names of the principal investigators."""
        return read_people(self.record.get("principal_investigator"))

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Grants that paid for the data."""
        return read_grants(self.record)

    @property
    def workflow_path(self) -> str:
        """Path in the entry of a file with the processing workflow, such as Scipion's; ``""`` for none."""
        workflow = self.record.get("workflow_file")
        return as_text(workflow.get("path") if isinstance(workflow, Mapping) else workflow)

    @property
    def workflow_urls(self) -> tuple[str, ...]:
        """Addresses of processing workflows that are kept elsewhere, such as in WorkflowHub."""
        return read_workflow_urls(self.record)

    @property
    def orcids(self) -> dict[str, str]:
        """ORCID iDs of the authors and principal investigators by their names, where they gave one."""
        return read_orcids(self.record)

    @property
    def versions(self) -> tuple[Version, ...]:
        """How the entry has changed, in the order of the record."""
        return read_versions(self.record)

    @property
    def authors(self) -> tuple[str, ...]:
        """Names of the authors of the entry."""
        return read_people(self.record.get("authors"))

    @property
    def imagesets(self) -> tuple[Imageset, ...]:
        """The sets of images, as deposited."""
        return read_imagesets(self.record)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Papers about the entry."""
        return read_citations(self.record)

    @property
    def citation(self) -> Citation | None:
        """The first paper about the entry, None where there is none."""
        return next(iter(self.citations), None)

    @property
    def pixel_sizes_angstrom(self) -> dict[str, float | None]:
        """Å a pixel of each imageset by its directory; None where it was not given or is not square."""
        return {
            imageset.directory: imageset.pixel_width_angstrom
            if imageset.pixel_width_angstrom == imageset.pixel_height_angstrom
            else None
            for imageset in self.imagesets
        }

    @property
    def dataset_size(self) -> str:
        """Size of the whole entry as EMPIAR states it, ``"305.5 GB"``."""
        return as_text(self.record.get("dataset_size"))

    @property
    def dataset_size_bytes(self) -> int | None:
        """The same in bytes, no more exact than the text."""
        return parse_dataset_size(self.dataset_size)

    @property
    def references(self) -> Mapping[str, tuple[str, ...]]:
        """Entries that this one refers to, by archive: emdb, pdb, empiar, biostudies, idr."""
        return {
            "emdb": emdb_references(self.record),
            "pdb": read_references(self.record.get("related_pdb_entries")),
            "empiar": read_references(self.record.get("empiar_references")),
            "biostudies": read_references(self.record.get("biostudies_references")),
            "idr": read_references(self.record.get("idr_references")),
        }
