"""What every label rule is: it says the label of one sample of a source, as a string."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, TypeVar

from caked.errors import InvalidOptionError
from caked.registry import Registry

__all__ = ["LABEL_RULES", "LabelRule", "Labelled", "label_rule_from_dict", "register"]

LABEL_RULES: Registry[type[LabelRule]] = Registry("label rule", entry_points="caked.labels")

_T = TypeVar("_T", bound="type[LabelRule]")


class Labelled(Protocol):
    """What a rule may look at."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each sample."""
        ...

    def meta(self, i: int) -> dict[str, Any]:
        """What is known of a sample."""
        ...

    def group(self, i: int) -> str | None:
        """What a sample belongs to."""
        ...


class LabelRule(ABC):
    """Says the label of a sample, as a string."""

    type_name: ClassVar[str] = ""

    @abstractmethod
    def label(self, source: Labelled, i: int) -> str:
        """Return the label of sample ``i``."""

    def to_dict(self) -> dict[str, Any]:
        """Return what makes this rule again, ready for JSON."""
        return {"type": self.type_name}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> LabelRule:
        """Make the rule that :meth:`to_dict` described."""
        return cls(**{key: value for key, value in description.items() if key != "type"})


def register(name: str) -> Callable[[_T], _T]:
    """Make a rule known to recipes under ``name``."""

    def add(cls: _T) -> _T:
        cls.type_name = name
        LABEL_RULES.add(name, cls)
        return cls

    return add


def label_rule_from_dict(description: Mapping[str, Any], *, allow: Sequence[str] = ()) -> LabelRule:
    """Make the rule that a dictionary describes; ``allow`` as for :meth:`caked.Recipe.load`."""
    cls = LABEL_RULES.get(str(description.get("type")))
    try:
        return cls.from_dict(description, allow)
    except (KeyError, TypeError) as error:
        raise InvalidOptionError(
            f"The description of {cls.type_name!r} labels does not fit: {error}."
        ) from error
