"""Records that come many at a time: each is kept in the cache as if it had been asked for alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from profet import settings
from profet.access import Access, provenance_of
from profet.errors import DamagedFileError, OfflineError
from profet.formats import compressed
from profet.store import Key

if TYPE_CHECKING:
    from profet.http import Answer

Item = TypeVar("Item")


def ask_for_many(
    access: Access,
    url: str,
    split: Callable[[bytes], Mapping[Key, Any]],
    *,
    question: object = None,
) -> Mapping[Key, Any]:
    """Ask for many records at once, and keep each.

    Parameters
    ----------
    access
        The way to the service and the cache.
    url
        What to ask for.
    split
        Takes the answer apart, into texts or what JSON can hold. What it raises for want of a part counts as
        a damaged answer.
    question
        Sent as JSON with POST; None: GET.

    Raises
    ------
    OfflineError
        In offline mode.
    ServiceError, DamagedFileError
        As `profet.http.Client.fetch`.
    """

    def decode(answer: Answer) -> tuple[Mapping[Key, Any], Answer]:
        try:
            return split(compressed.unpack(answer.body)[0]), answer
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
            if isinstance(error, DamagedFileError):
                raise
            raise DamagedFileError(f"the answer cannot be understood ({error!r})") from None

    if settings.is_offline():
        raise OfflineError(f"PROFET_OFFLINE is set, so nobody can be asked for {url}", url=url)
    found = access.client.fetch(url, decode, gzip=True, question=question)
    if found is None:
        return {}
    records, answer = found
    for key, record in records.items():
        data = (record if isinstance(record, str) else json.dumps(record)).encode()
        access.store.put(key, compressed.pack(data), provenance_of(key, answer, data))
    return records


def in_batches(
    items: Iterable[Item], most: int, *, fits: Callable[[list[Item]], bool] = bool
) -> Iterator[list[Item]]:
    """Part items into lists of at most `most`, each of which `fits`.

    Examples
    --------
    >>> list(in_batches("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    batch: list[Item] = []
    for item in items:
        if batch and (len(batch) == most or not fits([*batch, item])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch
