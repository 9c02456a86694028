"""Plain files of any host, with the header fields that its files have."""

from __future__ import annotations

from pathlib import Path

from perc_archive.protocol import Request, Response
from perc_archive.ranges import file_etag, http_date
from perc_archive.site import Site

_TYPES = {
    ".xml": "application/xml", ".json": "application/json", ".html": "text/html", ".txt": "text/plain",
    ".fasta": "text/plain", ".csv": "text/csv", ".gz": "application/x-gzip", ".bz2": "application/x-bzip2",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".png": "image/png", ".jpg": "image/jpeg",
    ".pdb": "text/plain", ".cif": "text/plain", ".zip": "application/zip",
}  # fmt: skip


def content_type(path: str) -> str:
    """Media type by the end of a name, ``application/octet-stream`` where it tells nothing."""
    return _TYPES.get(Path(path).suffix.lower(), "application/octet-stream")


def file_response(
    request: Request,
    site: Site,
    file: Path,
    *,
    path: str | None = None,
    headers: list[tuple[str, str]] | None = None,
) -> Response:
    """Answer with a file: ranges, ETag and Last-Modified, then what was given with the file on top.

    `headers` are the host's own; without them Apache's are used.
    """
    place = path if path is not None else request.path
    if headers is None:
        headers = [("Server", "Apache"), ("Content-Type", content_type(place))]
        headers += [("ETag", file_etag(file)), ("Last-Modified", http_date(file.stat().st_mtime))]
    given = site.tree.headers(request.host, place)
    names = {name.lower() for name in given}
    kept = [(name, value) for name, value in headers if name.lower() not in names]
    return Response(headers=[*kept, *given.items()], file=file, ranges=True)


def answer(request: Request, site: Site) -> Response | None:
    """The file at exactly the address asked for, or None."""
    if request.path.endswith("/"):
        return None
    file = site.tree.file(request.host, request.path)
    return None if file is None else file_response(request, site, file)
