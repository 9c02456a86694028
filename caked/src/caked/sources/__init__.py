"""Sources: where samples are, read when asked for."""

from caked.sources.arrays import ArraySource
from caked.sources.base import Source, register, source_from_dict
from caked.sources.cached import CachedSource
from caked.sources.concat import ConcatSource
from caked.sources.files import FileSource
from caked.sources.particles import ParticleSource
from caked.sources.patches import PatchSource
from caked.sources.sections import Sections
from caked.sources.stacks import StackSource
from caked.sources.stream import ProtocolSource, as_source, stream

__all__ = [
    "ArraySource",
    "CachedSource",
    "ConcatSource",
    "FileSource",
    "ParticleSource",
    "PatchSource",
    "ProtocolSource",
    "Sections",
    "Source",
    "StackSource",
    "as_source",
    "register",
    "source_from_dict",
    "stream",
]
