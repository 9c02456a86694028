"""The examples in the archive's docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import perc_archive

MODULES = [
    module.name
    for module in pkgutil.walk_packages(perc_archive.__path__, "perc_archive.")
    if module.name not in ("perc_archive.__main__", "perc_archive.ftp_handlers")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_public_names_are_there_and_documented() -> None:
    for name in perc_archive.__all__:
        assert getattr(perc_archive, name).__doc__
