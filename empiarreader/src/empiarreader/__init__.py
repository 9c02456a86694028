"""Open EMPIAR, the archive of raw cryoEM images, lazily and by entry number.

>>> import empiarreader
>>> source = empiarreader.EmpiarSource(10943, "data/Tiff", filename="*.mrc")  # asks nothing yet
>>> source.data_directory_url
'https://ftp.ebi.ac.uk/empiar/world_availability/10943/data/Tiff'

Names are loaded when they are first used, so that importing the package is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from empiarreader.addresses import parse_entry_id
    from empiarreader.binning import bin_image
    from empiarreader.catalog import EmpiarCatalog
    from empiarreader.catalogue.index import CatalogueHit, EmpiarIndex
    from empiarreader.catalogue.online import OnlineHit, search_online
    from empiarreader.catalogue.updating import CatalogueUpdate
    from empiarreader.downloading.download import download
    from empiarreader.downloading.manifest import DownloadedFile, DownloadFailure, Manifest
    from empiarreader.downloading.mirroring import Mirrored, mirror
    from empiarreader.downloading.planning import Plan, plan_download
    from empiarreader.downloading.progress import Progress
    from empiarreader.downloading.verifying import Verification, verify
    from empiarreader.entry import EmpiarEntry
    from empiarreader.errors import (
        ArchiveFileNotFoundError,
        DamagedDataError,
        EmpiarReaderError,
        EntryNotFoundError,
        FileChangedError,
        InvalidRequestError,
        LocalFileError,
        MissingExtraError,
        PartitionIndexError,
        PatternError,
        ReadOnlyArchiveError,
        RefusedAddressError,
        ServiceError,
        ShapeMismatchError,
        UnsupportedFormatError,
        WorkerLostError,
    )
    from empiarreader.flatness import GainCheck, GainWarning, check_gain
    from empiarreader.gain import apply_gain, open_gain
    from empiarreader.gainfactor import GainOrientation
    from empiarreader.handing_over.acquisition import Acquisition
    from empiarreader.handing_over.handed import Handed, HandedSet
    from empiarreader.handing_over.relion import export_relion
    from empiarreader.handing_over.scipion import export_scipion
    from empiarreader.handing_over.transfers import export_aspera, export_globus
    from empiarreader.imagefile import open_image, read_metadata
    from empiarreader.listing.tree import ArchiveFile, Directory
    from empiarreader.looking.preview import Preview, preview
    from empiarreader.looking.sheet import ContactSheet, SheetImage, contact_sheet
    from empiarreader.metadata.records import Citation, Imageset
    from empiarreader.mrc import MrcHeader, parse_mrc_header
    from empiarreader.mrcsource import MrcSource
    from empiarreader.network.counters import Traffic, traffic
    from empiarreader.prefetching import Prefetched, prefetch
    from empiarreader.protocol import ReadableSource
    from empiarreader.source import EmpiarSource
    from empiarreader.spreading.images import MappedImage, MappedImages, iterate_mapped, map_images
    from empiarreader.spreading.saving import to_mrc, to_zarr
    from empiarreader.starsource import StarSource
    from empiarreader.tables.opening import open_table
    from empiarreader.tilts.series import open_tilt_series
    from empiarreader.voxels import VoxelSize

__version__ = "2.0.0.dev0"

_HOME = {
    "Acquisition": "handing_over.acquisition",
    "ArchiveFile": "listing.tree",
    "ArchiveFileNotFoundError": "errors",
    "CatalogueHit": "catalogue.index",
    "CatalogueUpdate": "catalogue.updating",
    "Citation": "metadata.records",
    "ContactSheet": "looking.sheet",
    "DamagedDataError": "errors",
    "Directory": "listing.tree",
    "DownloadFailure": "downloading.manifest",
    "DownloadedFile": "downloading.manifest",
    "EmpiarCatalog": "catalog",
    "EmpiarEntry": "entry",
    "EmpiarIndex": "catalogue.index",
    "EmpiarReaderError": "errors",
    "EmpiarSource": "source",
    "EntryNotFoundError": "errors",
    "FileChangedError": "errors",
    "GainCheck": "flatness",
    "GainOrientation": "gainfactor",
    "GainWarning": "flatness",
    "Handed": "handing_over.handed",
    "HandedSet": "handing_over.handed",
    "Imageset": "metadata.records",
    "InvalidRequestError": "errors",
    "LocalFileError": "errors",
    "Manifest": "downloading.manifest",
    "MappedImage": "spreading.images",
    "MappedImages": "spreading.images",
    "Mirrored": "downloading.mirroring",
    "MissingExtraError": "errors",
    "MrcHeader": "mrc",
    "MrcSource": "mrcsource",
    "OnlineHit": "catalogue.online",
    "PartitionIndexError": "errors",
    "PatternError": "errors",
    "Plan": "downloading.planning",
    "Prefetched": "prefetching",
    "Preview": "looking.preview",
    "Progress": "downloading.progress",
    "ReadOnlyArchiveError": "errors",
    "ReadableSource": "protocol",
    "RefusedAddressError": "errors",
    "ServiceError": "errors",
    "ShapeMismatchError": "errors",
    "SheetImage": "looking.sheet",
    "StarSource": "starsource",
    "Traffic": "network.counters",
    "UnsupportedFormatError": "errors",
    "Verification": "downloading.verifying",
    "VoxelSize": "voxels",
    "WorkerLostError": "errors",
    "apply_gain": "gain",
    "bin_image": "binning",
    "check_gain": "flatness",
    "contact_sheet": "looking.sheet",
    "download": "downloading.download",
    "export_aspera": "handing_over.transfers",
    "export_globus": "handing_over.transfers",
    "export_relion": "handing_over.relion",
    "export_scipion": "handing_over.scipion",
    "iterate_mapped": "spreading.images",
    "map_images": "spreading.images",
    "mirror": "downloading.mirroring",
    "open_gain": "gain",
    "open_image": "imagefile",
    "open_table": "tables.opening",
    "open_tilt_series": "tilts.series",
    "parse_entry_id": "addresses",
    "parse_mrc_header": "mrc",
    "plan_download": "downloading.planning",
    "prefetch": "prefetching",
    "preview": "looking.preview",
    "read_metadata": "imagefile",
    "search_online": "catalogue.online",
    "to_mrc": "spreading.saving",
    "to_zarr": "spreading.saving",
    "traffic": "network.counters",
    "verify": "downloading.verifying",
}

__all__ = [
    "Acquisition",
    "ArchiveFile",
    "ArchiveFileNotFoundError",
    "CatalogueHit",
    "CatalogueUpdate",
    "Citation",
    "ContactSheet",
    "DamagedDataError",
    "Directory",
    "DownloadFailure",
    "DownloadedFile",
    "EmpiarCatalog",
    "EmpiarEntry",
    "EmpiarIndex",
    "EmpiarReaderError",
    "EmpiarSource",
    "EntryNotFoundError",
    "FileChangedError",
    "GainCheck",
    "GainOrientation",
    "GainWarning",
    "Handed",
    "HandedSet",
    "Imageset",
    "InvalidRequestError",
    "LocalFileError",
    "Manifest",
    "MappedImage",
    "MappedImages",
    "Mirrored",
    "MissingExtraError",
    "MrcHeader",
    "MrcSource",
    "OnlineHit",
    "PartitionIndexError",
    "PatternError",
    "Plan",
    "Prefetched",
    "Preview",
    "Progress",
    "ReadOnlyArchiveError",
    "ReadableSource",
    "RefusedAddressError",
    "ServiceError",
    "ShapeMismatchError",
    "SheetImage",
    "StarSource",
    "Traffic",
    "UnsupportedFormatError",
    "Verification",
    "VoxelSize",
    "WorkerLostError",
    "__version__",
    "apply_gain",
    "bin_image",
    "check_gain",
    "contact_sheet",
    "download",
    "export_aspera",
    "export_globus",
    "export_relion",
    "export_scipion",
    "iterate_mapped",
    "map_images",
    "mirror",
    "open_gain",
    "open_image",
    "open_table",
    "open_tilt_series",
    "parse_entry_id",
    "parse_mrc_header",
    "plan_download",
    "prefetch",
    "preview",
    "read_metadata",
    "search_online",
    "to_mrc",
    "to_zarr",
    "traffic",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
