"""Parts of a data set for training, validation and test, without leakage between them.

Two images from one micrograph share its defocus, its ice and its dose; tested on one after training on the
other, a network looks better than it is. So samples of a group stay in one part wherever the source knows
groups, unless asked otherwise.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from caked.counting import counted
from caked.errors import InvalidOptionError, RecipeError, SourceNotFoundError, SplitError
from caked.io.write import replacing
from caked.labels import Labels
from caked.randomness import permutation
from caked.sharing import Unit, assign, shares_of
from caked.sources.base import Source
from caked.sources.coercion import as_source

__all__ = ["Split", "SplitRule", "split_samples"]

By = Literal["auto", "group", "random"]


@dataclass(frozen=True)
class Split:
    """Names of the samples of each part.

    Attributes
    ----------
    parts
        Sample names by part, such as ``{"train": (…), "validation": (…)}``.
    """

    parts: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        names = [name for part in self.parts.values() for name in part]
        if len(set(names)) < len(names):
            raise InvalidOptionError("A sample stands in two parts of the split, or twice in one.")

    def __getitem__(self, part: str) -> tuple[str, ...]:
        if part not in self.parts:
            raise SourceNotFoundError(f"The split has no part {part!r}; it has {', '.join(self.parts)}.")
        return self.parts[part]

    def indices(self, part: str, source: Source) -> NDArray[np.int64]:
        """Return the indices of a part's samples, ascending.

        Raises
        ------
        SourceNotFoundError
            If the source has lost one of them.
        """
        index_of = {name: i for i, name in enumerate(source.names)}
        missing = [name for name in self[part] if name not in index_of]
        if missing:
            raise SourceNotFoundError(
                f"Not in the source: {counted(len(missing), 'samples')} of part {part!r}, "
                f"the first is {missing[0]!r}."
            )
        return np.array(sorted(index_of[name] for name in self[part]), dtype=np.int64)

    def sha256(self) -> str:
        """Return a digest of the parts and their names."""
        return hashlib.sha256(self._text().encode("utf-8", "surrogateescape")).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the names as JSON, whole or not at all."""
        with replacing(path) as part:
            part.write_text(self._text(), encoding="utf-8", errors="surrogateescape")
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Split:
        """Read what :meth:`save` wrote.

        Raises
        ------
        SourceNotFoundError
            If there is no such file.
        RecipeError
            If it holds something else.
        """
        try:
            return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8", errors="surrogateescape")))
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"There is no file {path}.", path=str(path)) from error
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise RecipeError(f"{path} is not a split that caked wrote: {error}.") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the names by part, ready for JSON."""
        return {"parts": {part: list(names) for part, names in self.parts.items()}}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Split:
        """Make the split that :meth:`to_dict` described."""
        return cls({str(part): tuple(names) for part, names in description["parts"].items()})

    def _text(self) -> str:
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False)

    def __repr__(self) -> str:
        return f"Split({', '.join(f'{part}={len(names)}' for part, names in self.parts.items())})"


@dataclass(frozen=True, kw_only=True)
class SplitRule:
    """How to split; with the same source it gives the same parts, anywhere.

    Attributes
    ----------
    fractions
        Share of each part, such as ``{"train": 0.8, "validation": 0.1, "test": 0.1}``; they add up to 1.
        Samples are counted by largest remainder, and no part is left empty.
    by
        ``"auto"``: by group where the source has groups, else random. ``"group"``: whole groups.
        ``"random"``: single samples, also where they share a micrograph.
    stratify
        Whether each class (for groups: the class that most of a group's samples have) is split by itself.
    seed
        Any integer.
    """

    fractions: Mapping[str, float] = field(default_factory=lambda: {"train": 0.8, "validation": 0.2})
    by: By = "auto"
    stratify: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        shares = shares_of(self.fractions)
        if min(shares.values()) < 0:
            raise InvalidOptionError(f"Fractions are 0 or more and add up to 1, not {dict(self.fractions)}.")
        if self.by not in ("auto", "group", "random"):
            raise InvalidOptionError(f"A split goes by 'auto', 'group' or 'random', not {self.by!r}.")

    def split(
        self,
        source: Source,
        *,
        labels: Labels | None = None,
        among: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Split:
        """Split the samples of a source.

        Parameters
        ----------
        labels
            Needed to stratify.
        among
            Indices of the samples to split; ``None`` for all that have a class, or simply all.

        Raises
        ------
        SplitError
            If a part would be left without samples.
        """
        rows = np.arange(len(source)) if among is None else np.asarray(among, dtype=np.int64)
        if labels is not None and among is None:
            rows = rows[labels.codes >= 0]
        if self.stratify and labels is None:
            raise InvalidOptionError("To stratify a split, the samples need labels.")
        units = self._units(source, rows)
        order = permutation(len(units), seed=self.seed, operation="split")
        strata: dict[int, list[Unit]] = defaultdict(list)
        for k in order.tolist():
            stratum = _class_of(units[k], labels) if self.stratify and labels is not None else 0
            strata[stratum].append(units[k])
        assigned = assign([strata[key] for key in sorted(strata)], self.fractions)
        self._check(assigned, len(rows), len(units))
        return Split({part: tuple(source.names[i] for i in sorted(ids)) for part, ids in assigned.items()})

    def _units(self, source: Source, rows: NDArray[np.int64]) -> list[Unit]:
        """Return what must stay together, in an order that does not depend on the seed."""
        if self.by == "random":
            return [[i] for i in rows.tolist()]
        groups: dict[str, Unit] = defaultdict(list)
        for i in rows.tolist():
            group = source.group(i)
            if group is None and self.by == "group":
                raise InvalidOptionError(f"Sample {source.names[i]!r} has no group to split by.")
            groups[f"sample {i}" if group is None else f"group {group}"].append(i)
        return list(groups.values())

    def _check(self, assigned: Mapping[str, Unit], samples: int, units: int) -> None:
        empty = [part for part, share in self.fractions.items() if share > 0 and not assigned[part]]
        if empty:
            counts = {part: len(ids) for part, ids in assigned.items()}
            what = counted(samples, "samples")
            if units != samples:
                what += f" in {counted(units, 'groups')}"
            raise SplitError(
                f"All sets must be larger than 0 samples: of {what}, {dict(self.fractions)} makes {counts}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the rule, ready for JSON."""
        return {
            "fractions": dict(self.fractions),
            "by": self.by,
            "stratify": self.stratify,
            "seed": self.seed,
        }


def split_samples(
    source: Any,
    fractions: Mapping[str, float],
    *,
    by: By = "auto",
    stratify: bool = False,
    labels: Labels | None = None,
    seed: int = 0,
) -> Split:
    """Split the samples of a source, or of what :func:`caked.as_source` takes; see :class:`SplitRule`.

    Examples
    --------
    >>> from caked.sources import ArraySource
    >>> split_samples(ArraySource(np.zeros((10, 2, 2))), {"train": 0.7, "test": 0.3})
    Split(train=7, test=3)
    """
    rule = SplitRule(fractions=fractions, by=by, stratify=stratify, seed=seed)
    return rule.split(as_source(source), labels=labels)


def _class_of(unit: Unit, labels: Labels) -> int:
    return int(np.bincount(labels.codes[unit] + 1).argmax())
