"""What becomes of ids that are fetched: a line of each on stdout, and at the end the failures on stderr."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from profet.cli.terminal import clear_bar, leave, list_failures, printable, progress

if TYPE_CHECKING:
    from profet.result import FetchResult

    Fetch = Callable[[Callable[[FetchResult], object]], Iterable[FetchResult]]
    Record = Callable[[FetchResult], Mapping[str, Any]]


def fetch_and_tell(ids: Sequence[str], fetch: Fetch, record: Record, *, as_json: bool, quiet: bool) -> None:
    """Fetch ids, tell what becomes of each, and leave with the code of what went wrong.

    Parameters
    ----------
    ids
        In the order in which they are told of: each as soon as all before it are done, and all that are done
        if the program is interrupted.
    fetch
        Fetches them, and calls what it is given with each result as it comes.
    record
        What JSON is to say of a result; without ``as_json`` it is told where the file is.
    """

    def show(result: FetchResult) -> None:
        if as_json:
            clear_bar()
            click.echo(json.dumps(record(result)))
        elif result.error is None and not quiet:
            path = result.path if result.report is None else result.report.path
            clear_bar()
            click.echo(f"Saved {printable(result.id)} to '{printable(str(path))}'")

    turns = _Turns(ids, show)
    with progress(len(set(ids)), "Fetching", quiet=quiet) as tell:

        def take(result: FetchResult) -> None:
            tell(result)
            turns.take(result)

        try:
            results = fetch(take)
        finally:
            turns.end()
    list_failures({result.id: result.error for result in results})
    leave(result.error for result in results)


class _Turns:
    """Shows results in the order of their ids, each as soon as its turn has come."""

    def __init__(self, ids: Iterable[str], show: Callable[[FetchResult], object]) -> None:
        self._left, self._show = deque(ids), show
        self._done: dict[str, FetchResult] = {}

    def take(self, result: FetchResult) -> None:
        """Take one as it comes."""
        self._done[result.id] = result
        while self._left and self._left[0] in self._done:
            self._show(self._done[self._left.popleft()])

    def end(self) -> None:
        """Show those that have waited for one that will not come."""
        for typed in self._left:
            if typed in self._done:
                self._show(self._done[typed])
        self._left.clear()
