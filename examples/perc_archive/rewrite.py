"""Links to known hosts, turned towards this server where it does not answer under their names."""

from __future__ import annotations

import re

from perc_archive.settings import HOSTS

_LINK = re.compile(rb"https?://(" + b"|".join(re.escape(host.encode()) for host in HOSTS) + rb")(?=[/\"?]|$)")


def rewrite_links(body: bytes, base: str) -> bytes:
    """Text in which ``https://<known host>`` reads ``<base>/<known host>``.

    >>> rewrite_links(b'"https://alphafold.ebi.ac.uk/files/a.cif"', "http://127.0.0.1:80")
    b'"http://127.0.0.1:80/alphafold.ebi.ac.uk/files/a.cif"'
    """
    return _LINK.sub(base.encode() + rb"/\1", body)
