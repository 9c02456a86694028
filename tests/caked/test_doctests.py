"""The examples in caked's docstrings run."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import caked

MODULES = [
    module.name
    for module in pkgutil.walk_packages(caked.__path__, "caked.")
    if not module.name.endswith("__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_hold(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
