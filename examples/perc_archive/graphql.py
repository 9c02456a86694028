"""As much of GraphQL as a question to the RCSB needs: one query, names, arguments, variables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r'\s*(?:#[^\n]*\s*)*("(?:[^"\\]|\\.)*"|[$!]?[A-Za-z_]\w*|-?\d+(?:\.\d+)?|[{}()\[\]:,!$=])\s*'
)


class GraphqlError(ValueError):
    """The text is no question that is understood here."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One name that is asked for, with its arguments and what is asked for below it."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()


def parse(text: str, variables: Mapping[str, Any] | None = None) -> tuple[Field, ...]:
    """Fields of the one query in a text.

    >>> parse('{ entries(entry_ids: ["4HHB"]) { rcsb_id } }')[0].arguments
    {'entry_ids': ['4HHB']}
    """
    tokens = [token for token in _TOKEN.findall(text) if token != ","]
    if "".join(_TOKEN.sub("", text).split()):
        raise GraphqlError(f"Invalid Syntax: {_TOKEN.sub('', text).strip()[:40]!r}")
    tokens.append("")  # the end
    start = tokens.index("{") if "{" in tokens else 0
    if tokens[start] != "{":
        raise GraphqlError("Invalid Syntax: no selection")
    found, at = _selection(tokens, start, variables or {})
    if tokens[at]:
        raise GraphqlError(f"Invalid Syntax: {tokens[at]!r} after the query")
    return found


def pick(value: Any, fields: tuple[Field, ...]) -> Any:
    """What is asked for of a value; what it has not is null.

    >>> pick({"a": 1, "b": [{"c": 2, "d": 3}]}, parse("{ b { d e } }"))
    {'b': [{'d': 3, 'e': None}]}
    """
    if isinstance(value, list):
        return [pick(item, fields) for item in value]
    if not fields or not isinstance(value, dict):
        return value
    return {item.name: pick(value.get(item.name), item.fields) for item in fields}


def _selection(tokens: list[str], at: int, variables: Mapping[str, Any]) -> tuple[tuple[Field, ...], int]:
    found: list[Field] = []
    at += 1
    while tokens[at] != "}":
        name = tokens[at]
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise GraphqlError(f"Invalid Syntax: {name!r} is no name")
        at += 1
        arguments: dict[str, Any] = {}
        if tokens[at] == "(":
            arguments, at = _arguments(tokens, at + 1, variables)
        fields: tuple[Field, ...] = ()
        if tokens[at] == "{":
            fields, at = _selection(tokens, at, variables)
        found.append(Field(name=name, arguments=arguments, fields=fields))
    return tuple(found), at + 1


def _arguments(tokens: list[str], at: int, variables: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while tokens[at] != ")":
        if not tokens[at] or tokens[at + 1] != ":":
            raise GraphqlError(f"Invalid Syntax: argument {tokens[at]!r}")
        name = tokens[at]
        found[name], at = _value(tokens, at + 2, variables)
    return found, at + 1


def _value(tokens: list[str], at: int, variables: Mapping[str, Any]) -> tuple[Any, int]:
    token = tokens[at]
    if token == "[":
        items: list[Any] = []
        at += 1
        while tokens[at] != "]":
            item, at = _value(tokens, at, variables)
            items.append(item)
        return items, at + 1
    if token.startswith("$"):
        return variables.get(token[1:]), at + 1
    try:
        return json.loads(token), at + 1
    except ValueError:
        raise GraphqlError(f"Invalid Syntax: value {token!r}") from None
