"""3D-Beacons hub: summaries of all models of a protein, filtered by provider."""

from __future__ import annotations

import json
import re
from typing import Any

from perc_archive import references
from perc_archive.protocol import Request, Response, json_response
from perc_archive.site import Site

_SUMMARY = re.compile(
    r"/pdbe/pdbe-kb/3dbeacons/api(?:/v2)?/uniprot/(?:summary/)?(?P<accession>[A-Za-z0-9-]+)\.json"
)
_FIELDS = [("x-3dbeacons-api-version", "2.7.1")]
_LIMIT_ACCESSIONS = 10


def answer(request: Request, site: Site) -> Response:
    """``uniprot/summary/{accession}.json`` by GET, ``uniprot/summary`` with a list by POST."""
    if request.method == "POST":
        return _many(request, site)
    match = _SUMMARY.fullmatch(request.path)
    parameters = request.parameters
    found = (
        _filtered(site, match["accession"], parameters.get("provider"), parameters.get("exclude_provider"))
        if match is not None
        else None
    )
    return json_response(request, found or {}, status=200 if found else 404, headers=_FIELDS, zipped=True)


def _many(request: Request, site: Site) -> Response:
    try:
        body = json.loads(request.body)
        accessions = [str(accession) for accession in body["accessions"]]
    except (ValueError, KeyError, TypeError):
        return json_response(request, {"detail": "no list of accessions"}, status=422, headers=_FIELDS)
    if len(accessions) > _LIMIT_ACCESSIONS:
        return json_response(request, {"detail": "at most 10 accessions"}, status=422, headers=_FIELDS)
    found = [_filtered(site, name, body.get("provider"), body.get("exclude_provider")) for name in accessions]
    kept = [summary for summary in found if summary]
    return json_response(request, kept or {}, status=200 if kept else 404, headers=_FIELDS, zipped=True)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _filtered(site: Site, accession: str, only: str | None, without: str | None) -> dict[str, Any] | None:
    name = accession.upper()
    record = site.tree.record("beacons", name) or references.summary(site, name)
    if record is None:
        return None
    structures = [
        structure
        for structure in record["structures"]
        if (not only or _matches(structure, only)) and not (without and _matches(structure, without))
    ]
    return {**record, "structures": structures} if structures else None


def _matches(structure: dict[str, Any], provider: str) -> bool:
    """Whether a structure is of a provider; ``alphafold`` calls itself AlphaFold DB."""
    return _plain(structure["summary"]["provider"]).startswith(_plain(provider))
