"""Sources: where samples are, read when asked for."""

from caked.sources.arrays import ArraySource
from caked.sources.base import Source, register, source_from_dict
from caked.sources.cached import CachedSource
from caked.sources.coercion import as_source
from caked.sources.concat import ConcatSource
from caked.sources.files import FileSource
from caked.sources.lazy import LazyArraySource
from caked.sources.movies import MovieSource
from caked.sources.pairs import PairSource
from caked.sources.particles import ParticleSource
from caked.sources.patches import PatchSource
from caked.sources.remote import UrlSource
from caked.sources.sections import Sections
from caked.sources.stacks import StackSource
from caked.sources.store import StoreSource
from caked.sources.stream import ProtocolSource, stream
from caked.sources.structures import StructureSource
from caked.sources.tilts import TiltSeriesSource

__all__ = [
    "ArraySource",
    "CachedSource",
    "ConcatSource",
    "FileSource",
    "LazyArraySource",
    "MovieSource",
    "PairSource",
    "ParticleSource",
    "PatchSource",
    "ProtocolSource",
    "Sections",
    "Source",
    "StackSource",
    "StoreSource",
    "StructureSource",
    "TiltSeriesSource",
    "UrlSource",
    "as_source",
    "register",
    "source_from_dict",
    "stream",
]
