"""Hosts that only serve files: providers of models, PDB-REDO, TED. A missing file is a web page."""

from __future__ import annotations

from perc_archive.protocol import Request, Response
from perc_archive.services import static
from perc_archive.site import Site


def answer(request: Request, site: Site) -> Response | None:
    """The file of an address, whether it was added plain or compressed; parameters do not count."""
    file = site.tree.either_form(request.host, request.path, gzipped=False)
    return None if file is None else static.file_response(request, site, file)
