"""Lists of addresses, as ``empiarreader search --save_search`` writes them."""

from __future__ import annotations

import click

from empiarreader.errors import InvalidRequestError


def read_addresses(name: str) -> list[str]:
    """Return the addresses of a list, one a line; empty lines, and those that begin with #, are none.

    Raises
    ------
    InvalidRequestError
        If there is none.
    """
    with click.open_file(name, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.rstrip("\r\n") for line in file]
    addresses = [line for line in lines if line.strip() and not line.startswith("#")]
    if not addresses:
        raise InvalidRequestError(
            f"{name} holds no addresses; `empiarreader search --save_search` writes some"
        )
    return addresses
