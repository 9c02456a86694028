"""All that batches depend on, in one JSON file that makes them again.

A recipe names the source, the labels, the split, the transforms and the seed, and records a digest of the
inputs and the versions of the libraries. What it rebuilds is bit for bit what it was written from, or it
says what differs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from caked import __version__
from caked.collate import Collation
from caked.dataset import Dataset, NonFinite
from caked.errors import InvalidOptionError, RecipeError, SourceNotFoundError
from caked.io.write import replacing
from caked.labels import LabelRule, as_label_rule, label_rule_from_dict
from caked.loader import Loader
from caked.once import once
from caked.roots import map_roots, without_roots
from caked.sources.base import Source, source_from_dict
from caked.sources.coercion import as_source
from caked.split import Split, SplitRule
from caked.transforms.base import Transform, transform_from_dict
from caked.transforms.compose import as_transform, without_random

__all__ = ["Recipe"]

logger = logging.getLogger("caked")

FORMAT = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """What makes the same batches again.

    Attributes
    ----------
    source
        Where the samples are: one of caked's sources, or a foreign one with its factory
        (:func:`caked.stream`).
    labels
        How to label them, see :func:`caked.as_label_rule`; ``None`` for no labels.
    classes
        The classes to keep; ``None`` for all.
    split
        A rule, or the parts by name; ``None`` to keep all together as part ``"all"``.
    transforms
        Applied to part ``"train"`` (or ``"all"``).
    evaluation_transforms
        Applied to the other parts; ``None`` for ``transforms`` without the random ones.
    seed
        Of the order and of the transforms.
    batch_size, drop_last, balanced
        Of the loaders, see :class:`caked.Loader`; ``drop_last`` and ``balanced`` of the training part's.
    non_finite, collate
        See :class:`caked.Dataset`.

    Examples
    --------
    >>> from caked.transforms import MinMax
    >>> recipe = Recipe(source=np.zeros((4, 8, 8)), transforms=[MinMax()], batch_size=2)
    >>> len(recipe.build()["all"])
    2
    """

    source: Any
    labels: Any = None
    classes: Sequence[str] | None = None
    split: SplitRule | Split | None = None
    transforms: Any = None
    evaluation_transforms: Any = None
    seed: int = 0
    batch_size: int = 32
    drop_last: bool = False
    balanced: bool = False
    non_finite: NonFinite = "raise"
    collate: Collation = "stack"
    _recorded: Mapping[str, Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._set("source", as_source(self.source))
        self._set("labels", None if self.labels is None else as_label_rule(self.labels))
        self._set("transforms", as_transform([] if self.transforms is None else self.transforms))
        if self.evaluation_transforms is not None:
            self._set("evaluation_transforms", as_transform(self.evaluation_transforms))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def datasets(self) -> dict[str, Dataset]:
        """Return a dataset for each part."""
        whole = Dataset(
            self.source,
            labels=self.labels,
            classes=self.classes,
            transform=self.transforms,
            seed=self.seed,
            non_finite=self.non_finite,
            collate=self.collate,
        )
        if self.split is None:
            return {"all": whole}
        return whole.split(self._parts(whole), evaluation_transform=self._evaluation())

    def build(self, *, num_workers: int = 0, check: bool = True, **options: Any) -> dict[str, Loader]:
        """Return a loader for each part: ``"train"`` (or ``"all"``) shuffled, the others in order.

        Parameters
        ----------
        num_workers
            Processes that read ahead, for each loader.
        check
            Whether to compare the inputs of a recipe that was loaded with what it recorded. Files are read
            for that, all of them.
        **options
            Passed on to :class:`caked.Loader`.

        Raises
        ------
        RecipeError
            If the inputs are not what they were.
        """
        if check and self._recorded is not None:
            self._check(self._recorded)
        loaders = {}
        for part, dataset in self.datasets().items():
            trains = part in ("train", "all")
            loaders[part] = Loader(
                dataset,
                batch_size=self.batch_size,
                shuffle=trains,
                drop_last=self.drop_last and trains,
                balanced=self.balanced and trains,
                num_workers=num_workers,
                **options,
            )
        return loaders

    def _parts(self, dataset: Dataset) -> Split:
        if isinstance(self.split, Split):
            return self.split
        return cast("SplitRule", self.split).split(self.source, labels=dataset.labels, among=dataset.indices)

    def _evaluation(self) -> Transform:
        if self.evaluation_transforms is not None:
            return cast("Transform", self.evaluation_transforms)
        return without_random(self.transforms)

    def _check(self, recorded: Mapping[str, Any]) -> None:
        inputs = recorded["inputs"]
        if self.source.digest(content=inputs["content"]) != inputs["sha256"]:
            raise RecipeError(
                f"The inputs are not those that the recipe was written from: {self.source!r} has changed. "
                "Use build(check=False) to go on all the same."
            )
        was = {
            name: version
            for name, version in recorded["versions"].items()
            if _versions().get(name) != version
        }
        if was:
            logger.warning("The recipe was written with %s, this is %s.", was, _versions())
        split = recorded["split"]
        if split is not None and "rule" in split:
            whole = Dataset(self.source, labels=self.labels, classes=self.classes)
            if self._parts(whole).sha256() != split["sha256"]:
                raise RecipeError("The recipe's split comes out otherwise than when it was written.")

    @once
    def sha256(self) -> str:
        """Digest of the recipe, whatever folder inputs and recipe lie in: a key for what is made from it."""
        known = self._recorded if self._recorded is not None else self.to_dict()
        text = json.dumps(without_roots(known), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self, *, content: bool | None = None) -> dict[str, Any]:
        """Return the recipe, ready for JSON.

        Parameters
        ----------
        content
            Whether the digest of the inputs takes in every byte; ``None``: of files, but not of what is
            streamed.

        Raises
        ------
        RecipeError
            If a part cannot be written down, such as a lambda or an array in memory.
        """
        return {
            "caked_recipe": FORMAT,
            "versions": _versions(),
            "source": self.source.to_dict(),
            "inputs": {"content": content, "sha256": self.source.digest(content=content)},
            "labels": None if self.labels is None else self.labels.to_dict(),
            "classes": None if self.classes is None else list(self.classes),
            "split": self._split_to_dict(),
            "transforms": self.transforms.to_dict(),
            "evaluation_transforms": (
                None if self.evaluation_transforms is None else self.evaluation_transforms.to_dict()
            ),
            "seed": self.seed,
            "batch_size": self.batch_size,
            "drop_last": self.drop_last,
            "balanced": self.balanced,
            "non_finite": self.non_finite,
            "collate": self.collate,
        }

    def _split_to_dict(self) -> dict[str, Any] | None:
        if self.split is None or isinstance(self.split, Split):
            return None if self.split is None else self.split.to_dict()
        whole = Dataset(self.source, labels=self.labels, classes=self.classes)
        return {"rule": self.split.to_dict(), "sha256": self._parts(whole).sha256()}

    def save(self, path: str | os.PathLike[str], *, content: bool | None = None) -> Path:
        """Write the recipe as JSON, whole or not at all; folders are written relative to its own.

        Parameters
        ----------
        content
            As for :meth:`to_dict`.
        """
        target = Path(path).absolute()
        described = map_roots(
            self.to_dict(content=content), lambda root: os.path.relpath(root, target.parent)
        )
        with replacing(target) as part:
            part.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, allow: Sequence[str] = ()) -> Recipe:
        """Read a recipe.

        Parameters
        ----------
        allow
            Modules, or ``"module:name"``, that the recipe may import and call: the factory of a streamed
            source, a function that labels or transforms. None without being asked for, since to call what a
            file names is to run its code.

        Raises
        ------
        SourceNotFoundError
            If there is no such file, or what it reads from is gone.
        RecipeError
            If it is no recipe, or asks for what is not allowed.
        """
        place = Path(path).absolute()
        try:
            description = json.loads(place.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"There is no recipe {path}.", path=str(path)) from error
        except (UnicodeDecodeError, ValueError) as error:
            raise RecipeError(f"{path} is not JSON, so it is no recipe: {error}.") from error
        if not isinstance(description, dict) or description.get("caked_recipe") != FORMAT:
            raise RecipeError(f"{path} is not a recipe that this version of caked reads.")
        try:
            return cls._from_dict(description, place.parent, allow)
        except (KeyError, TypeError, AttributeError, InvalidOptionError) as error:
            raise RecipeError(f"{path} is not a complete recipe: {error}.") from error

    @classmethod
    def _from_dict(cls, description: Mapping[str, Any], base: Path, allow: Sequence[str]) -> Recipe:
        source: Source = source_from_dict(description["source"], base=base, allow=allow)
        labels: LabelRule | None = (
            None
            if description["labels"] is None
            else label_rule_from_dict(description["labels"], allow=allow)
        )
        evaluation = description["evaluation_transforms"]
        recipe = cls(
            source=source,
            labels=labels,
            classes=description["classes"],
            split=_split_from_dict(description["split"]),
            transforms=transform_from_dict(description["transforms"], allow=allow),
            evaluation_transforms=None
            if evaluation is None
            else transform_from_dict(evaluation, allow=allow),
            seed=description["seed"],
            batch_size=description["batch_size"],
            drop_last=description["drop_last"],
            balanced=description.get("balanced", False),  # recipes of earlier versions do not say
            non_finite=description["non_finite"],
            collate=description["collate"],
        )
        recipe._set("_recorded", description)
        return recipe


def _split_from_dict(description: Mapping[str, Any] | None) -> SplitRule | Split | None:
    if description is None:
        return None
    return SplitRule(**description["rule"]) if "rule" in description else Split.from_dict(description)


def _versions() -> dict[str, str]:
    return {
        "caked": __version__,
        "numpy": np.__version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }
