"""Batches that a thread makes ready are the same batches; what moves to a device is the whole batch."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caked import DamagedFileError, Dataset, FileSource, InvalidOptionError, Loader, to_device
from caked.feeding import ahead
from caked.transforms import Compose, GaussianNoise, RandomApply, RandomFlip, RandomRotation
from mrc_vectors import mrc_bytes

IMAGES = np.random.default_rng(0).normal(size=(23, 12, 12)).astype(np.float32)
STEPS = [RandomRotation(), RandomFlip(), GaussianNoise(snr=[0.5, 2.0])]


Told = list[tuple[list[int], torch.Tensor]]


def _told(batches: Any) -> Told:
    return [(batch["index"].tolist(), batch["image"]) for batch in batches]


def _same(found: Told, expected: Told) -> bool:
    return [rows for rows, _ in found] == [rows for rows, _ in expected] and all(
        torch.equal(one, other) for (_, one), (_, other) in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("prefetch", [1, 3, 50])
def test_a_thread_changes_no_bit_and_a_state_tells_what_was_handed_out(prefetch: int) -> None:
    dataset = Dataset(IMAGES, transform=STEPS, seed=2)
    plain = Loader(dataset, batch_size=4, shuffle=True)
    expected = [_told(plain), _told(plain)]
    loader = Loader(dataset, batch_size=4, shuffle=True, prefetch=prefetch)
    assert _same(_told(loader), expected[0])

    batches = iter(loader)  # the second epoch
    first = [next(batches), next(batches)]
    state = loader.state_dict()
    del batches
    rest = Loader(dataset, batch_size=4, shuffle=True, prefetch=prefetch)
    rest.load_state_dict(state)
    assert state["position"] == 8
    assert _same(_told([*first, *rest]), expected[1])


def test_the_next_batch_is_made_while_one_is_used_and_no_more_than_asked_for() -> None:
    made: list[int] = []
    is_made = threading.Semaphore(0)

    def batches() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            is_made.release()
            yield number

    before = set(threading.enumerate())
    fed = ahead(batches(), 2)
    assert next(fed) == 0
    for _ in range(3):  # the one in use, and two more
        assert is_made.acquire(timeout=60)
    assert not is_made.acquire(timeout=0.2)
    assert made == [0, 1, 2]
    assert list(fed) == list(range(1, 10))
    assert not [thread for thread in set(threading.enumerate()) - before if "caked" in thread.name]


def test_an_error_comes_where_its_batch_would_have_come(tmp_path: Path) -> None:
    for k in range(6):
        content = mrc_bytes(IMAGES[k])
        (tmp_path / f"{k}.mrc").write_bytes(content[:-8] if k == 4 else content)
    batches = iter(Loader(Dataset(FileSource(tmp_path)), batch_size=2, prefetch=3))
    assert next(batches)["name"] == ["0.mrc", "1.mrc"]
    assert next(batches)["name"] == ["2.mrc", "3.mrc"]
    with pytest.raises(DamagedFileError, match=r"4\.mrc is corrupted"):
        next(batches)


def test_what_a_thread_must_not_do_is_refused() -> None:
    torchvision = Compose([RandomApply(torch.nn.Identity())])
    with pytest.raises(InvalidOptionError, match="global generators"):
        Loader(Dataset(IMAGES, transform=torchvision), batch_size=2, prefetch=1)
    wrong: list[dict[str, Any]] = [{"prefetch": -1}, {"prefetch": 2, "num_workers": 1}]
    for options in wrong:
        with pytest.raises(InvalidOptionError, match="prefetch="):
            Loader(Dataset(IMAGES), batch_size=2, **options)


def test_every_tensor_of_a_batch_moves_and_all_else_stays() -> None:
    batch = Dataset(IMAGES, labels=["a"] * 23).batch([0, 1])
    batch["coordinates"] = [torch.ones(3, 2), torch.ones(0, 2)]
    moved = to_device(batch, "meta")

    assert {key for key, value in moved.items() if isinstance(value, torch.Tensor) and value.is_meta} == {
        key for key, value in batch.items() if isinstance(value, torch.Tensor)
    }
    assert [points.device.type for points in moved["coordinates"]] == ["meta", "meta"]
    assert moved["name"] == batch["name"]
    image, label = to_device(Dataset(IMAGES, labels=["a"] * 23).as_tuples()[0], "meta")
    assert (image.is_meta, label.is_meta) == (True, True)


def test_ctrl_c_does_not_wait_for_a_batch_that_a_thread_is_making() -> None:
    code = """
import threading
from caked.feeding import ahead

def batches():
    yield 0
    print("asked", flush=True)
    threading.Event().wait()  # as for a server that is silent

for batch in ahead(batches(), 2):
    pass
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as job:
        try:
            assert job.stdout is not None
            assert job.stdout.readline() == "asked\n"
            job.send_signal(signal.SIGINT)
            said = job.communicate(timeout=20)[1]
        finally:
            job.kill()

    assert said.splitlines()[-1] == "KeyboardInterrupt"
