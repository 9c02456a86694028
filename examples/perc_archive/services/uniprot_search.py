"""UniProt's search: entries by accession, name, gene or words, joined by OR, page by page."""

from __future__ import annotations

import json
import re
from typing import Any

from perc_archive.protocol import Request, Response, json_response
from perc_archive.services.uniprot_fields import HEADERS, select
from perc_archive.site import Site

_DEFAULT_SIZE = 25
_LIMIT_SIZE = 500


def answer(request: Request, site: Site) -> Response:
    """``/uniprotkb/search?query=…``: the total in a header, the next page in ``Link``."""
    parameters = request.parameters
    query, size = parameters.get("query", ""), parameters.get("size", str(_DEFAULT_SIZE))
    if not query:
        return _refusal(request, "'query' is a required parameter")
    if not size.isdigit() or int(size) > _LIMIT_SIZE:
        return _refusal(request, f"'size' must be less than or equal to {_LIMIT_SIZE}")
    terms = [term.strip(" ()") for term in re.split(r"\s+OR\s+", query)]
    found = [
        record
        for key in site.tree.keys("uniprot")
        if any(_matches(term, record := site.tree.record("uniprot", key)) for term in terms)
    ]
    cursor = parameters.get("cursor", "0")
    start = int(cursor) if cursor.isdigit() else 0
    page = found[start : start + int(size)]
    headers = [*HEADERS, ("X-Total-Results", str(len(found)))]
    if start + len(page) < len(found) and page:
        kept = re.sub(r"&?cursor=[^&]*", "", request.query)
        place = f"{request.origin}{request.prefix}{request.path}?{kept}&cursor={start + len(page)}"
        headers.append(("Link", f'<{place}>; rel="next"'))
    if parameters.get("fields"):
        page = [select(record, parameters["fields"].split(",")) for record in page]
    return json_response(request, {"results": page}, headers=headers, zipped=True)


def _matches(term: str, record: dict[str, Any]) -> bool:
    name, colon, value = term.partition(":")
    wanted = (value if colon else term).strip('"').upper()
    if not colon:
        return wanted in json.dumps(record).upper()
    known = {
        "accession": [record["primaryAccession"]],
        "id": [record.get("uniProtkbId", "")],
        "sec_acc": record.get("secondaryAccessions", []),
        "gene": [gene.get("geneName", {}).get("value", "") for gene in record.get("genes", [])],
    }
    return wanted in (str(text).upper() for text in known.get(name, []))


def _refusal(request: Request, message: str) -> Response:
    url = f"http://rest.uniprot.org{request.path}"
    return json_response(request, {"url": url, "messages": [message]}, status=400, headers=HEADERS)
