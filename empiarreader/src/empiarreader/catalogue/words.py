"""From what a person types to a question for the full text search; synonyms of the field are data."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

from empiarreader.errors import InvalidRequestError

_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')
_MOST_LETTERS = 1000
_MOST_WORDS = 40
_LONGEST_NAME = 4  # words of which a name with synonyms consists
_SHORTEST_PLURAL = 4


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """Return other words for words, lower case, from ``synonyms.json``."""
    text = files("empiarreader.catalogue").joinpath("synonyms.json").read_text(encoding="utf-8")
    return {word.lower(): tuple(others) for word, others in json.loads(text).items()}


def match_expression(text: str, *, use_synonyms: bool = True) -> str:
    """Return an expression of SQLite's full text search for words that must all occur, in any order.

    Words in quotation marks are taken together, and a last ``*`` stands for any ending. With synonyms, a word
    stands for its plural or singular, and a word of the field for its synonyms, too. Nothing that is typed is
    read as an operator.

    Raises
    ------
    InvalidRequestError
        If there is no word, or there are far too many.

    Examples
    --------
    >>> match_expression('apo* "tau filament"', use_synonyms=False)
    '"apo"* AND "tau filament"'
    >>> match_expression("pores")
    '("pores" OR "pore")'
    >>> match_expression("gpcr").startswith('("gpcr" OR "gpcrs" OR "G protein coupled receptor"')
    True
    """
    return " AND ".join(
        _either(_alternatives(term) if use_synonyms else [term]) for term in terms_of(text, use_synonyms)
    )


def typed_expression(text: str) -> str:
    """Return an expression for the words themselves, in plural or singular, without their synonyms.

    Examples
    --------
    >>> typed_expression("gpcrs ion channel")
    '("gpcrs" OR "gpcr") AND ("ion channel" OR "ion channels")'
    """
    return " AND ".join(_either([term, *_other_number(term)]) for term in terms_of(text))


def people_expression(name: str) -> str:
    """Return an expression for names that must all occur among the people of an entry.

    Examples
    --------
    >>> people_expression("Müller J*")
    'people : ("Müller" AND "J"*)'
    """
    return f"people : ({match_expression(name, use_synonyms=False)})"


def terms_of(text: str, use_synonyms: bool = True) -> list[str]:
    """Return the words of a text: those together that stand in quotation marks or have synonyms together."""
    if len(text) > _MOST_LETTERS:
        raise InvalidRequestError(f"that are {len(text)} letters to search for; use up to {_MOST_LETTERS}")
    # What is no text of UTF-8 cannot be searched for, and SQLite takes a NUL for the end.
    clean = text.encode(errors="replace").decode().replace("\0", " ")
    found = [(quoted or plain, bool(quoted)) for quoted, plain in _TERM.findall(clean)]
    words = [(term, quoted) for term, quoted in found if any(char.isalnum() for char in term)]
    if not words:
        raise InvalidRequestError(f"{text!r} holds no word to search for")
    if len(words) > _MOST_WORDS:
        raise InvalidRequestError(
            f"those are {len(words)} words, which must all occur; use up to {_MOST_WORDS}"
        )
    return list(_joined(words)) if use_synonyms else [term for term, _ in words]


def _joined(words: list[tuple[str, bool]]) -> list[str]:
    """Return the words, those in a row as one that have synonyms together: ion channel."""
    terms, k = [], 0
    while k < len(words):
        for length in range(_LONGEST_NAME, 0, -1):
            part = words[k : k + length]
            name = " ".join(term for term, _ in part)
            if length == 1 or (not any(quoted for _, quoted in part) and _synonyms_of(name)):
                terms.append(name)
                k += len(part)
                break
    return terms


def _alternatives(term: str) -> list[str]:
    return list(dict.fromkeys([term, *_other_number(term), *_synonyms_of(term)]))


def _synonyms_of(term: str) -> tuple[str, ...]:
    known = synonyms()
    names = (term.lower(), *(other.lower() for other in _other_number(term)))
    return next((known[name] for name in names if name in known), ())


def _other_number(term: str) -> list[str]:
    """Return plural or singular of an English word, roughly; none of what has figures or signs in it."""
    word = term.lower()
    if not (word.isascii() and word.replace(" ", "").isalpha()) or len(word) < _SHORTEST_PLURAL:
        return []
    if not word.endswith("s"):
        return [f"{word}s"]
    return [] if word.endswith(("ss", "us", "is")) else [word[:-1]]


def _either(alternatives: list[str]) -> str:
    quoted = [_quoted(word) for word in alternatives]
    return quoted[0] if len(quoted) == 1 else f"({' OR '.join(quoted)})"


def _quoted(term: str) -> str:
    stem = term.rstrip("*")
    doubled = stem.replace('"', '""')
    return f'"{doubled}"' + ("*" if term.endswith("*") else "")
