"""Classes, and the class of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caked.errors import ClassesNotFoundError
from caked.labels.choose import as_label_rule
from caked.labels.rules import Labelled

__all__ = ["Labels", "label_samples"]


@dataclass(frozen=True, eq=False)
class Labels:
    """Classes, and the class of each sample.

    Attributes
    ----------
    classes
        Names of the classes, sorted.
    codes
        Index into ``classes`` for each sample: int64; -1 where its class is none of them.
    """

    classes: tuple[str, ...]
    codes: NDArray[np.int64]

    def counts(self) -> NDArray[np.int64]:
        """Return how many samples each class has."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.classes)).astype(np.int64)

    def weights(self) -> NDArray[np.float64]:
        """Return a weight for each class that makes them count alike: ``n / (classes * n_class)``.

        The mean over the samples is 1; a class without samples has weight 0. Source: King & Zeng (2001),
        doi:10.1093/oxfordjournals.pan.a004868; the "balanced" weights of scikit-learn.

        Examples
        --------
        >>> Labels(("apo", "holo"), np.array([0, 0, 0, 1])).weights().round(3).tolist()
        [0.667, 2.0]
        """
        counts = self.counts()
        present = counts > 0
        total = counts.sum() / max(1, present.sum())
        return np.where(present, total / np.maximum(counts, 1), 0.0)

    def select(self, rows: NDArray[np.int64]) -> Labels:
        """Return the labels of some of the samples, with all classes."""
        return Labels(self.classes, self.codes[rows])


def label_samples(source: Labelled, rule: Any, *, classes: Sequence[str] | None = None) -> Labels:
    """Label every sample of a source.

    Parameters
    ----------
    rule
        See :func:`as_label_rule`.
    classes
        The classes to keep; samples of others get code -1. ``None`` for every class there is.

    Raises
    ------
    ClassesNotFoundError
        If no sample has one of ``classes``.
    """
    rule = as_label_rule(rule)
    found = [rule.label(source, i) for i in range(len(source.names))]
    present = sorted(set(found))
    wanted = present if classes is None else sorted({str(name) for name in classes})
    missing = tuple(name for name in wanted if name not in set(present))
    if missing:
        raise ClassesNotFoundError(
            f"Not all classes asked for are there. Missing classes: {list(missing)}. There are {present}.",
            missing=missing,
        )
    code_of = {name: code for code, name in enumerate(wanted)}
    codes = np.array([code_of.get(label, -1) for label in found], dtype=np.int64)
    return Labels(tuple(wanted), codes)
