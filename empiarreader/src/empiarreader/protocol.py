"""The reading protocol: what a source of images offers to whoever reads from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@runtime_checkable
class ReadableSource(Protocol):
    """A sequence of named arrays that are read one at a time, whole or in part.

    Sources can be pickled and may be read from several threads at once. Other packages need not import this
    class: any object with these methods will do.
    """

    def __len__(self) -> int:
        """Return how many arrays there are."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Names of the arrays: unique, and the same each time."""
        ...

    def shape(self, i: int, /) -> tuple[int, ...]:
        """Return the shape of array ``i``, in array order."""
        ...

    def dtype(self, i: int, /) -> np.dtype[Any]:
        """Return the type that the values of array ``i`` are read as."""
        ...

    def read(
        self, i: int, /, region: tuple[slice, ...] | None = None, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Return array ``i``, or the part of it that ``region`` says, in ``out`` where one is given.

        ``region`` goes in array order with steps of 1; axes that it does not name are read whole.
        """
        ...
