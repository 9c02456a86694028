"""EMPIAR REST API: one entry by GET, many by POST, entries of an EMDB map."""

from __future__ import annotations

import re
from typing import Any

from perc_archive.protocol import Request, Response, html_page, json_response
from perc_archive.site import Site

_PREFIX = "/empiar/api/"
_ALONE = "_alone"


def answer(request: Request, site: Site) -> Response:
    """``entry/`` and ``emdb_ref/``; what it does not know gets an HTML page, not JSON."""
    what, _, rest = request.path.removeprefix(_PREFIX).partition("/")
    wanted = rest.strip("/")
    if request.method == "POST":
        wanted = wanted or request.body.decode("utf-8", errors="replace")
    if what == "entry":
        return _entries(request, site, wanted)
    if what == "emdb_ref":
        return _by_map(request, site, wanted)
    return _not_found()


def _not_found() -> Response:
    return html_page(404, "Not Found", "The requested resource was not found on this server.", server="nginx")


def parse_ids(text: str) -> list[tuple[int, int]] | None:
    """Inclusive ranges of a list such as ``10050,10054,EMPIAR-10060-10072``; None where it is no such list.

    >>> parse_ids("10050, EMPIAR-10060-10072")
    [(10050, 10050), (10060, 10072)]
    """
    found = []
    for part in re.split(r"[\s,]+", text.strip().strip('"')):
        match = re.fullmatch(r"(?:EMPIAR-)?(\d{1,9})(?:-(?:EMPIAR-)?(\d{1,9}))?", part, re.IGNORECASE)
        if match is None:
            return None
        found.append((int(match[1]), int(match[2] or match[1])))
    return found


def _entries(request: Request, site: Site, wanted: str) -> Response:
    spans = parse_ids(wanted)
    if spans is None:
        return _not_found()
    if request.method != "POST":
        first, last = spans[0]
        record = site.tree.record("empiar", str(first)) if len(spans) == 1 and first == last else None
        if record is None:
            return _not_found()
        return json_response(request, {f"EMPIAR-{first}": {**_in_a_list(record), **record.get(_ALONE, {})}})
    known = sorted(int(key) for key in site.tree.keys("empiar") if key.isdigit())
    asked = [number for number in known if any(first <= number <= last for first, last in spans)]
    return json_response(
        request, {f"EMPIAR-{number}": _in_a_list(site.tree.record("empiar", str(number))) for number in asked}
    )


def _in_a_list(record: dict[str, Any]) -> dict[str, Any]:
    """Record as it is told among others; what stands under ``_alone`` is told of it alone."""
    return {name: value for name, value in record.items() if name != _ALONE}


def map_references(record: dict[str, Any]) -> set[int]:
    """Numbers of the EMDB entries that a record refers to, by text or by ``{"name": ...}``."""
    names = (r.get("name") if isinstance(r, dict) else r for r in record.get("cross_references", []))
    return {int(name[4:]) for name in names if isinstance(name, str) and re.fullmatch(r"EMD-\d+", name)}


def _by_map(request: Request, site: Site, wanted: str) -> Response:
    spans = parse_ids(wanted.upper().replace("EMD-", ""))
    if spans is None:
        return _not_found()
    found = {}
    for key in site.tree.keys("empiar"):
        record = site.tree.record("empiar", key)
        hit = any(first <= number <= last for number in map_references(record) for first, last in spans)
        if hit and record.get("status") != "OBS":
            found[f"EMPIAR-{key}"] = record
    return _not_found() if not found and request.method != "POST" else json_response(request, found)
