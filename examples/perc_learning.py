"""A small convolutional network that learns to tell molecules apart, and how well it does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["Result", "SmallNetwork", "majority_baseline", "train"]

Batches = Iterable[Mapping[str, Any]]


class SmallNetwork(nn.Module):
    """Five convolutions with group normalisation, then the mean over the image: 0.2 million weights.

    Parameters
    ----------
    classes
        Number of classes; the output is ``(batch, classes)``, unnormalised.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 96, 128)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(8, after), nn.ReLU()]
            if after != widths[-1]:
                layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores ``(batch, classes)`` of images ``(batch, 1, y, x)``."""
        return torch.as_tensor(self.layers(images))


@dataclass
class Result:
    """Course of the training, and the score on data that it did not see.

    ``confusion[i, j]`` counts held-out images of class ``i`` that were taken for class ``j``.
    """

    loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    @property
    def accuracy(self) -> float:
        """Share of the held-out images that were told right."""
        return float(np.trace(self.confusion) / max(1, self.confusion.sum()))


def majority_baseline(train_labels: Iterable[int], test_labels: Iterable[int]) -> float:
    """Share of the held-out images that are right when the commonest training class is always said.

    Examples
    --------
    >>> majority_baseline([0, 0, 1], [0, 1, 1, 0])
    0.5
    """
    commonest = np.bincount(list(train_labels)).argmax()
    return float(np.mean([label == commonest for label in test_labels]))


def train(
    network: nn.Module,
    train_batches: Batches,
    validation_batches: Batches,
    test_batches: Batches,
    *,
    epochs: int,
    begin_epoch: Callable[[int], None] = lambda epoch: None,
    report: Callable[[int, Result], None] = lambda epoch, result: None,
) -> Result:
    """Train by AdamW with a one-cycle learning rate, then score once on the test batches.

    Parameters
    ----------
    network
        Maps images ``(batch, 1, y, x)`` to scores ``(batch, classes)``; trained in place.
    train_batches, validation_batches, test_batches
        Mappings with ``image`` and ``label``; run through once an epoch, ``test_batches`` once at the end.
    epochs
        Passes over the training data.
    begin_epoch
        Called with the number of each epoch before it.
    report
        Called after each epoch with its number and the result so far.
    """
    steps = epochs * sum(1 for _ in train_batches)
    optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps)
    result = Result()
    for epoch in range(epochs):
        begin_epoch(epoch)
        network.train()
        losses, right, seen = [], 0, 0
        for batch in train_batches:
            scores = network(batch["image"])
            loss = nn.functional.cross_entropy(scores, batch["label"])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
            right += int((scores.detach().argmax(1) == batch["label"]).sum())
            seen += len(batch["label"])
        result.loss.append(float(np.mean(losses)))
        result.train_accuracy.append(right / seen)
        confusion = _confusion(network, validation_batches)
        result.validation_accuracy.append(float(np.trace(confusion) / max(1, confusion.sum())))
        report(epoch, result)
    result.confusion = _confusion(network, test_batches)
    return result


@torch.no_grad()
def _confusion(network: nn.Module, batches: Batches) -> NDArray[np.int64]:
    """Counts of (true class, said class) over all batches."""
    network.eval()
    pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
    classes = 0
    for batch in batches:
        scores = network(batch["image"])
        classes = scores.shape[1]
        pairs.append((batch["label"], scores.argmax(1)))
    counts = np.zeros((classes, classes), np.int64)
    for true, said in pairs:
        np.add.at(counts, (true.numpy(), said.numpy()), 1)
    return counts
