"""Files of the RCSB PDB and the wwPDB: structures in several formats, plain and gzipped."""

from __future__ import annotations

import re
from pathlib import Path

from perc_archive.protocol import Request, Response, html_page
from perc_archive.services import static
from perc_archive.site import Site

_HOST = "files.rcsb.org"
_NAME = re.compile(
    r"(?P<id>[0-9][0-9a-z]{3}|pdb_[0-9a-z]{8})(?P<rest>(?:-assembly\d+)?\.(?:cif|pdb\d*|xml|bcif))(?P<gz>\.gz)?",
    re.I,
)


def _find(site: Site, host: str, folder: str, name: str) -> Path | None:
    """File under its canonical name, in the form asked for."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    pdb_id = match["id"].upper() if len(match["id"]) == 4 else match["id"].lower()
    stem = f"{folder}/{pdb_id}{match['rest'].lower()}"
    return site.tree.either_form(host, stem, gzipped=match["gz"] is not None)


def find_structure(site: Site, name: str) -> Path | None:
    """File of ``files.rcsb.org/download/{name}``."""
    return _find(site, _HOST, "download", name)


def _serve(request: Request, site: Site, file: Path | None) -> Response:
    if file is None:
        return html_page(
            404, "404 Not Found", "The requested URL was not found on this server.", server="RCSB PDB"
        )
    # No validators: whether files.rcsb.org sends an ETag or Last-Modified is not on record.
    kind = "application/gzip" if request.path.lower().endswith(".gz") else "text/plain"
    return static.file_response(request, site, file, headers=[("Server", "RCSB PDB"), ("Content-Type", kind)])


def answer(request: Request, site: Site) -> Response:
    """``/download/{id}.{cif,pdb,…}[.gz]`` and ``/view/…``, in any case of the id."""
    folder, _, name = request.path.strip("/").rpartition("/")
    file = find_structure(site, name) if folder in ("download", "view") else None
    return _serve(request, site, file)


def answer_models(request: Request, site: Site) -> Response:
    """BinaryCIF ``/{id}.bcif[.gz]`` and the ModelServer's ``/v1/{id}/full`` in mmCIF."""
    whole = re.fullmatch(r"/v1/(\w+)/full", request.path)
    if whole is not None:
        encoding = request.parameters.get("encoding", "cif")
        zipped = ".gz" if request.parameters.get("compress_gzip", "").lower() in ("true", "1") else ""
        name = f"{whole[1]}.{encoding}{zipped}"
        found = find_structure(site, name) if encoding == "cif" else _find(site, request.host, "", name)
        return _serve(request, site, found)
    return _serve(request, site, _find(site, request.host, "", request.path.strip("/")))


def answer_wwpdb(request: Request, site: Site) -> Response:
    """``/pub/pdb/data/structures/divided/mmCIF/{mid}/{id}.cif.gz`` from the same files; what is obsolete."""
    if request.path == "/pub/pdb/data/status/obsolete.dat":
        return _obsolete(site)
    match = re.fullmatch(
        r"/pub/pdb/data/structures/(?:divided/(?P<what>mmCIF|pdb)/(?P<mid>\w\w)|all/(?P<all>mmCIF|pdb))/"
        r"(?P<name>[\w.]+\.gz)",
        request.path,
    )
    if match is None:
        return _serve(request, site, None)
    name = match["name"]
    if (match["what"] or match["all"]) == "pdb":
        name = re.sub(r"pdb(\w{4})\.ent\.gz", r"\1.pdb.gz", name)
    if match["mid"] and name[1:3] != match["mid"]:
        return _serve(request, site, None)
    return _serve(request, site, find_structure(site, name))


def _obsolete(site: Site) -> Response:
    """The list of withdrawn entries: two that are known to all, and those that were added as records."""
    rows = [("31-JUL-94", "116L", ["216L"]), ("29-JAN-96", "125D", ["1AW6"])]
    for pdb_id in site.tree.keys("obsolete"):
        record = site.tree.record("obsolete", pdb_id)
        rows.append((record["date"], pdb_id, record["successors"]))
    lines = [" LIST OF OBSOLETE COORDINATE ENTRIES AND SUCCESSORS"]
    for date, pdb_id, successors in rows:
        lines.append(f"OBSLTE    {date} {pdb_id:<8} {' '.join(successors)}".rstrip())
    body = "\n".join(lines) + "\n"
    return Response(headers=[("Content-Type", "text/plain")], body=body.encode())
