"""RCSB Search API v2: queries by attribute and by text over the structures that are there."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from perc_archive.protocol import Request, Response, json_response
from perc_archive.site import Site

_PREFIX = "rcsb_polymer_entity_container_identifiers."
_ACCESSION = _PREFIX + "reference_sequence_identifiers.database_accession"
_DATABASE = _PREFIX + "reference_sequence_identifiers.database_name"
_COVERAGE = _PREFIX + "reference_sequence_identifiers.reference_sequence_coverage"
_RESOLUTION = "rcsb_entry_info.resolution_combined"
_DEFAULT_ROWS = 10
_LIMIT_ROWS = 10000


# Searchable attributes, each with what a document has for it.
ATTRIBUTES = {
    _ACCESSION: "accession",
    _DATABASE: "accession",
    _COVERAGE: "coverage",
    _RESOLUTION: "resolution",
    "exptl.method": "method",
    "struct.title": "title",
    "rcsb_id": "pdb_id",
    "rcsb_entry_container_identifiers.entry_id": "pdb_id",
    _PREFIX + "entry_id": "pdb_id",
    _PREFIX + "uniprot_ids": "accession",
}


class _QueryError(ValueError):
    """The query is none that the service understands."""


@dataclass(frozen=True, kw_only=True)
class _Document:
    """One polymer entity with what is indexed of it and of its entry."""

    pdb_id: str
    entity: str
    accession: str
    coverage: float
    resolution: float | None
    method: str
    title: str
    computational: bool

    def values(self, attribute: str) -> list[Any]:
        if attribute not in ATTRIBUTES:
            raise _QueryError(f"attribute is not searchable: {attribute}")
        value = getattr(self, ATTRIBUTES[attribute])
        if attribute == _DATABASE:
            return ["UniProt"] if value else []
        return [] if value in ("", None) or (attribute == _COVERAGE and not self.accession) else [value]


def _documents(site: Site) -> Iterable[_Document]:
    for pdb_id in site.tree.keys("rcsb"):
        record = site.tree.record("rcsb", pdb_id)
        for entity in record["entities"] or [{"entity": "1", "accession": "", "coverage": 0.0}]:
            yield _Document(
                pdb_id=pdb_id,
                entity=entity["entity"],
                accession=entity["accession"],
                coverage=entity["coverage"],
                resolution=record["resolution"],
                method=record["method"],
                title=record["title"],
                computational=record["computational"],
            )


def answer(request: Request, site: Site) -> Response | None:
    """``/rcsbsearch/v2/query``: 200 with hits, 204 without, 400 with a message; what is searchable."""
    if request.path.startswith("/rcsbsearch/v2/metadata/"):
        return _schema(request)
    if request.path.rstrip("/") != "/rcsbsearch/v2/query":
        return None
    text = request.body if request.method == "POST" else request.parameters.get("json", "").encode()
    try:
        query = json.loads(text)
        if not isinstance(query, dict):
            raise _QueryError("a query is a JSON object")
        found = _search(query, list(_documents(site)))
    except _QueryError as error:
        return _refusal(request, str(error))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return _refusal(request, f"JSON schema validation failed: {error}")
    return Response(status=204) if found is None else json_response(request, found)


def _schema(request: Request) -> Response | None:
    """What clients learn the searchable attributes from: of structures, and of chemical components (none)."""
    properties: dict[str, Any] = {}
    what = request.path.rstrip("/").removeprefix("/rcsbsearch/v2/metadata/")
    if what not in ("schema", "chemical/schema"):
        return None
    for attribute in ATTRIBUTES if what == "schema" else ():
        inner = properties
        *outer, last = attribute.split(".")
        for name in outer:
            inner = inner.setdefault(name, {"type": "object", "properties": {}})["properties"]
        is_number = attribute in (_COVERAGE, _RESOLUTION)
        inner[last] = {"type": "number" if is_number else "string", "description": attribute}
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": properties,
    }
    return json_response(request, schema)


def _refusal(request: Request, message: str) -> Response:
    link = "https://search.rcsb.org/redoc/index.html"
    return json_response(request, {"status": 400, "message": message, "link": link}, status=400)


def _search(query: dict[str, Any], documents: list[_Document]) -> dict[str, Any] | None:
    return_type = query["return_type"]
    if return_type not in _NAMES:
        raise _QueryError(f"return_type {return_type!r} is not one of {', '.join(_NAMES)}")
    options = query.get("request_options", {})
    content = options.get("results_content_type", ["experimental"])
    pool = [d for d in documents if ("computational" if d.computational else "experimental") in content]
    matches = _matcher(query["query"]) if "query" in query else _everything
    hits = _in_order([document for document in pool if matches(document)], options)
    hits = _grouped(hits, options)
    names = list(dict.fromkeys(_NAMES[return_type](document) for document in hits))
    if not names:
        return None
    result: dict[str, Any] = {
        "query_id": str(uuid.uuid4()), "result_type": return_type, "total_count": len(names)
    }  # fmt: skip
    if options.get("return_counts"):
        return result
    page = _page(names, options)
    compact = options.get("results_verbosity") == "compact"
    result["result_set"] = page if compact else [{"identifier": name, "score": 1.0} for name in page]
    return result


_NAMES: dict[str, Callable[[_Document], str]] = {
    "entry": lambda document: document.pdb_id,
    "polymer_entity": lambda document: f"{document.pdb_id}_{document.entity}",
    "assembly": lambda document: f"{document.pdb_id}-1",
}


def _everything(_: _Document) -> bool:
    return True


def _matcher(node: dict[str, Any]) -> Callable[[_Document], bool]:
    if node["type"] == "group":
        parts = [_matcher(part) for part in node["nodes"]]
        operator = node["logical_operator"]
        if operator not in ("and", "or"):
            raise _QueryError(f"logical_operator {operator!r} is neither 'and' nor 'or'")
        # Each document here has one reference sequence, so terminals of one group meet the same reference,
        # as they do in the real index, where references are nested.
        combine = all if operator == "and" else any
        return lambda document: combine([part(document) for part in parts])
    if node["type"] != "terminal":
        raise _QueryError(f"node type {node['type']!r} is neither 'terminal' nor 'group'")
    parameters = node["parameters"]
    if node["service"] == "full_text":
        return _full_text(str(parameters["value"]))
    if node["service"] != "text":
        raise _QueryError(f"service {node['service']!r} is not available")
    return _attribute(parameters)


def _full_text(value: str) -> Callable[[_Document], bool]:
    words = value.lower().replace('"', "").split()

    def matches(document: _Document) -> bool:
        text = f"{document.pdb_id} {document.accession} {document.title} {document.method}".lower()
        return all(word in text for word in words)

    return matches


def _attribute(parameters: dict[str, Any]) -> Callable[[_Document], bool]:
    attribute, operator, value = parameters["attribute"], parameters["operator"], parameters.get("value")
    if operator not in _OPERATORS:
        raise _QueryError(f"operator {operator!r} is not supported for attribute {attribute}")
    test, negated = _OPERATORS[operator], bool(parameters.get("negation"))
    for_values = _Document(
        pdb_id="",
        entity="",
        accession="",
        coverage=0,
        resolution=None,
        method="",
        title="",
        computational=False,
    ).values
    for_values(attribute)  # an unknown attribute is refused even where there is nothing to search
    return lambda document: any(test(found, value) for found in document.values(attribute)) is not negated


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "exact_match": lambda found, value: bool(found == value),
    "in": lambda found, value: found in value,
    "exists": lambda found, value: True,
    "contains_words": lambda found, value: any(w in str(found).lower() for w in str(value).lower().split()),
    "contains_phrase": lambda found, value: str(value).lower() in str(found).lower(),
    "equals": lambda found, value: bool(found == value),
    "less": lambda found, value: bool(found < value),
    "less_or_equal": lambda found, value: bool(found <= value),
    "greater": lambda found, value: bool(found > value),
    "greater_or_equal": lambda found, value: bool(found >= value),
}


def _in_order(hits: list[_Document], options: dict[str, Any]) -> list[_Document]:
    # Without a sort the real service answers in near-arbitrary order: here by a hash, so nobody leans on the
    # order.
    rows = sorted(hits, key=lambda d: hashlib.sha256(f"{d.pdb_id}_{d.entity}".encode()).digest())
    for rule in reversed(options.get("sort", [])):
        attribute = rule["sort_by"]
        if attribute == "score":
            continue
        descending = rule.get("direction", "desc") == "desc"
        known = [d for d in rows if d.values(attribute)]
        known.sort(key=lambda d, a=attribute: d.values(a)[0], reverse=descending)  # type: ignore[misc]
        rows = known + [d for d in rows if not d.values(attribute)]
    return rows


def _grouped(hits: list[_Document], options: dict[str, Any]) -> list[_Document]:
    """Representatives by UniProt accession, the best covered first, where that was asked for."""
    group = options.get("group_by")
    if group is None or options.get("group_by_return_type") == "groups":
        if group is not None:
            raise _QueryError("group_by_return_type 'groups' is not available")
        return hits
    if group.get("aggregation_method") != "matching_uniprot_accession":
        raise _QueryError(f"aggregation_method {group.get('aggregation_method')!r} is not available")
    best: dict[str, _Document] = {}
    for document in hits:
        if document.accession not in best or document.coverage > best[document.accession].coverage:
            best[document.accession] = document
    return list(best.values())


def _page(names: list[str], options: dict[str, Any]) -> list[str]:
    if options.get("return_all_hits"):
        if "paginate" in options:
            raise _QueryError("return_all_hits cannot be combined with paginate")
        return names
    paginate = options.get("paginate", {})
    start, rows = int(paginate.get("start", 0)), int(paginate.get("rows", _DEFAULT_ROWS))
    if start < 0 or not 0 <= rows <= _LIMIT_ROWS:
        raise _QueryError(f"paginate.rows must lie between 0 and {_LIMIT_ROWS}")
    return names[start : start + rows]
