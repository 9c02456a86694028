"""Fixtures that every suite shares: the embedded archive, real files, a home of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from perc_archive import Archive

settings.register_profile("unhurried", deadline=None)  # how long an example takes is the machine's matter
settings.load_profile("unhurried")


@cache
def _sees_a_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and so count, what this machine has no data or network for."""
    wanted = config.getoption("-m") or ""
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        lacks_data = item.get_closest_marker("real_data") is not None and "PERC_REAL_DATA" not in os.environ
        lacks_gpu = item.get_closest_marker("gpu") is not None and not _sees_a_gpu()
        on_request = any(
            item.get_closest_marker(name) is not None and name not in wanted for name in ("network", "full")
        )
        (dropped if lacks_data or lacks_gpu or on_request else kept).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.fixture(scope="session")
def _shared_archive() -> Iterator[Archive]:
    with Archive() as archive:
        yield archive


def _point_at(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the libraries' addresses; caches stay below the home of each test."""
    for name, value in archive.settings().items():
        if name.endswith("_URL"):
            monkeypatch.setenv(name, value)


@pytest.fixture
def archive(_shared_archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Embedded archive, empty and well-behaved; the libraries' settings point at it."""
    _shared_archive.clear()
    _point_at(_shared_archive, monkeypatch)
    return _shared_archive


@pytest.fixture(scope="session")
def demo_content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the synthetic content that examples and documentation read; made once a session."""
    from perc_simulation.content import make_content

    return make_content(tmp_path_factory.mktemp("content"))


@pytest.fixture(scope="session")
def _shared_demo_archive(demo_content: Path) -> Iterator[Archive]:
    with Archive(content=demo_content) as archive:
        yield archive


@pytest.fixture
def demo_archive(_shared_demo_archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """Embedded archive with the synthetic content; the libraries' settings point at it."""
    _shared_demo_archive.clear()
    _point_at(_shared_demo_archive, monkeypatch)
    return _shared_demo_archive


@pytest.fixture
def real_data() -> Path:
    """Folder of real files; tests that use it carry the marker ``real_data``."""
    return Path(os.environ["PERC_REAL_DATA"])


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the caches of the person who runs the tests out of them, and the tests out of the caches."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name in list(os.environ):
        if name.startswith(("PROFET_", "EMPIARREADER_")):
            monkeypatch.delenv(name)
