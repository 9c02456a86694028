"""The side door: what the holder of the token may tell the running server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perc_archive.exchange import State
from perc_archive.faults import Fault
from perc_archive.listing import STYLES
from perc_archive.shaping import Shape

PREFIX = "/_archive/"
TOKEN_FIELD = "X-Archive-Token"


class Control:
    """Carries out the commands of `perc_archive.archive.Archive`; each takes and gives a JSON object."""

    def __init__(self, state: State, *, own_layer: Path, token: str) -> None:
        self._state = state
        self._own_layer = own_layer
        self._token = token
        self._commands: dict[str, Callable[..., object]] = {
            "ping": lambda: None,
            "shape": self._shape,
            "fault": self._fault,
            "style": self._style,
            "clear": self._clear,
            "log": self._log,
        }

    def answer(self, target: str, token: str, body: bytes) -> tuple[int, bytes]:
        """Status and JSON body for a command."""
        command = self._commands.get(target.removeprefix(PREFIX))
        if token != self._token or command is None:
            return 404, b"{}"
        try:
            arguments: dict[str, Any] = json.loads(body or b"{}")
            return 200, json.dumps({"result": command(**arguments)}).encode()
        except (TypeError, ValueError) as error:
            return 400, json.dumps({"error": str(error)}).encode()

    def _shape(self, latency_seconds: float, rate_bytes_per_second: float | None) -> None:
        self._state.shape = Shape(
            latency_seconds=latency_seconds, rate_bytes_per_second=rate_bytes_per_second
        )

    def _fault(self, **arguments: Any) -> None:
        self._state.site.faults.add(Fault(**arguments))

    def _style(self, style: str) -> None:
        if style not in STYLES:
            raise ValueError(f"no listing style is called {style!r}; there are {', '.join(STYLES)}")
        self._state.site.listing_style = style

    def _clear(self, latency_seconds: float, rate_bytes_per_second: float | None) -> None:
        self._state.site.faults.clear()
        self._shape(latency_seconds, rate_bytes_per_second)
        self._state.site.listing_style = STYLES[0]
        for child in list(self._own_layer.iterdir()):
            shutil.rmtree(child)
        self._state.journal.clear()

    def _log(self, match: str) -> list[dict[str, object]]:
        return self._state.journal.read(match)
