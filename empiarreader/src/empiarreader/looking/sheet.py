"""Contact sheets: many images side by side, each read as sparingly as a look at one allows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.byteunits import describe_bytes, describe_count
from empiarreader.errors import EmpiarReaderError, InvalidRequestError
from empiarreader.listing.tree import ArchiveFile
from empiarreader.looking.drawn import Drawn
from empiarreader.looking.look import Look, look_at
from empiarreader.looking.plan import MOST_FRAMES
from empiarreader.looking.scale import say_pixel
from empiarreader.looking.targets import Target, spread
from empiarreader.network.counters import traffic
from empiarreader.notebook import picture_html
from empiarreader.partitions import ImagePartitions
from empiarreader.threads import Threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PICTURE_SIZE = 256
_AT_ONCE = 4
_MOST_IMAGES = 144
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class SheetImage:
    """One image of a contact sheet.

    Attributes
    ----------
    name : str
        Path, address or EMDB id.
    picture : NDArray or None
        ``(y, x)``, averaged down; None where it could not be read.
    note : str
        Its shape, type and pixel size, or in short why it could not be read.
    error : EmpiarReaderError or None
        Why it could not be read.
    """

    name: str
    picture: NDArray[Any] | None = None
    note: str = ""
    error: EmpiarReaderError | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactSheet(Drawn):
    """Images side by side; a notebook shows them.

    Attributes
    ----------
    title : str
        What they are images of.
    images : tuple of SheetImage
        In the order given; those that could not be read say why.
    count : int
        Of how many they were chosen.
    bytes_moved, requests : int
        What this process moved meanwhile.
    """

    title: str
    images: tuple[SheetImage, ...]
    count: int
    bytes_moved: int
    requests: int

    @property
    def failures(self) -> tuple[SheetImage, ...]:
        """Those that could not be read."""
        return tuple(image for image in self.images if image.error is not None)

    def describe(self) -> str:
        """Return how many of how many are shown, and what moved, in a sentence."""
        failed = f", {len(self.failures)} of them not readable" if self.failures else ""
        moved = f"{describe_bytes(self.bytes_moved)} moved" if self.requests else "nothing moved"
        return f"{len(self.images)} of {describe_count(self.count, 'images')}{failed}; {moved}"

    @cached_property
    def png(self) -> bytes:
        """The sheet as a PNG file.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed: ``pip install 'empiarreader[plot]'``.
        """
        from empiarreader.looking.drawing import draw_sheet

        return draw_sheet(
            self.title,
            [image.name.rpartition("/")[2] or image.name for image in self.images],
            [image.picture for image in self.images],
            [image.note for image in self.images],
            self.describe(),
        )

    def _repr_html_(self) -> str:
        return picture_html(self.title, self.png, [self.describe()])


def contact_sheet(
    images: ImagePartitions | Iterable[str | os.PathLike[str] | ArchiveFile],
    *,
    count: int = 12,
    limit_bytes: int | None = None,
    progress: Progress | None = None,
) -> ContactSheet:
    """Look at images evenly spread over many, side by side.

    Parameters
    ----------
    images
        A source of images (:class:`EmpiarSource`, :class:`MrcSource`), or addresses, paths, EMDB ids
        and files that an entry lists.
    count
        How many to show.
    limit_bytes
        How much may be read of each; None is 16 MiB over a network, 256 MB from a disk.
    progress
        Called after each image with the number done, their number, and its name.

    Raises
    ------
    InvalidRequestError
        If there are no images, or too many are asked for. An image that cannot be read raises nothing:
        it says why in ``failures``.
    """
    if isinstance(images, ImagePartitions):
        targets = [
            Target(location=url, name=name) for url, name in zip(images.filenames, images.names, strict=True)
        ]
        title = repr(images)
    else:
        targets = [_target(item) for item in images]
        title = describe_count(len(targets), "images")
    return sheet_of(targets, title=title, count=count, limit_bytes=limit_bytes, progress=progress)


def _target(item: str | os.PathLike[str] | ArchiveFile) -> Target:
    if isinstance(item, ArchiveFile):
        return Target(location=item.url, name=item.path)
    return Target(location=os.fspath(item), name=os.fspath(item))


def sheet_of(
    targets: Sequence[Target],
    *,
    title: str,
    count: int,
    kind: str | None = None,
    pixel_size_angstrom: float | None = None,
    limit_bytes: int | None = None,
    most_frames: int = MOST_FRAMES,
    progress: Progress | None = None,
) -> ContactSheet:
    """Look at targets evenly spread over many; see :func:`contact_sheet`."""
    if not targets:
        raise InvalidRequestError("there are no images to show")
    if not 1 <= count <= _MOST_IMAGES:
        raise InvalidRequestError(f"a contact sheet has 1 to {_MOST_IMAGES} images, not {count}")
    chosen = spread(targets, count)
    before = traffic()

    def see(target: Target) -> SheetImage:
        try:
            subject = target.open(kind=kind, pixel_size_angstrom=pixel_size_angstrom, limit_bytes=limit_bytes)
            look = look_at(
                subject, size=_PICTURE_SIZE, limit_bytes=limit_bytes, most_frames=most_frames, spectrum=False
            )
        except EmpiarReaderError as error:
            return SheetImage(name=target.name, note=_reason(error, target), error=error)
        shape = " x ".join(map(str, subject.shape))
        note = f"{shape} {subject.dtype}, {say_pixel(subject.pixel_size_angstrom)}"
        return SheetImage(name=target.name, picture=square(look), note=note)

    seen: list[SheetImage] = []
    with Threads(_AT_ONCE, "empiarreader-sheet") as workers:
        for image in workers.map(see, chosen):
            seen.append(image)
            if progress is not None:
                progress(len(seen), len(chosen), image.name)
    moved = traffic() - before
    return ContactSheet(
        title=title,
        images=tuple(seen),
        count=len(targets),
        bytes_moved=moved.bytes_received,
        requests=moved.requests,
    )


def _reason(error: EmpiarReaderError, target: Target) -> str:
    """Return what an error says, without the address, beside which it is shown."""
    return str(error).removeprefix(f"{target.location} ").replace(target.location, target.name)


def square(look: Look) -> NDArray[np.float64]:
    """Return the picture of a look, of a band the square in its middle."""
    picture = look.picture if look.detail is None else look.detail
    if look.detail is None:
        return picture
    side = min(picture.shape)
    start = (picture.shape[1] - side) // 2
    return picture[:, start : start + side]
