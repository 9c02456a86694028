"""Sequences of entries from www.rcsb.org in FASTA format; where there is none, a sentence and status 200."""

from __future__ import annotations

import re

from perc_archive.polymers import Polymer, head_of, polymers
from perc_archive.protocol import Request, Response
from perc_archive.site import Site

_ENTRY = re.compile(r"/fasta/entry/(?P<ids>[^/]+)(?:/(?:display|download))?/?")
_ID = re.compile(r"[1-9]\w{3}|pdb_\w{8}", re.IGNORECASE)


def answer(request: Request, site: Site) -> Response | None:
    """``/fasta/entry/{id},{id}…``."""
    match = _ENTRY.fullmatch(request.path)
    if match is None:
        return None
    names = [name for name in match["ids"].split(",") if _ID.fullmatch(name)]
    if not names:
        return _text("No valid PDB IDs were submitted.")
    parts = []
    for name in names:
        pdb_id = name.upper() if len(name) == 4 else name.lower()
        parts += [_fasta(pdb_id, polymer) for polymer in polymers(head_of(site, pdb_id)) if polymer.letters]
    return _text("".join(parts) or "No fasta files were found.")


def _text(body: str) -> Response:
    return Response(headers=[("Content-Type", "text/plain; charset=UTF-8")], body=body.encode())


def _fasta(pdb_id: str, polymer: Polymer) -> str:
    named = [label if label == author else f"{label}[auth {author}]" for label, author in polymer.chains]
    word = "Chain" if len(named) == 1 else "Chains"
    title = f">{pdb_id}_{polymer.entity}|{word} {', '.join(named)}|{polymer.name}|{polymer.organism}"
    return f"{title}\n{polymer.letters}\n"
