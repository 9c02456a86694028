"""How a failed request is repeated: a few times, with growing pauses, and as the service asks."""

from __future__ import annotations

import random
from typing import Literal

from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from profet.errors import ProfetError, ServiceError

LONGEST_WAIT_SECONDS = 60.0
"""A service that asks for a longer pause than this is reported instead of waited for."""

PASSING = (429, 500, 502, 503, 504)
"""Statuses that may be another one soon."""

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 20.0
_MOST_OF_A_KIND = 2  # a dead connection, or a body that is never whole, is given up sooner

Kind = Literal["status", "connection", "body"]


class PassingError(Exception):
    """A request failed in a way that another attempt may mend.

    Attributes
    ----------
    kind
        Whether the service answered so, did not answer, or sent a body that is not whole.
    told
        What is raised when no attempt is left.
    retry_after
        Seconds to wait, if the service says so.
    """

    def __init__(self, kind: Kind, told: ProfetError, *, retry_after: float | None = None) -> None:
        super().__init__(str(told))
        self.kind: Kind = kind
        self.told, self.retry_after = told, retry_after


class Attempts:
    """Counts the failures of one question, and says how long to wait after each.

    Parameters
    ----------
    most
        How often the question may be repeated.
    """

    def __init__(self, most: int) -> None:
        few = min(most, _MOST_OF_A_KIND)
        self._left: dict[Kind, int] = {"status": most, "connection": few, "body": few}
        self._total_left = most
        self._pause = _FIRST_PAUSE_SECONDS

    def pause_after(self, failure: PassingError) -> float:
        """Seconds to wait before the next attempt.

        Raises
        ------
        ProfetError
            The one that the failure stands for, if it is not worth another attempt. Asking again sooner than
            the service wants is no way out, so a wait longer than `LONGEST_WAIT_SECONDS` ends it, too.
        """
        self._left[failure.kind] -= 1
        self._total_left -= 1
        wait = failure.retry_after
        if wait is not None and wait > LONGEST_WAIT_SECONDS:
            url = getattr(failure.told, "url", "")
            raise ServiceError(f"{failure.told} and asks to wait {wait:.0f} s", url=url)
        if self._left[failure.kind] < 0 or self._total_left < 0:
            raise failure.told
        if failure.kind == "body":
            return 0.0  # the service is well; what came was not
        backoff = self._pause * random.uniform(1.0, 1.5)  # apart, so that jobs do not come back all at once
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        return backoff if wait is None else wait


def retry_after_seconds(field: str | None) -> float | None:
    """Read a ``Retry-After`` field, seconds or a date; None where there is none that can be understood.

    Examples
    --------
    >>> retry_after_seconds("3"), retry_after_seconds("soon"), retry_after_seconds(None)
    (3.0, None, None)
    """
    if not field:
        return None
    try:
        return max(0.0, float(Retry().parse_retry_after(field)))
    except (InvalidHeader, ValueError, OverflowError):
        return None
