"""Documents of AlphaFold DB on how far a model can be trusted, made from the model's own file."""

from __future__ import annotations

import gzip
import re
from typing import Any

from perc_archive.site import Site
from perc_archive.structure_record import category_rows

_NAME = re.compile(
    r"(?P<folder>/files/)(?P<model>AF-[\w-]+-F\d+)-(?P<what>confidence|predicted_aligned_error)_"
    r"(?P<version>v\d+)\.json"
)
_CATEGORIES = ((90, "H"), (70, "M"), (50, "L"), (0, "D"))
_LARGEST_ERROR_ANGSTROM = 31.75


def document(site: Site, host: str, path: str) -> Any | None:
    """Confidence of each residue, or error of each pair, of a model that is there; None for anything else.

    The confidences are those in the model's file. The errors are made up: they grow with the distance along
    the chain, the more so the less certain two residues are.
    """
    match = _NAME.fullmatch(path)
    if match is None:
        return None
    model = site.tree.zipped_file(host, f"{match['folder']}{match['model']}-model_{match['version']}.cif")
    if model is None:
        return None
    scores = _scores(gzip.decompress(model.read_bytes()).decode("utf-8", errors="replace"))
    if match["what"] == "confidence":
        return {
            "residueNumber": list(scores),
            "confidenceScore": list(scores.values()),
            "confidenceCategory": [
                next(name for least, name in _CATEGORIES if score >= least) for score in scores.values()
            ],
        }
    errors = [[_error(i, j, scores) for j in scores] for i in scores]
    return [{"predicted_aligned_error": errors, "max_predicted_aligned_error": _LARGEST_ERROR_ANGSTROM}]


def _scores(text: str) -> dict[int, float]:
    """PLDDT by residue, as the B column of the first atom of each has it."""
    found: dict[int, float] = {}
    for row in category_rows(text[text.index("_atom_site.") - 8 :], "_atom_site."):
        if row["label_seq_id"].isdigit():
            found.setdefault(int(row["label_seq_id"]), float(row["B_iso_or_equiv"]))
    return found


def _error(i: int, j: int, scores: dict[int, float]) -> int:
    doubt = (200 - scores[i] - scores[j]) / 100
    return min(round(_LARGEST_ERROR_ANGSTROM), round(abs(i - j) * doubt / 4))
