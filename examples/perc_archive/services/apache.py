"""ftp.ebi.ac.uk over HTTP: Apache with directory listings, over the trees of EMPIAR and EMDB."""

from __future__ import annotations

import stat

from perc_archive import listing
from perc_archive.protocol import Request, Response, html_page
from perc_archive.services import static
from perc_archive.site import Site


def answer(request: Request, site: Site) -> Response:
    """A file, a listing, a redirect to the directory's own address, or Apache's 404."""
    if request.method == "POST":
        return html_page(
            405, "405 Method Not Allowed", "The requested method POST is not allowed for this URL."
        )
    if not request.path.endswith("/"):
        file = site.tree.file(request.host, request.path)
        if file is not None:
            return static.file_response(request, site, file)
    folder = site.tree.folder(request.host, request.path)
    if folder is None:
        return html_page(404, "404 Not Found", "The requested URL was not found on this server.")
    if not request.path.endswith("/"):
        place = listing.escape_path(request.path + "/")
        page = html_page(301, "301 Moved Permanently", "The document has moved.")
        page.headers.append(("Location", f"{request.origin}{request.prefix}{place}"))
        return page
    hidden = site.faults.omitted(request.place, list(folder))
    files = [
        listing.ListedFile(
            name=name,
            is_folder=stat.S_ISDIR(found.st_mode),
            size_bytes=found.st_size,
            modified=found.st_mtime,
        )
        for name, found in folder.items()
        if name not in hidden
    ]
    body = listing.render(
        request.path, files, style=site.listing_style, query=request.query, prefix=request.prefix
    )
    return Response(
        headers=[("Server", "Apache"), ("Content-Type", "text/html;charset=ISO-8859-1")], body=body
    )
