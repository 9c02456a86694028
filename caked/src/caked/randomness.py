"""Random numbers that depend on what they are for, not on who draws them or when.

Each number is a function of (seed, epoch, sample, operation) and of nothing else: no generator holds a state,
so there is none to share between workers, to lose on a resume, or to disturb in somebody else's program. The
same sample gets the same augmentation in any batch, worker, rank or process; another epoch gives it another.

The function is Philox4x32-10, a published counter-based generator: the key comes from seed and operation,
the counter from sample, epoch and the number of the draw. It is computed with numpy integers, so it gives
the same bits on any machine and with any version.

Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11,
doi:10.1145/2063384.2063405; the constants are those of its reference implementation, Random123.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caked.errors import InvalidOptionError

__all__ = ["MULTIPLIERS", "WEYL", "Draws", "permutation", "philox"]

Integers = NDArray[np.int64]
Words = NDArray[np.uint32]

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
_MULTIPLIERS = np.array(MULTIPLIERS, dtype=np.uint64)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ABOVE_SAMPLES = np.uint64(40)  # bits that no number of a sample needs


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """Return the four 32-bit words of Philox4x32-10 for each counter.

    Parameters
    ----------
    counter
        Four words each: ``(n, 4)``.
    key
        Two 32-bit numbers.

    Examples
    --------
    The first of the known answers that its authors publish:

    >>> [f"{word:08x}" for word in philox(np.zeros((1, 4), dtype=np.uint32), (0, 0))[0]]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    words = counter.astype(np.uint64).T  # (4, n)
    even, odd = words[0::2], words[1::2]  # counters 0 and 2, counters 1 and 3: (2, n) each
    first, second = key
    for _ in range(10):
        product = even * _MULTIPLIERS[:, None]
        high, low = product >> _HALF, product & _LOW
        keys = np.array([[first], [second]], dtype=np.uint64)
        even, odd = high[::-1] ^ odd ^ keys, low[::-1]
        first, second = (first + WEYL[0]) & 0xFFFFFFFF, (second + WEYL[1]) & 0xFFFFFFFF
    result = np.empty((len(counter), 4), dtype=np.uint32)
    result[:, 0::2], result[:, 1::2] = even.T, odd.T
    return result


@dataclass(frozen=True, eq=False)
class Draws:
    """The random numbers of some samples, for one operation.

    Parameters
    ----------
    seed
        Any integer.
    epoch
        Number of the pass through the data; another epoch gives other numbers.
    samples
        Identity of each sample, such as its index in the source; one row of numbers each.
    operation
        What the numbers are for. Two operations never share numbers.
    repeats
        How often each sample has come in this epoch before, for which it draws other numbers; ``None`` where
        each comes once.

    Examples
    --------
    A sample's numbers do not depend on the company it keeps:

    >>> alone = Draws(seed=1, samples=[7]).within("shift").uniform()
    >>> together = Draws(seed=1, samples=[3, 7]).within("shift").uniform()
    >>> bool(alone[0, 0] == together[1, 0])
    True
    """

    seed: int = 0
    epoch: int = 0
    samples: Any = (0,)
    operation: str = ""
    repeats: Any = None
    _rows: Integers = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = np.asarray(self.samples, dtype=np.int64).reshape(-1)
        object.__setattr__(self, "_rows", rows)
        if self.repeats is not None:
            object.__setattr__(self, "repeats", np.asarray(self.repeats, dtype=np.int64).reshape(-1))

    def __len__(self) -> int:
        return len(self._rows)

    def within(self, operation: str) -> Draws:
        """Return the numbers of a part of this operation."""
        return self._with(operation=f"{self.operation}/{operation}")

    def select(self, rows: Any) -> Draws:
        """Return the numbers of some of the samples, by position or mask."""
        repeats = None if self.repeats is None else self.repeats[rows]
        rows = self._rows[rows]
        return self._with(samples=rows, _rows=rows, repeats=repeats)

    def of_any_epoch(self) -> Draws:
        """Return numbers that are the same whenever a sample comes."""
        return self._with(epoch=0, repeats=None)

    def _with(self, **changes: Any) -> Draws:
        """Change what has been checked already: at a fifth of the time of ``dataclasses.replace``."""
        other = object.__new__(Draws)
        other.__dict__.update(self.__dict__, **changes)
        return other

    def words(self, count: int) -> Words:
        """Return ``count`` random 32-bit words for each sample: ``(samples, count)``."""
        blocks = -(-count // 4)
        counter = np.empty((len(self), blocks, 4), dtype=np.uint32)
        counter[..., 0] = np.arange(blocks, dtype=np.uint32)
        counter[..., 1:] = self.identities()[:, None]
        return philox(counter.reshape(-1, 4), self.key()).reshape(len(self), 4 * blocks)[:, :count]

    def identities(self) -> Words:
        """Return what tells samples apart: the last three words of their counters, ``(samples, 3)``."""
        identity = self._rows.astype(np.uint64)
        if self.repeats is not None:
            identity = identity ^ (self.repeats.astype(np.uint64) << _ABOVE_SAMPLES)
        epoch = np.full(len(self), self.epoch & 0xFFFFFFFF, dtype=np.uint64)
        return np.stack([epoch, identity & _LOW, identity >> _HALF], axis=1).astype(np.uint32)

    def key(self) -> tuple[int, int]:
        """Return the key of seed and operation, two words."""
        digest = hashlib.blake2b(f"{self.seed}\0{self.operation}".encode(), digest_size=8).digest()
        return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")

    def uniform(self, low: float = 0.0, high: float = 1.0, *, count: int = 1) -> NDArray[np.float64]:
        """Return numbers that are uniform in ``[low, high)``, on a grid of 2**-53: ``(samples, count)``."""
        words = self.words(2 * count).astype(np.uint64)
        whole = (words[:, 0::2] << np.uint64(21)) | (words[:, 1::2] >> np.uint64(11))
        unit = whole.astype(np.float64) * 2.0**-53
        return low + unit * (high - low)

    def integers(self, low: int, high: int, *, count: int = 1) -> Integers:
        """Return integers from ``low`` up to, not including, ``high``: ``(samples, count)``.

        A range of n numbers is even to n / 2**53.
        """
        if high <= low:
            raise InvalidOptionError(f"There is no integer from {low} up to {high}.")
        return low + np.floor(self.uniform(count=count) * (high - low)).astype(np.int64)

    def normal(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return normal numbers of mean 0 and standard deviation 1: ``(samples, *shape)``.

        For whole images, so numpy's generator makes them, one of its own for each sample.
        """
        fields = np.empty((len(self), *shape), dtype=np.float32)
        for row, generator in enumerate(self.generators()):
            generator.standard_normal(dtype=np.float32, out=fields[row])
        return fields

    def generators(self) -> Iterator[np.random.Generator]:
        """Yield a generator of numpy's for each sample, for as many numbers as an image has pixels."""
        for words in self.words(4).tolist():
            key = words[0] | words[1] << 32 | words[2] << 64 | words[3] << 96
            yield np.random.Generator(np.random.Philox(key=key))

    def seeds(self) -> Integers:
        """Return a seed for each sample, from 0 up to 2**63: for generators that are not ours."""
        words = self.words(2).astype(np.uint64)
        return ((words[:, 0] << np.uint64(31)) | (words[:, 1] >> np.uint64(1))).astype(np.int64)


def permutation(length: int, *, seed: int, epoch: int = 0, operation: str = "order") -> Integers:
    """Return the numbers below ``length`` in a random order that depends on nothing but the arguments.

    Examples
    --------
    >>> sorted(permutation(5, seed=1).tolist())
    [0, 1, 2, 3, 4]
    """
    words = Draws(seed=seed, epoch=epoch, samples=np.arange(length), operation=operation).words(2)
    keys = words[:, 0].astype(np.uint64) << _HALF | words[:, 1]
    return np.argsort(keys, kind="stable").astype(np.int64)
