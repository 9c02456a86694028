"""Which chains, alternative positions or models to keep, or which to remove."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from profet.errors import InvalidChoiceError


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Names, and whether they are those to keep or those to remove."""

    names: tuple[str, ...]
    keeps: bool

    @classmethod
    def of(cls, what: str, given: str | int | Iterable[str | int]) -> Selection:
        """Read a selection: names to keep, or all with a hyphen in front, names to remove.

        Parameters
        ----------
        what
            What is selected, for messages.
        given
            One name or several. Numbers are names, too, and negative ones are to be removed.

        Raises
        ------
        InvalidChoiceError
            If there is no name, or both kinds.

        Examples
        --------
        >>> Selection.of("models", 1)
        Selection(names=('1',), keeps=True)
        >>> Selection.of("chains", ["-A", "-B"])
        Selection(names=('A', 'B'), keeps=False)
        """
        several = (given,) if isinstance(given, str | int) else tuple(given)
        words = [str(word).strip() for word in several]
        if not words:
            raise InvalidChoiceError(f"{what} is empty; None keeps all of them")
        removes = {word.startswith("-") for word in words}
        if len(removes) > 1:
            listed = ", ".join(f"{word!a}" for word in words)
            raise InvalidChoiceError(f"{what} {listed} both keeps and removes; it can do one of the two")
        names = dict.fromkeys(word.removeprefix("-") for word in words)
        return cls(names=tuple(names), keeps=not removes.pop())

    def __contains__(self, name: str) -> bool:
        """Whether a chain, alternative or model of that name stays."""
        return (name in self.names) is self.keeps
