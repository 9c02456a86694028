"""EBI Search, domain ``empiar``: words that must all occur in a record, pages of hits."""

from __future__ import annotations

import json
from typing import Any

from perc_archive.protocol import Request, Response, html_page, json_response
from perc_archive.site import Site

_PATH = "/ebisearch/ws/rest/empiar"
_MOST = 100


def answer(request: Request, site: Site) -> Response:
    """``?query=…&format=json&size=…&start=…&fields=…``; the values of fields are lists."""
    if request.path.rstrip("/") != _PATH or request.parameters.get("format") != "json":
        return html_page(
            404, "Not Found", "The requested resource was not found on this server.", server="nginx"
        )
    words = (request.parameters.get("query") or "").lower().replace('"', " ").split()
    start = _number(request.parameters.get("start"), 0)
    size = min(_number(request.parameters.get("size"), 15), _MOST)
    fields = [name for name in (request.parameters.get("fields") or "").split(",") if name]
    hits = [key for key in sorted(site.tree.keys("empiar")) if _holds(site.tree.record("empiar", key), words)]
    shown = [_entry(key, site.tree.record("empiar", key), fields) for key in hits[start : start + size]]
    return json_response(request, {"hitCount": len(hits), "entries": shown, "facets": []})


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() else default


def _holds(record: Any, words: list[str]) -> bool:
    text = json.dumps(record, ensure_ascii=False).lower()
    return bool(words) and all(word in text for word in words)


def _entry(key: str, record: Any, fields: list[str]) -> dict[str, Any]:
    values = {"id": f"EMPIAR-{key}", **{name: record.get(name, "") for name in ("title", "release_date")}}
    return {
        "id": f"EMPIAR-{key}",
        "source": "empiar",
        "fields": {name: [values[name]] if name in values else [] for name in fields},
    }
