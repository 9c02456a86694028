"""Cryo-EM images, volumes and particles, on disk or streamed, as PyTorch datasets and loaders.

Names are imported when they are first used, so that ``import caked`` and the command line do not wait for
torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caked import (
        base,
        dataloader,
        dataset,
        errors,
        labels,
        loader,
        randomness,
        sources,
        split,
        transforms,
    )
    from caked.agreement import consensus
    from caked.conversion import convert
    from caked.dataset import Dataset, TupleDataset
    from caked.errors import (
        CakedError,
        ClassesNotFoundError,
        DamagedFileError,
        InvalidOptionError,
        NonFiniteImageError,
        RecipeError,
        RefusedFileError,
        ShapeError,
        SourceNotFoundError,
        SplitError,
        UnreachableSourceError,
    )
    from caked.exporting import Exported, export
    from caked.feeding import to_device
    from caked.labels import (
        FunctionLabels,
        GroupLabels,
        Labels,
        MappingLabels,
        MetaLabels,
        ParentLabels,
        PrefixLabels,
        RegexLabels,
        SequenceLabels,
        TableLabels,
        as_label_rule,
        label_samples,
    )
    from caked.loader import Loader
    from caked.previewing import Preview, preview
    from caked.protocol import ReadableSource
    from caked.randomness import Draws
    from caked.recipe import Recipe
    from caked.slabs import split_slabs
    from caked.sources import (
        ArraySource,
        CachedSource,
        ConcatSource,
        FileSource,
        LazyArraySource,
        MovieSource,
        PairSource,
        ParticleSource,
        PatchSource,
        ProtocolSource,
        Sections,
        Source,
        StackSource,
        StoreSource,
        StructureSource,
        TiltSeriesSource,
        UrlSource,
        as_source,
        stream,
    )
    from caked.split import Split, SplitRule, split_samples
    from caked.stitching import Stitched, stitch

__version__ = "2.0.0.dev0"

_HOMES = {
    "ArraySource": "sources",
    "CachedSource": "sources",
    "CakedError": "errors",
    "ClassesNotFoundError": "errors",
    "ConcatSource": "sources",
    "DamagedFileError": "errors",
    "Dataset": "dataset",
    "Draws": "randomness",
    "Exported": "exporting",
    "FileSource": "sources",
    "FunctionLabels": "labels",
    "GroupLabels": "labels",
    "InvalidOptionError": "errors",
    "Labels": "labels",
    "LazyArraySource": "sources",
    "Loader": "loader",
    "MappingLabels": "labels",
    "MetaLabels": "labels",
    "MovieSource": "sources",
    "NonFiniteImageError": "errors",
    "PairSource": "sources",
    "ParentLabels": "labels",
    "ParticleSource": "sources",
    "PatchSource": "sources",
    "PrefixLabels": "labels",
    "Preview": "previewing",
    "ProtocolSource": "sources",
    "ReadableSource": "protocol",
    "Recipe": "recipe",
    "RecipeError": "errors",
    "RefusedFileError": "errors",
    "RegexLabels": "labels",
    "Sections": "sources",
    "SequenceLabels": "labels",
    "ShapeError": "errors",
    "Source": "sources",
    "SourceNotFoundError": "errors",
    "Split": "split",
    "SplitError": "errors",
    "SplitRule": "split",
    "StackSource": "sources",
    "Stitched": "stitching",
    "StoreSource": "sources",
    "StructureSource": "sources",
    "TableLabels": "labels",
    "TiltSeriesSource": "sources",
    "TupleDataset": "dataset",
    "UnreachableSourceError": "errors",
    "UrlSource": "sources",
    "as_label_rule": "labels",
    "as_source": "sources",
    "consensus": "agreement",
    "convert": "conversion",
    "export": "exporting",
    "label_samples": "labels",
    "preview": "previewing",
    "split_samples": "split",
    "split_slabs": "slabs",
    "stitch": "stitching",
    "stream": "sources",
    "to_device": "feeding",
}
_MODULES = (
    "base",
    "dataloader",
    "dataset",
    "errors",
    "labels",
    "loader",
    "randomness",
    "sources",
    "split",
    "transforms",
)

__all__ = [
    "ArraySource",
    "CachedSource",
    "CakedError",
    "ClassesNotFoundError",
    "ConcatSource",
    "DamagedFileError",
    "Dataset",
    "Draws",
    "Exported",
    "FileSource",
    "FunctionLabels",
    "GroupLabels",
    "InvalidOptionError",
    "Labels",
    "LazyArraySource",
    "Loader",
    "MappingLabels",
    "MetaLabels",
    "MovieSource",
    "NonFiniteImageError",
    "PairSource",
    "ParentLabels",
    "ParticleSource",
    "PatchSource",
    "PrefixLabels",
    "Preview",
    "ProtocolSource",
    "ReadableSource",
    "Recipe",
    "RecipeError",
    "RefusedFileError",
    "RegexLabels",
    "Sections",
    "SequenceLabels",
    "ShapeError",
    "Source",
    "SourceNotFoundError",
    "Split",
    "SplitError",
    "SplitRule",
    "StackSource",
    "Stitched",
    "StoreSource",
    "StructureSource",
    "TableLabels",
    "TiltSeriesSource",
    "TupleDataset",
    "UnreachableSourceError",
    "UrlSource",
    "__version__",
    "as_label_rule",
    "as_source",
    "base",
    "consensus",
    "convert",
    "dataloader",
    "dataset",
    "errors",
    "export",
    "label_samples",
    "labels",
    "loader",
    "preview",
    "randomness",
    "sources",
    "split",
    "split_samples",
    "split_slabs",
    "stitch",
    "stream",
    "to_device",
    "transforms",
]


if not TYPE_CHECKING:  # so that a misspelt name is an error before the program runs

    def __getattr__(name: str) -> Any:
        """Import a public name when it is first asked for."""
        if name in _MODULES:
            return import_module(f"caked.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module 'caked' has no attribute {name!r}")
        value = getattr(import_module(f"caked.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
