"""The package as a whole: what it exports, what importing it costs, its errors, settings and examples."""

from __future__ import annotations

import ast
import doctest
import importlib
import pickle
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import empiarreader
from empiarreader import EmpiarReaderError, InvalidRequestError, ServiceError, errors, settings
from empiarreader.addresses import decode_path, encode_path, entry_address, normalise_path
from empiarreader.printable import printable

FOLDER = Path(str(empiarreader.__file__)).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules([str(FOLDER)]))
EVERYWHERE = sorted(module.name for module in pkgutil.walk_packages([str(FOLDER)], "empiarreader."))
LEAVES = sorted(
    (
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, EmpiarReaderError)
    ),
    key=lambda kind: kind.__name__,
)


def test_all_is_true() -> None:
    for name in empiarreader.__all__:
        assert getattr(empiarreader, name) is not None
    assert sorted(empiarreader.__all__) == list(dict.fromkeys(sorted(empiarreader.__all__)))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = empiarreader.nothing


def test_what_type_checkers_see_is_what_is_exported() -> None:
    tree = ast.parse((FOLDER / "__init__.py").read_text())
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: str(node.module)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert set(seen) | {"__version__"} == set(empiarreader.__all__)
    for name, module in seen.items():
        assert getattr(empiarreader, name) is getattr(importlib.import_module(module), name)


def test_no_public_name_is_hidden_by_a_module_of_the_same_name() -> None:
    assert not set(MODULES) & set(empiarreader.__all__)


def test_importing_loads_nothing_heavy() -> None:
    code = "import empiarreader, sys; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {
        "numpy",
        "xarray",
        "dask",
        "pandas",
        "tifffile",
        "requests",
        "urllib3",
        "click",
        "fsspec",
        "torch",
    }

    assert heavy.isdisjoint(loaded.split())


@pytest.mark.parametrize("name", EVERYWHERE)
def test_the_examples_of_every_module_run(name: str) -> None:
    module = importlib.import_module(name)

    assert doctest.testmod(module).failed == 0


def test_the_examples_of_the_package_run() -> None:
    assert doctest.testmod(empiarreader).failed == 0


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_is_also_one_that_people_catch_and_crosses_processes(
    kind: type[EmpiarReaderError],
) -> None:
    error = kind("asked for x, found y")
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert str(copy) == "asked for x, found y"
    assert kind is EmpiarReaderError or any(
        issubclass(kind, builtin) for builtin in (LookupError, OSError, ValueError, ImportError)
    )


def test_the_facts_of_an_error_cross_processes_too() -> None:
    copy = pickle.loads(pickle.dumps(ServiceError("x", status=503, retryable=True, retry_after_seconds=2.0)))

    assert (copy.status, copy.retryable, copy.retry_after_seconds) == (503, True, 2.0)


def test_control_characters_never_reach_a_message() -> None:
    assert str(InvalidRequestError("a\x1b[2Jb\u202ec")) == "a\\x1b[2Jb\\u202ec"


@given(st.text())
def test_printable_text_is_printable_and_plain_text_stays(text: str) -> None:
    assert all(part.isprintable() for part in printable(text).split("\n"))
    if text.isprintable():
        assert printable(text) == text
    printable(text).encode("utf-8")


def test_addresses_default_to_the_real_archive() -> None:
    assert settings.api_url() == "https://www.ebi.ac.uk/empiar/api"
    assert settings.archive_url() == "https://ftp.ebi.ac.uk/empiar/world_availability"
    assert settings.timeout_seconds() == 30.0


@pytest.mark.parametrize("value", ["ftp://host", "host/path", "https://", "file:///x", "https://h/x?y=1"])
def test_a_setting_that_is_no_address_is_refused_by_name(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPIARREADER_API_URL", value)

    with pytest.raises(InvalidRequestError, match="EMPIARREADER_API_URL"):
        settings.api_url()


@pytest.mark.parametrize("value", ["soon", "0", "-1", "inf", "nan", "100000"])
def test_a_time_out_that_makes_no_sense_is_refused_by_name(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_TIMEOUT", value)

    with pytest.raises(InvalidRequestError, match="EMPIARREADER_TIMEOUT"):
        settings.timeout_seconds()


def test_settings_are_read_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", "https://mirror.example/empiar//")
    monkeypatch.setenv("EMPIARREADER_TIMEOUT", " 2.5 ")

    assert empiarreader.EmpiarEntry(10943).url == "https://mirror.example/empiar/10943/"
    assert settings.timeout_seconds() == 2.5


@given(st.binary())
def test_names_of_any_bytes_keep_them_on_the_way_to_an_address_and_back(name: bytes) -> None:
    text = name.decode("utf-8", "surrogateescape")

    assert decode_path(encode_path(text)) == text
    assert encode_path(text).isascii()


def test_paths_are_normalised_and_addresses_built() -> None:
    assert normalise_path("//data/./x//y/") == "data/x/y"
    assert normalise_path("") == normalise_path("/") == ""
    assert entry_address("b", 1, "a?b") == "b/1/a%3Fb"
    for path in ("..", "a/../b", "a\0b"):
        with pytest.raises(InvalidRequestError):
            normalise_path(path)
