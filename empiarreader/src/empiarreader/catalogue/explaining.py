"""Why a search of the catalogue found nothing: which word nobody uses, which format there is not."""

from __future__ import annotations

import difflib
import unicodedata

from empiarreader.catalogue.database import Database
from empiarreader.catalogue.filters import Filters, entries_where
from empiarreader.catalogue.rows import listed_in
from empiarreader.catalogue.words import expression_of, people_expression, read_question, term_expression

_SHOWN = 12
_ALIKE = 0.7


def why_nothing(
    database: Database, text: str, author: str | None, filters: Filters, *, use_synonyms: bool
) -> str:
    """Return in a sentence what to change about a question that no entry answers."""
    if not database.rows("SELECT 1 FROM entries LIMIT 1"):
        return "the catalogue is empty; fill it with: empiarreader catalogue update"
    reasons = [*_unknown_values(database, filters), *_unknown_words(database, text, author, use_synonyms)]
    if not reasons:
        reasons = _in_the_way(database, expression_of(text, author, use_synonyms=use_synonyms), filters)
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
    wanted = read_question(text, use_synonyms=use_synonyms).wanted if text.strip() else ()
    found = []
    for group in wanted:
        if any(_occurs(database, term_expression(term, use_synonyms=use_synonyms)) for term in group):
            continue
        for term in group:
            found.append(f"{term!r} occurs in no entry{_hint(database, term)}")
    if author and author.strip() and not _occurs(database, people_expression(author)):
        found.append(f"nobody is called {author!r}")
    return found


def _hint(database: Database, term: str) -> str:
    if term in {"or", "not"}:
        return f"; write {term.upper()} in capitals to mean more than the word"
    close = _close_words(database, term)
    return f"; is {' or '.join(close)} meant?" if close else ""


def _close_words(database: Database, term: str) -> list[str]:
    """Return words of the catalogue that are spelled nearly as a single word is."""
    letters = [char for char in unicodedata.normalize("NFKD", term.lower()) if char.isalpha()]
    if len(letters) < 3 or any(char.isspace() or char.isdigit() for char in term):
        return []
    word = "".join(letters)
    known = database.words(word[0], range(len(word) - 2, len(word) + 3))
    return difflib.get_close_matches(word, known, cutoff=_ALIKE)


def _in_the_way(database: Database, expression: str, filters: Filters) -> list[str]:
    """Return, for conditions without which there were some entries, how many."""
    found, conditions = [], filters.conditions()
    for condition in conditions:
        others = [other for other in conditions if other is not condition]
        source, values = entries_where(expression, others)
        ((count,),) = database.rows(f"SELECT count(*) FROM {source}", values)
        if count:
            found.append(f"of {count} that match otherwise, none {condition.says}")
    return found


def _occurs(database: Database, expression: str) -> bool:
    return bool(database.rows("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (expression,)))
