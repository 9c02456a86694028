"""The real services' dialects, one module each, and who answers what."""

from __future__ import annotations

from collections.abc import Callable

from perc_archive.protocol import Request, Response, html_page
from perc_archive.services import (
    alphafold,
    apache,
    beacons,
    ebisearch,
    empiar_api,
    models,
    pdbe,
    rcsb_data,
    rcsb_fasta,
    rcsb_files,
    rcsb_search,
    static,
    uniprot,
)
from perc_archive.site import Site

Service = Callable[[Request, Site], Response | None]

_ROUTES: tuple[tuple[str, str, Service], ...] = (
    ("www.ebi.ac.uk", "/empiar/api/", empiar_api.answer),
    ("www.ebi.ac.uk", "/ebisearch/", ebisearch.answer),
    ("www.ebi.ac.uk", "/pdbe/pdbe-kb/3dbeacons/", beacons.answer),
    ("www.ebi.ac.uk", "/pdbe/", pdbe.answer),
    ("ftp.ebi.ac.uk", "/", apache.answer),
    ("search.rcsb.org", "/", rcsb_search.answer),
    ("data.rcsb.org", "/", rcsb_data.answer),
    ("www.rcsb.org", "/", rcsb_fasta.answer),
    ("files.rcsb.org", "/", rcsb_files.answer),
    ("models.rcsb.org", "/", rcsb_files.answer_models),
    ("files.wwpdb.org", "/", rcsb_files.answer_wwpdb),
    ("alphafold.ebi.ac.uk", "/", alphafold.answer),
    ("swissmodel.expasy.org", "/", models.answer),
    ("alphafill.eu", "/", models.answer),
    ("www.modelarchive.org", "/", models.answer),
    ("pdb-redo.eu", "/", models.answer),
    ("ted.cathdb.info", "/", models.answer),
    ("rest.uniprot.org", "/", uniprot.answer),
)


def answer(request: Request, site: Site) -> Response:
    """Ask the service that a request is for, and where it knows nothing, look for a static file."""
    if request.method not in ("GET", "HEAD", "POST"):
        return html_page(405, "405 Method Not Allowed", "The requested method is not allowed for this URL.")
    response = _of_service(request, site)
    if response.status >= 400 and request.method != "POST":
        return static.answer(request, site) or response
    return response


def _of_service(request: Request, site: Site) -> Response:
    for host, prefix, service in _ROUTES:
        if request.host == host and request.path.startswith(prefix):
            response = service(request, site)
            if response is not None:
                return response
    return html_page(404, "404 Not Found", "The requested URL was not found on this server.")
