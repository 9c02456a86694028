"""Libraries that few need: imported when used; where one is missing, a sentence names the pip line."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from empiarreader.errors import MissingExtraError


def import_extra(module: str, extra: str, reason: str, *, how: str = "read") -> Any:
    """Return an optional module.

    Parameters
    ----------
    module, extra
        What to import, and the extra of this package that brings it.
    reason
        What it is needed for: the beginning of a sentence.
    how
        What the module does with it: ``"read"``, ``"drawn"``.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"{reason}, which is {how} through {package}: pip install 'empiarreader[{extra}]'"
        ) from None
