"""Values that are worked out when they are first asked for, once an object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

T = TypeVar("T")


class once(cached_property[T]):  # noqa: N801  # a decorator
    """As :func:`functools.cached_property` from Python 3.12 on: no thread waits for another.

    Before 3.12, one lock is held for all objects of a class while the value of one is worked out. Of that
    lock a process that is forked meanwhile has a copy that nobody ever opens, and a worker of a data loader
    waits for it for ever.
    """

    if not TYPE_CHECKING:

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            """Return the value of an object."""
            if instance is None:
                return self
            if self.attrname not in instance.__dict__:
                instance.__dict__[self.attrname] = self.func(instance)
            return instance.__dict__[self.attrname]
