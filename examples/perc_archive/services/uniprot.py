"""UniProt REST: entries in JSON, FASTA and XML, isoforms, merged and inactive entries, batches."""

from __future__ import annotations

import gzip
import re
from typing import Any

from perc_archive.protocol import Request, Response, json_response
from perc_archive.services import uniprot_search, uniprot_text
from perc_archive.services.uniprot_fields import HEADERS, select
from perc_archive.site import Site
from perc_archive.uniprot_record import isoform_sequence

_ACCESSION = re.compile(
    r"(?:[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(?:-[0-9]+)?", re.IGNORECASE
)
_ENTRY = re.compile(
    r"/uniprotkb/(?P<key>[^/.\[]+)(?:\[(?P<first>\d+)-(?P<last>\d+)\])?(?:\.(?P<format>[a-z]+))?"
)
_TYPES = {"fasta": "text/plain;format=fasta", "xml": "application/xml", "txt": "text/plain;format=flatfile"}
_LIMIT_BATCH = 1000


def answer(request: Request, site: Site) -> Response:
    """``/uniprotkb/{accession}[.format]``, ``/uniprotkb/accessions`` and ``/uniprotkb/search``."""
    if request.path in ("/uniprotkb/search", "/uniprotkb/search/"):
        return uniprot_search.answer(request, site)
    if request.path in ("/uniprotkb/accessions", "/uniprotkb/accessions/"):
        return _batch(request, site)
    match = _ENTRY.fullmatch(request.path)
    if match is None:
        return _message(request, 404, "Resource not found")
    wanted = match["format"] or _format_by_accept(request)
    span = (int(match["first"]), int(match["last"])) if match["first"] else None
    return _entry(request, site, match["key"], wanted, span=span, extension=match["format"])


def _format_by_accept(request: Request) -> str:
    accept = request.headers.get("Accept")
    for text, name in (("fasta", "fasta"), ("flatfile", "txt"), ("application/xml", "xml")):
        if text in accept and "html" not in accept:
            return name
    return "json"


def _message(request: Request, status: int, text: str) -> Response:
    url = f"http://rest.uniprot.org{request.path}"
    return json_response(request, {"url": url, "messages": [text]}, status=status, headers=HEADERS)


def _entry(
    request: Request,
    site: Site,
    key: str,
    wanted: str,
    *,
    span: tuple[int, int] | None,
    extension: str | None,
) -> Response:
    if "_" in key:
        return _by_name(request, site, key, extension)
    if _ACCESSION.fullmatch(key) is None:
        return _message(
            request, 400, "The 'accession' value has invalid format. It should be a valid UniProtKB accession"
        )
    accession, _, isoform = key.upper().partition("-")
    record = site.tree.record("uniprot", accession)
    if record is None:
        return _by_secondary(request, site, accession, extension)
    if record["entryType"] == "Inactive":
        return _inactive(request, record, wanted, extension)
    sequence = None
    if isoform:
        found = isoform_sequence(record, f"{accession}-{isoform}")
        if found is None:
            return _message(request, 404, "Resource not found")
        sequence = (f"{accession}-{isoform}", *found)
    if wanted == "json":
        return json_response(request, _isoform_record(record, sequence), headers=HEADERS, zipped=True)
    if wanted == "fasta":
        return _text(request, uniprot_text.fasta(record, isoform=sequence, span=span), wanted)
    if wanted == "xml":
        return _text(request, uniprot_text.xml(record), wanted)
    if wanted == "txt":
        return _text(request, uniprot_text.flat(record), wanted)
    return _message(request, 400, f"Invalid format: {wanted}")


def _isoform_record(record: dict[str, Any], isoform: tuple[str, str, str] | None) -> dict[str, Any]:
    if isoform is None:
        return record
    accession, _, letters = isoform
    sequence = {**record["sequence"], "value": letters, "length": len(letters)}
    return {**record, "primaryAccession": accession, "sequence": sequence}


def _text(request: Request, text: str, kind: str) -> Response:
    body = text.encode()
    headers = [("Content-Type", _TYPES[kind]), *HEADERS, ("Vary", "Accept-Encoding")]
    if request.accepts_gzip() and body:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    return Response(headers=headers, body=body)


def _moved(
    request: Request, accession: str, source: str, extension: str | None, body: dict[str, Any]
) -> Response:
    tail = f".{extension}" if extension else ""
    place = f"{request.prefix}/uniprotkb/{accession}{tail}?from={source}"
    return json_response(request, body, status=303, headers=[*HEADERS, ("Location", place)])


def _inactive(request: Request, record: dict[str, Any], wanted: str, extension: str | None) -> Response:
    reason = record.get("inactiveReason", {})
    if reason.get("inactiveReasonType") == "MERGED" and reason.get("mergeDemergeTo"):
        return _moved(request, reason["mergeDemergeTo"][0], record["primaryAccession"], extension, record)
    if wanted == "json":
        return json_response(request, record, headers=HEADERS, zipped=True)
    return _text(request, "", wanted if wanted in _TYPES else "txt")


def _by_secondary(request: Request, site: Site, accession: str, extension: str | None) -> Response:
    """A secondary accession leads to the entry that it was merged into."""
    for key in site.tree.keys("uniprot"):
        record = site.tree.record("uniprot", key)
        if accession in record.get("secondaryAccessions", []):
            stub = {
                "entryType": "Inactive",
                "primaryAccession": accession,
                "annotationScore": 0,
                "inactiveReason": {"inactiveReasonType": "MERGED", "mergeDemergeTo": [key]},
            }
            return _moved(request, key, accession, extension, stub)
    return _message(request, 404, "Resource not found")


def _by_name(request: Request, site: Site, name: str, extension: str | None) -> Response:
    for key in site.tree.keys("uniprot"):
        record = site.tree.record("uniprot", key)
        if record.get("uniProtkbId", "").upper() == name.upper():
            return _moved(request, key, name.upper(), extension, record)
    return _message(request, 404, "Resource not found")


def _batch(request: Request, site: Site) -> Response:
    parameters = request.parameters
    if request.method == "POST" and "accessions" not in parameters:
        form = Request(method="POST", host="", path="", query=request.body.decode("utf-8", errors="replace"))
        parameters = {**parameters, **form.parameters}
    accessions = [
        name.strip().upper() for name in parameters.get("accessions", "").split(",") if name.strip()
    ]
    if not accessions:
        return _message(request, 400, "'accessions' is a required parameter")
    if len(accessions) > _LIMIT_BATCH:
        return _message(request, 400, "Only '1000' accessions are allowed in each request.")
    wrong = [name for name in accessions if _ACCESSION.fullmatch(name) is None]
    if wrong:
        return _message(
            request,
            400,
            f"Accession '{wrong[0]}' has invalid format. It should be a valid UniProtKB accession",
        )
    records = [record for name in accessions if (record := site.tree.record("uniprot", name)) is not None]
    if parameters.get("format", "json") == "fasta":
        active = [record for record in records if record["entryType"] != "Inactive"]
        return _text(request, "".join(uniprot_text.fasta(record) for record in active), "fasta")
    if parameters.get("fields"):
        records = [select(record, parameters["fields"].split(",")) for record in records]
    headers = [*HEADERS, ("X-Total-Results", str(len(records)))]
    return json_response(request, {"results": records}, headers=headers, zipped=True)
