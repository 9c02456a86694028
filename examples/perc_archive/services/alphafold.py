"""AlphaFold DB: the API's array of models, and model files that are stored gzipped."""

from __future__ import annotations

import base64
import hashlib
import re

from perc_archive import confidence
from perc_archive.protocol import Request, Response, json_response
from perc_archive.ranges import http_date
from perc_archive.services import static
from perc_archive.site import Site

_FRONT = [("Server", "Google Frontend")]


def answer(request: Request, site: Site) -> Response | None:
    """``/api/prediction/{accession}`` and ``/files/…``."""
    if request.path.startswith("/api/prediction/"):
        return _prediction(request, site, request.path.removeprefix("/api/prediction/").strip("/"))
    if request.path.startswith("/files/"):
        return _file(request, site)
    return None


def _prediction(request: Request, site: Site, qualifier: str) -> Response:
    accession = qualifier.upper()
    models = site.tree.record("alphafold", accession)
    if models is None and "-" in accession:
        # An isoform, or a model by its name, is found among the models of its protein.
        whole = re.sub(r"^AF-|-F\d+$", "", accession)
        listed = site.tree.record("alphafold", whole.partition("-")[0]) or []
        models = [model for model in listed if model.get("uniprotAccession") == whole] or None
    if models is None:
        return json_response(request, {"error": "No prediction found"}, status=404, headers=_FRONT)
    return json_response(request, models, headers=_FRONT, zipped=True)


def _file(request: Request, site: Site) -> Response:
    stored = site.tree.zipped_file(request.host, request.path)
    if stored is None and (document := confidence.document(site, request.host, request.path)) is not None:
        return json_response(request, document, headers=[("Server", "UploadServer")], zipped=True)
    if stored is None:
        text = "<?xml version='1.0' encoding='UTF-8'?><Error><Code>NoSuchKey</Code>"
        text += "<Message>The specified key does not exist.</Message></Error>"
        headers = [("Server", "UploadServer"), ("Content-Type", "application/xml; charset=UTF-8")]
        return Response(status=404, headers=headers, body=text.encode())
    digest = hashlib.md5(stored.read_bytes(), usedforsecurity=False)
    headers = [
        ("Server", "UploadServer"),
        ("Content-Type", "application/octet-stream"),
        ("Cache-Control", "public,max-age=86400"),
        ("Vary", "Accept-Encoding"),
        # The ETag is of the stored gzip bytes, also where they are sent unpacked.
        ("ETag", f'"{digest.hexdigest()}"'),
        ("Last-Modified", http_date(stored.stat().st_mtime)),
        ("x-goog-hash", f"md5={base64.b64encode(digest.digest()).decode()}"),
        ("x-goog-stored-content-encoding", "gzip"),
        ("x-goog-stored-content-length", str(stored.stat().st_size)),
    ]
    if request.accepts_gzip():
        headers.append(("Content-Encoding", "gzip"))
        return static.file_response(request, site, stored, headers=headers)
    plain = static.file_response(request, site, site.tree.unzipped(stored), headers=headers)
    plain.ranges = False  # a body that is unpacked on the way has no ranges
    return plain
