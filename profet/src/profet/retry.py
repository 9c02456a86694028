"""How a failed request is repeated: with growing pauses, and as the service asks."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

if TYPE_CHECKING:
    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

LONGEST_WAIT_SECONDS = 60.0
"""A service that asks for a longer pause than this is reported instead of waited for."""

_PASSING = (429, 500, 502, 503, 504)
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 20.0


class PoliteRetry(Retry):
    """Repeat what failed for a passing reason; wait as long as ``Retry-After`` says, within reason.

    urllib3 waits as long as it is told, hours if need be. Asking again sooner than the service wants is no
    way out, so a longer wait than `LONGEST_WAIT_SECONDS` ends the attempts.
    """

    @classmethod
    def times(cls, number: int) -> PoliteRetry:
        """Repeat a request `number` times at most, but give up on a dead connection sooner."""
        return cls(
            total=number,
            connect=min(number, 2),
            read=min(number, 2),
            other=0,
            status_forcelist=_PASSING,
            backoff_factor=_FIRST_PAUSE_SECONDS,
            backoff_jitter=_FIRST_PAUSE_SECONDS / 2,
            backoff_max=_LONGEST_PAUSE_SECONDS,
            raise_on_status=True,
        )

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> PoliteRetry:
        """Count one failure, and stop if the service asks for a longer wait than is worth it."""
        if response is not None and _pool is not None:
            wait = self.get_retry_after(response)
            if wait is not None and wait > LONGEST_WAIT_SECONDS:
                reason = ResponseError(f"answered {response.status} and asks to wait {wait:.0f} s")
                raise MaxRetryError(_pool, url or "", reason)
        return super().increment(method, url, response, error, _pool, _stacktrace)
