"""From what a person types to a question for the full text search; synonyms of the field are data."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from empiarreader.catalogue.spelling import spelled_out
from empiarreader.errors import InvalidRequestError

_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')
_OPERATORS = frozenset({"AND", "OR", "NOT"})
_MOST_LETTERS = 1000
_MOST_WORDS = 40
_LONGEST_NAME = 6  # words of which a name with synonyms consists
_SHORTEST_PLURAL = 4


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a text asks for.

    Attributes
    ----------
    wanted : tuple of tuple of str
        Of each group one term at least must occur; a term is a word, or words in a row.
    unwanted : tuple of str
        Terms of which none may occur.
    """

    wanted: tuple[tuple[str, ...], ...]
    unwanted: tuple[str, ...] = ()


def read_question(text: str, *, use_synonyms: bool = True) -> Question:
    """Return what a text asks for: words that must all occur, in any order.

    Words in quotation marks are one term, and with synonyms those that have some together. ``OR``
    between two terms, in capitals, wants one of them, ``NOT`` before a term wants it to be absent, and
    ``AND`` says what holds anyway. Nothing else that is typed is read as an operator.

    Raises
    ------
    InvalidRequestError
        If there is no word that is wanted, or there are far too many.

    Examples
    --------
    >>> read_question('spike OR "tau filament" human NOT mouse')
    Question(wanted=(('spike', 'tau filament'), ('human',)), unwanted=('mouse',))
    """
    wanted: list[list[str]] = []
    unwanted: list[str] = []
    before = ""
    for term, quoted in _terms(text, use_synonyms):
        if term in _OPERATORS and not quoted:
            before = term
            continue
        if before == "NOT":
            unwanted.append(term)
        elif before == "OR" and wanted:
            wanted[-1].append(term)
        else:
            wanted.append([term])
        before = ""
    if not wanted:
        raise InvalidRequestError(f"{text!r} holds no word to search for")
    return Question(wanted=tuple(map(tuple, wanted)), unwanted=tuple(unwanted))


def match_expression(text: str, *, use_synonyms: bool = True) -> str:
    """Return an expression of SQLite's full text search for what a text asks for.

    With synonyms a word stands for its plural or singular, and a word of the field for its synonyms, too.
    A last ``*`` stands for any ending.

    Raises
    ------
    InvalidRequestError
        As :func:`read_question`.

    Examples
    --------
    >>> match_expression('apo* "tau filament"', use_synonyms=False)
    '"apo"* AND "tau filament"'
    >>> match_expression("pores NOT TRPV1")
    '(("pores" OR "pore")) NOT "TRPV 1"'
    """
    question = read_question(text, use_synonyms=use_synonyms)
    return _expression(question, _alternatives if use_synonyms else lambda term: [term])


def typed_expression(text: str) -> str:
    """Return an expression for the words themselves, in plural or singular, without their synonyms.

    Examples
    --------
    >>> typed_expression("gpcrs ion channel")
    '("gpcrs" OR "gpcr") AND ("ion channel" OR "ion channels")'
    """
    question = read_question(text)
    return _expression(Question(wanted=question.wanted), lambda term: [term, *_other_number(term)])


def expression_of(text: str, author: str | None, *, use_synonyms: bool = True) -> str:
    """Return an expression for words and for names of people, ``""`` where there are neither.

    Examples
    --------
    >>> expression_of("apo*", "Müller"), expression_of(" ", None)
    ('("apo"*) AND (people : ("Müller"))', '')
    """
    parts = [match_expression(text, use_synonyms=use_synonyms)] if text.strip() else []
    if author is not None and author.strip():
        parts.append(people_expression(author))
    return " AND ".join(f"({part})" for part in parts)


def people_expression(name: str) -> str:
    """Return an expression for names that must all occur among the people of an entry.

    Examples
    --------
    >>> people_expression("Müller J*")
    'people : ("Müller" AND "J"*)'
    """
    return f"people : ({match_expression(name, use_synonyms=False)})"


def term_expression(term: str, *, use_synonyms: bool = True) -> str:
    """Return an expression for one term, with synonyms or without."""
    return _either(_alternatives(term) if use_synonyms else [term])


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """Return other words for words, lower case and spelled out, from ``synonyms.json``.

    There, words that are ``alike`` stand for each other, and a word stands for the ``kinds`` of what it
    names, but those not for it.
    """
    data = json.loads(files("empiarreader.catalogue").joinpath("synonyms.json").read_text(encoding="utf-8"))
    kinds = {_key(word): others for word, others in data["kinds"].items()}
    found: dict[str, list[str]] = defaultdict(list)
    for group in data["alike"]:
        of_all = [kind for word in group for kind in kinds.get(_key(word), ())]
        for word in group:
            found[_key(word)] += [*(other for other in group if other != word), *of_all]
    for word, others in kinds.items():
        found[word] += others
    return {word: tuple(dict.fromkeys(others)) for word, others in found.items()}


def _key(term: str) -> str:
    return " ".join(re.findall(r"\w+", spelled_out(term).lower()))


def _terms(text: str, use_synonyms: bool) -> list[tuple[str, bool]]:
    """Return the terms of a text and whether each was quoted."""
    if len(text) > _MOST_LETTERS:
        raise InvalidRequestError(f"that are {len(text)} letters to search for; use up to {_MOST_LETTERS}")
    # What is no text of UTF-8 cannot be searched for, and SQLite takes a NUL for the end.
    clean = text.encode(errors="replace").decode().replace("\0", " ")
    found = [(quoted or plain, bool(quoted)) for quoted, plain in _TERM.findall(clean)]
    words = [(term, quoted) for term, quoted in found if any(char.isalnum() for char in term)]
    if len(words) > _MOST_WORDS:
        raise InvalidRequestError(f"those are {len(words)} words to search for; use up to {_MOST_WORDS}")
    return list(_joined(words)) if use_synonyms else words


def _joined(words: Sequence[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    """Yield the words, those in a row as one that have synonyms together: ion channel."""
    k = 0
    while k < len(words):
        for length in range(min(_LONGEST_NAME, len(words) - k), 0, -1):
            part = words[k : k + length]
            name = " ".join(term for term, _ in part)
            if length == 1 or (not any(quoted for _, quoted in part) and _synonyms_of(name)):
                yield (name, part[0][1])
                k += length
                break


def _alternatives(term: str) -> list[str]:
    return [term, *_other_number(term), *_synonyms_of(term)]


def _synonyms_of(term: str) -> tuple[str, ...]:
    known = synonyms()
    names = map(_key, (term, *_other_number(term)))
    return next((known[name] for name in names if name in known), ())


def _other_number(term: str) -> list[str]:
    """Return plural or singular of an English word, roughly; none of what has figures in it."""
    word = term.lower()
    if not (word.isascii() and re.sub("[ -]", "", word).isalpha()) or len(word) < _SHORTEST_PLURAL:
        return []
    if not word.endswith("s"):
        return [f"{word}s"]
    return [] if word.endswith(("ss", "us", "is")) else [word[:-1]]


def _expression(question: Question, alternatives: Callable[[str], list[str]]) -> str:
    def either(terms: Sequence[str]) -> str:
        return _either([word for term in terms for word in alternatives(term)])

    wanted = " AND ".join(map(either, question.wanted))
    return f"({wanted}) NOT {either(question.unwanted)}" if question.unwanted else wanted


def _either(alternatives: list[str]) -> str:
    quoted = list(dict.fromkeys(map(_quoted, alternatives)))
    return quoted[0] if len(quoted) == 1 else f"({' OR '.join(quoted)})"


def _quoted(term: str) -> str:
    doubled = spelled_out(term.rstrip("*")).replace('"', '""')
    return f'"{doubled}"' + ("*" if term.endswith("*") else "")
