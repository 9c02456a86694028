"""``--part 3/16``: one share of a list, where many jobs that know nothing of each other do one share each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import click

_Item = TypeVar("_Item")


class Part(NamedTuple):
    """One of so many shares, counted from 1."""

    number: int
    count: int

    def of(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """Return the share's items: shares have nothing in common, and all together are everything.

        Examples
        --------
        >>> [Part(k, 3).of("abcdefgh") for k in (1, 2, 3)]
        ['adg', 'beh', 'cf']
        """
        return items[self.number - 1 :: self.count]


class PartType(click.ParamType):
    """Reads ``3/16``."""

    name = "K/N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Part:
        """Return the share, or refuse what is none."""
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", str(value))
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"{value!r} is no share such as 3/16, which is one of 1/16 to 16/16", param, ctx)
        return Part(int(match[1]), int(match[2]))


def part_option(what: str) -> Any:
    """Return the option ``--part`` of a command that does something with files."""
    return click.option(
        "--part", type=PartType(), metavar="K/N", help=f"{what} only every N-th file, from the K-th on."
    )
