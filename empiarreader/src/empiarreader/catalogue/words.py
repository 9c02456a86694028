"""From what a person types to a question for the full text search; synonyms of the field are data."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from empiarreader.errors import InvalidRequestError

_TERM = re.compile(r'"([^"]*)"|(\S+)')


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """Return other words for words, lower case, from ``synonyms.json``."""
    text = files("empiarreader.catalogue").joinpath("synonyms.json").read_text(encoding="utf-8")
    return {word.lower(): tuple(others) for word, others in json.loads(text).items()}


def match_expression(text: str, *, use_synonyms: bool = True) -> str:
    """Return an expression of SQLite's full text search for words that must all occur, in any order.

    Words in quotation marks are taken together, a last ``*`` stands for any ending, and a word of the field
    stands for its synonyms, too. Nothing that is typed is read as an operator.

    Raises
    ------
    InvalidRequestError
        If there is no word.

    Examples
    --------
    >>> match_expression('apo* "tau filament"', use_synonyms=False)
    '"apo"* AND "tau filament"'
    >>> match_expression("gpcr").startswith('("gpcr" OR "G protein coupled receptor"')
    True
    """
    terms = [_alternatives(term, use_synonyms) for term in _terms(text, use_synonyms)]
    if not terms:
        raise InvalidRequestError(f"{text!r} holds no word to search for")
    return " AND ".join(terms)


def _terms(text: str, use_synonyms: bool) -> list[str]:
    """Return the words, those together that stand in quotation marks or have synonyms together."""
    whole = " ".join(text.lower().split())
    if use_synonyms and whole in synonyms():
        return [whole]
    found = [quoted or plain for quoted, plain in _TERM.findall(text)]
    return [term for term in found if any(char.isalnum() for char in term)]


def _alternatives(term: str, use_synonyms: bool) -> str:
    others = synonyms().get(term.lower(), ()) if use_synonyms else ()
    quoted = [_quoted(word) for word in (term, *others)]
    return quoted[0] if len(quoted) == 1 else f"({' OR '.join(quoted)})"


def _quoted(term: str) -> str:
    stem = term.rstrip("*")
    doubled = stem.replace('"', '""')
    return f'"{doubled}"' + ("*" if term.endswith("*") else "")
