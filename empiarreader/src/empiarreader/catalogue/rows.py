"""What the catalogue keeps of a record: columns that filters look at, and texts that words are found in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from empiarreader.catalogue.spelling import spelled_out
from empiarreader.metadata.records import (
    Imageset,
    as_text,
    emdb_references,
    parse_dataset_size,
    read_citations,
    read_imagesets,
    read_people,
    read_person,
    read_references,
)
from empiarreader.metadata.vocabularies import decode_number

Record = Mapping[str, Any]


def is_short(record: Record) -> bool:
    """Return whether a record lacks what the API says of an entry when it is asked for that entry alone.

    Answers about many entries have been seen to be shorter than those about one.
    """
    return "imagesets" not in record


def merged(known: Record | None, record: Record) -> Record:
    """Return a record with what an earlier one of the same ``update_date`` says beyond it."""
    if known is None or known.get("update_date") != record.get("update_date"):
        return record
    return {**known, **record}


def as_written(record: Record) -> str:
    """Return a record as text, the same for equal records."""
    return json.dumps(record, sort_keys=True)


def row_of(number: int, record: Record) -> tuple[Any, ...]:
    """Return an entry's row of the table ``entries``."""
    formats = sorted({item.data_format.upper() for item in read_imagesets(record) if item.data_format})
    pdb = (name.upper() for name in read_references(record.get("related_pdb_entries")))
    return (
        number,
        as_text(record.get("status")).upper(),
        as_text(record.get("title")),
        _decoded(record, "experiment_type"),
        _decoded(record, "scale"),
        _listed(formats),
        parse_dataset_size(record.get("dataset_size")),
        as_text(record.get("release_date")),
        _listed(emdb_references(record)),
        _listed(pdb),
        is_short(record),
        as_written(record),
    )


def words_of(number: int, record: Record) -> tuple[Any, ...]:
    """Return an entry's row of the table ``words``: texts as the catalogue spells them."""
    citations = read_citations(record)
    people = [
        *read_people(record.get("authors")),
        *read_people(record.get("principal_investigator")),
        read_person(record.get("corresponding_author")),
        *(name for item in citations for name in item.authors),
    ]
    references = [
        *emdb_references(record),
        *read_references(record.get("related_pdb_entries")),
        *(name for item in citations for name in (item.doi, item.pubmed_id) if name),
    ]
    kinds = f"{_decoded(record, 'experiment_type')} {_decoded(record, 'scale')}"
    texts = (
        as_text(record.get("title")),
        " ".join([kinds, *map(_text_of, read_imagesets(record))]),
        " ".join(f"{item.title} {item.journal}" for item in citations),
        " ; ".join(dict.fromkeys(people)),
        " ".join([f"EMPIAR-{number}", as_text(record.get("entry_doi")), *references]),
    )
    return (number, *map(spelled_out, texts))


def _decoded(record: Record, field: str) -> str:
    return decode_number(field, as_text(record.get(field)))


def listed_in(text: str) -> tuple[str, ...]:
    """Return the words of a column that holds a list."""
    return tuple(filter(None, text.split("|")))


def _listed(words: Iterable[str]) -> str:
    """Return words in one text in which ``|word|`` finds each of them and no part of one."""
    return "".join(f"|{word}" for word in words) + "|"


def _text_of(imageset: Imageset) -> str:
    return f"{imageset.name} {imageset.category} {imageset.data_format} {imageset.details}"
