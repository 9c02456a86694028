"""``--part 3/16``: one share of a list, where many jobs that know nothing of each other do one share each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

_Item = TypeVar("_Item")
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


@dataclass(frozen=True)
class Part:
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


def part_option(what: str) -> Callable[[_Decorated], _Decorated]:
    """Return the option ``--part`` of a command that does something with files."""
    return click.option(
        "--part",
        metavar="K/N",
        callback=_read_part,
        help=f"{what} only every N-th file, from the K-th on: a share for one of N jobs.",
    )


def _read_part(ctx: click.Context, param: click.Parameter, text: str | None) -> Part | None:
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"{text!r} is no share such as 3/16, which is one of 1/16 to 16/16")
    return Part(int(match[1]), int(match[2]))
