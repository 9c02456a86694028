"""PDBe: best structures, SIFTS mappings and entry files."""

from __future__ import annotations

import re
from pathlib import Path

from perc_archive import references
from perc_archive.protocol import Request, Response, html_page, json_response
from perc_archive.ranges import file_etag, http_date
from perc_archive.services import static
from perc_archive.services.rcsb_files import find_structure
from perc_archive.site import Site

_API = re.compile(
    r"/pdbe/(?:api/v2|api|graph-api)/mappings/(?P<what>best_structures|uniprot)/(?P<key>[^/]+)/?"
)
_FILE = re.compile(r"/pdbe/(?P<folder>entry-files/download|entry-files|static/entry)/(?P<name>[^/]+)")


def answer(request: Request, site: Site) -> Response:
    """Mappings by JSON, files with validators; a missing file is an HTML page."""
    asked = _API.fullmatch(request.path)
    if asked is not None:
        return _mapping(request, site, asked["what"], asked["key"])
    wanted = _FILE.fullmatch(request.path)
    file = _find(site, request.host, wanted["name"]) if wanted is not None else None
    if file is None:
        return html_page(404, "Page not found", "The requested page could not be found.", server="nginx")
    headers = [
        ("Content-Type", "application/octet-stream"),
        ("Content-Disposition", "attachment"),
        ("Cache-Control", "max-age=60, private"),
        ("ETag", file_etag(file)),
        ("Last-Modified", http_date(file.stat().st_mtime)),
    ]
    return static.file_response(request, site, file, headers=headers)


def _mapping(request: Request, site: Site, what: str, key: str) -> Response:
    if what == "best_structures":
        name = key.upper()
        record = site.tree.record("best_structures", name) or references.best_structures(site, name)
    else:
        name = key.lower()
        mapped = site.tree.record("sifts", name)
        record = None if mapped is None else {"UniProt": mapped}
    if record is None:
        message = {"message": "Requested endpoint does not contains any data"}
        fields = [("Cache-Control", "no-cache, no-store, must-revalidate")]
        return json_response(request, message, status=404, headers=fields)
    return json_response(request, {name: record}, headers=[("Cache-Control", "public, max-age=604800")])


def _find(site: Site, host: str, name: str) -> Path | None:
    """Entry file by its name; the archive's own copy is the one that RCSB serves too."""
    plain = name.lower().removesuffix(".gz")
    stem = f"/pdbe/entry-files/download/{plain}"
    found = site.tree.either_form(host, stem, gzipped=name.lower().endswith(".gz"))
    if found is not None:
        return found
    return find_structure(site, re.sub(r"^pdb(\w{4})\.ent", r"\1.pdb", name.lower()))
