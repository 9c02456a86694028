"""How long a download goes on asking: attempts, rests that a server asks for, outages that pass."""

from __future__ import annotations

import logging
import threading
import time

from empiarreader.downloading.restraint import Rest
from empiarreader.errors import ServiceError
from empiarreader.network.counters import counter
from empiarreader.network.patience import ATTEMPTS, pause_before_retry
from empiarreader.network.wire import UnreachableError

_ATTEMPTS_WHEN_BUSY = 8
_LONGEST_REST_SECONDS = 900.0
_LONGEST_OUTAGE_SECONDS = 900.0
_LONGEST_PAUSE_SECONDS = 30.0
_BUSY = frozenset({429, 503})

logger = logging.getLogger(__name__)


class Persistence:
    """What all threads of a download know of when to ask again.

    Parameters
    ----------
    stopped
        Set when nobody should ask any more.
    """

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._rest = Rest()
        self._last_byte = 0.0  # when one arrived

    @property
    def is_resting(self) -> bool:
        """Whether the server has asked to be left alone just now."""
        return self._rest.is_on

    def heard(self) -> None:
        """Note that bytes have arrived."""
        self._last_byte = time.monotonic()

    def before_asking(self) -> None:
        """Wait while the server has asked to be left alone; raise if all has been stopped."""
        self._rest.keep(self._stopped)
        if self._stopped.is_set():
            raise ServiceError("the download was given up")

    def after_failure(self, error: ServiceError, attempt: int) -> None:
        """Wait before another attempt, or raise the error where there should be none.

        The whole host is left alone for as long as it asks. Where it cannot be reached any more, though it
        could before, that is waited out for a quarter of an hour, in which networks come back.
        """
        if not error.retryable or self._stopped.is_set():
            raise error
        is_busy = error.status in _BUSY
        if attempt >= (_ATTEMPTS_WHEN_BUSY if is_busy else ATTEMPTS) and not self._is_outage(error):
            raise error
        seconds = pause_before_retry(min(attempt - 1, 10), error.retry_after_seconds)
        if seconds > _LONGEST_REST_SECONDS and error.retry_after_seconds is not None:
            error.add_note(f"It asks to be left alone for {seconds:.0f} s; try again after that.")
            raise error
        logger.info("asking again in %.1f s: %s", seconds, error)
        counter.add(retries=1)
        if is_busy:
            self._rest.ask(seconds)
        else:
            self._stopped.wait(min(seconds, _LONGEST_PAUSE_SECONDS))

    def _is_outage(self, error: ServiceError) -> bool:
        return (
            isinstance(error, UnreachableError)
            and self._last_byte > 0
            and time.monotonic() - self._last_byte < _LONGEST_OUTAGE_SECONDS
        )
