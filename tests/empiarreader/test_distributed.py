"""Lazy arrays on dask's schedulers: threads, processes, and a cluster of real worker processes."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

from empiarreader import EmpiarSource, ServiceError, open_image
from perc_archive import Archive

VALUES = np.random.default_rng(5).normal(size=(3, 6, 64, 80)).astype(np.float32)


@pytest.fixture
def source(archive: Archive, tmp_path: Path) -> EmpiarSource:
    import mrcfile

    files = {}
    for k, values in enumerate(VALUES):
        with mrcfile.new(tmp_path / f"{k}.mrc") as mrc:
            mrc.set_data(values)
            mrc.set_image_stack()
        files[f"data/{k}.mrc"] = (tmp_path / f"{k}.mrc").read_bytes()
    archive.add_entry(10934, files)
    return EmpiarSource(10934, "data", filename="*.mrc")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Client]:
    options: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            dashboard_address=":0", silence_logs=False, **options
        ) as workers,
        Client(workers) as client,  # type: ignore[no-untyped-call]
    ):
        yield client


@pytest.mark.parametrize(
    "scheduler", ["synchronous", "threads", pytest.param("processes", marks=pytest.mark.full)]
)
def test_every_scheduler_of_dask_reads_the_same(source: EmpiarSource, scheduler: str) -> None:
    with dask.config.set(scheduler=scheduler):
        mean = source.to_dask().raster.mean(("frame", "y", "x")).values

    np.testing.assert_allclose(mean, VALUES.mean((1, 2, 3)), rtol=0, atol=1e-6)  # order of additions


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cluster_of_worker_processes_reads_it(
    archive: Archive, source: EmpiarSource, cluster: Client
) -> None:
    lazy = source.to_dask().raster
    before = len(archive.requests("*.mrc"))
    averaged = cluster.compute(lazy.data.mean(axis=1)).result(timeout=60)  # type: ignore[no-untyped-call]

    np.testing.assert_allclose(averaged, VALUES.mean(1), rtol=0, atol=1e-6)
    assert len(archive.requests("*.mrc")) > before  # the workers asked, not this process


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_labelled_array_is_sent_to_a_cluster_and_sliced_there(
    source: EmpiarSource, cluster: Client
) -> None:
    image = open_image(source.filenames[1])
    found = cluster.submit(lambda array: array[2].values, image).result(timeout=60)
    np.testing.assert_array_equal(found, VALUES[1, 2])


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_errors_come_back_from_a_cluster_as_they_are(
    archive: Archive, source: EmpiarSource, cluster: Client
) -> None:
    lazy = source.to_dask().raster
    archive.add_fault("status", match="*2.mrc", status=403, times=None)

    with pytest.raises(ServiceError, match="403"):
        cluster.compute(lazy[2].data).result(timeout=60)  # type: ignore[no-untyped-call]


def test_lazy_arrays_are_small_to_send(source: EmpiarSource) -> None:
    assert len(pickle.dumps(source.to_dask().raster)) < 100_000
