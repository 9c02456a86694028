"""Patterns that select files by their path: globs with ``**``, and regular expressions."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache

from empiarreader.errors import PatternError


class Glob:
    """A glob over paths: ``*``, ``?`` and ``[...]`` stay within one name, ``**`` stands for any directories.

    Parameters
    ----------
    pattern
        The glob, relative to where the search begins.
    ignore_case
        Whether upper and lower case are the same.

    Examples
    --------
    >>> pattern = Glob("data/**/*_EER.mrc")
    >>> pattern.matches("data/a_EER.mrc"), pattern.matches("data/x/y/a_EER.mrc"), pattern.matches("a_EER.mrc")
    (True, True, False)
    >>> pattern.may_match_below("data/x"), pattern.may_match_below("other")
    (True, False)
    """

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        parts = tuple(part for part in pattern.split("/") if part not in {"", "."})
        if not parts or ".." in parts:
            raise PatternError(f"{pattern!r} is no pattern; give a name or a glob such as 'data/**/*.mrc'")
        self.pattern = pattern
        self._parts = tuple(None if part == "**" else _compile_name(part, ignore_case) for part in parts)

    def matches(self, path: str) -> bool:
        """Return whether the glob stands for this path."""
        return len(self._parts) in self._positions(path)

    def may_match_below(self, directory: str) -> bool:
        """Return whether a file below this directory can match, so that it is worth listing."""
        return any(position < len(self._parts) for position in self._positions(directory))

    def _positions(self, path: str) -> set[int]:
        """Return how far into the pattern one can be after all names of a path."""
        positions = self._skip_stars({0})
        for name in filter(None, path.split("/")):
            after = set()
            for position in positions:
                if position == len(self._parts):
                    continue
                part = self._parts[position]
                if part is None:
                    after.add(position)
                elif part.fullmatch(name):
                    after.add(position + 1)
            positions = self._skip_stars(after)
        return positions

    def _skip_stars(self, positions: set[int]) -> set[int]:
        """Add the positions that are reached because ``**`` also stands for no directory at all."""
        reached = set(positions)
        for position in sorted(positions):
            while position < len(self._parts) and self._parts[position] is None:
                position += 1
                reached.add(position)
        return reached


def compile_regexp(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Return a compiled regular expression; upper and lower case differ unless told otherwise.

    Raises
    ------
    PatternError
        If it is malformed; the message says where, and what might have been meant.
    """
    try:
        return re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        hint = "; to use it as a glob, leave out regexp" if "*" in pattern or "?" in pattern else ""
        raise PatternError(f"{pattern!r} is no regular expression ({error}){hint}") from error


@lru_cache(maxsize=256)
def _compile_name(part: str, ignore_case: bool) -> re.Pattern[str]:
    try:
        return re.compile(fnmatch.translate(part), re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise PatternError(f"{part!r} is no glob ({error}); write [ as [[] to mean the bracket") from error
