"""Settings of the property tests of this folder, and a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster
from hypothesis import settings

from perc_archive import Archive

# A busy machine makes single examples slow without anything being wrong.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def worker_cluster(_shared_archive: Archive) -> Iterator[Client]:
    """Two worker processes that ask the embedded archive; one that is killed is replaced."""
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _shared_archive.settings().items():
            if name.endswith("_URL"):
                patch.setenv(name, value)
        with (
            LocalCluster(  # type: ignore[no-untyped-call]
                dashboard_address=":0",  # the usual port may be taken by others
                silence_logs=False,  # it would silence what tests catch, too
                **options,
            ) as workers,
            Client(workers, set_as_default=False) as client,  # type: ignore[no-untyped-call]
        ):
            yield client


@pytest.fixture
def cluster(worker_cluster: Client) -> Client:
    """Both worker processes, also after one was killed."""
    worker_cluster.wait_for_workers(2)
    return worker_cluster
