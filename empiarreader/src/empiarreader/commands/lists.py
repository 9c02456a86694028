"""Lists of addresses, as ``empiarreader search --save_search`` writes them."""

from __future__ import annotations

import click

from empiarreader.errors import InvalidRequestError


def read_addresses(name: str) -> tuple[list[str], list[str]]:
    """Return the addresses of a list, one a line, and its remarks, which begin with #.

    Raises
    ------
    InvalidRequestError
        If there is no address.
    """
    # Editors put a mark at the beginning and leave spaces at the ends; an address has neither.
    with click.open_file(name, encoding="utf-8-sig", errors="surrogateescape") as file:
        lines = [line for text in file if (line := text.strip(" \t\r\n"))]
    addresses = [line for line in lines if not line.startswith("#")]
    if not addresses:
        raise InvalidRequestError(
            f"{name} holds no addresses; `empiarreader search --save_search` writes some"
        )
    return addresses, [line for line in lines if line.startswith("#")]
