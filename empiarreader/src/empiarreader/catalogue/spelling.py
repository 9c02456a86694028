"""One spelling for what the field spells in several ways: β2, beta-2 and beta2; SARS-CoV-2 and SARS-CoV2.

The index of words holds texts so spelled, and questions are spelled so before it is asked.
"""

from __future__ import annotations

import re

_NAMES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
)  # fmt: skip
_GREEK = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", _NAMES, strict=True))
_GREEK |= {letter.upper(): name for letter, name in _GREEK.items()}
_GREEK_LETTER = re.compile(f"[{''.join(_GREEK)}]")
_SEAM = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def spelled_out(text: str) -> str:
    """Return a text with names for Greek letters, and letters and figures apart.

    Whether a hyphen, a space or nothing was between them makes no difference then: the index takes all
    that is neither letter nor figure for a space. A micro sign stays what it is.

    Examples
    --------
    >>> spelled_out("β2 adrenergic"), spelled_out("beta-2"), spelled_out("TRPV1 at 70S")
    ('beta 2 adrenergic', 'beta-2', 'TRPV 1 at 70 S')
    """
    named = _GREEK_LETTER.sub(lambda found: f" {_GREEK[found[0]]} ", text)
    return " ".join(_SEAM.sub(" ", named).split())
