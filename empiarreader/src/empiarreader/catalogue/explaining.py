"""Why a search of the catalogue found nothing: which word nobody uses, which format there is not."""

from __future__ import annotations

from empiarreader.catalogue.database import Database
from empiarreader.catalogue.filters import Filters
from empiarreader.catalogue.rows import listed_in
from empiarreader.catalogue.words import match_expression, people_expression, terms_of

_SHOWN = 12


def why_nothing(
    database: Database, text: str, author: str | None, filters: Filters, *, use_synonyms: bool
) -> str:
    """Return in a sentence what to change about a question that no entry answers."""
    if not database.rows("SELECT 1 FROM entries LIMIT 1"):
        return "the catalogue is empty; fill it with: empiarreader catalogue update"
    reasons = [*_unknown_values(database, filters), *_unknown_words(database, text, author, use_synonyms)]
    return "; ".join(reasons) or "each of these conditions holds for some entry, but all of them for none"


def _unknown_values(database: Database, filters: Filters) -> list[str]:
    """Return conditions that hold for no entry; where the values there are can be named, they are."""
    found = []
    for condition in filters.conditions():
        if database.rows(f"SELECT 1 FROM entries WHERE {condition.sql} LIMIT 1", [condition.value]):
            continue
        known = _values(database, condition.column) if condition.column else []
        hint = f"; there are {', '.join(known[:_SHOWN])}" if known else ""
        found.append(f"no entry {condition.says}{hint}")
    return found


def _values(database: Database, column: str) -> list[str]:
    rows = database.rows(f"SELECT {column} FROM entries GROUP BY {column} ORDER BY count(*) DESC")
    return list(dict.fromkeys(value for (text,) in rows for value in listed_in(text)))


def _unknown_words(database: Database, text: str, author: str | None, use_synonyms: bool) -> list[str]:
    found = []
    for term in terms_of(text, use_synonyms) if text.strip() else ():
        if not _occurs(database, match_expression(f'"{term}"' if " " in term else term)):
            hint = "" if term.endswith("*") else f"; try {term[: max(3, len(term) * 2 // 3)]}*"
            found.append(f"{term!r} occurs in no entry{hint}")
    if author and author.strip() and not _occurs(database, people_expression(author)):
        found.append(f"nobody is called {author!r}")
    return found


def _occurs(database: Database, expression: str) -> bool:
    return bool(database.rows("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (expression,)))
