"""Labels from a table on disk: CSV, STAR, or a list of JSON objects such as a download's manifest."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from caked.errors import DamagedFileError, InvalidOptionError, SourceNotFoundError
from caked.labels.rules import Labelled, LabelRule, register
from caked.once import once

__all__ = ["TableLabels"]

Row = Mapping[str, Any]

_NAME_COLUMNS = ("name", "path", "file", "filename", "image", "rlnImageName", "rlnMicrographName")


@register("table")
class TableLabels(LabelRule):
    """A column of a table on disk.

    Parameters
    ----------
    path
        ``.csv`` or ``.tsv`` with a row of column names; ``.star``; ``.jsonl``, one JSON object a line, which
        is how empiarreader keeps its manifests.
    column
        Column that holds the label.
    key
        Column that holds the name of the sample; ``None`` for the first there is of name, path, file,
        filename, image, rlnImageName and rlnMicrographName.
    block
        Block of a STAR file; ``None`` for the one that has both columns.
    default
        Label of samples that the table does not list; without one they are an error.

    Notes
    -----
    A sample is looked up under its whole name, and where that is not listed under its last part, if only one
    row ends so: ``data/run1/a.mrc`` finds ``a.mrc``, and the other way round.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        column: str,
        *,
        key: str | None = None,
        block: str | None = None,
        default: str | None = None,
    ) -> None:
        self.path = Path(path)
        self.column, self.key, self.block, self.default = column, key, block, default

    def label(self, source: Labelled, i: int) -> str:
        """Look the name up.

        Raises
        ------
        SourceNotFoundError
            If the table is not there, lacks the columns, or does not list the sample.
        DamagedFileError
            If it is no such table.
        """
        name = source.names[i]
        by_name, by_last_part = self._labels
        label = by_name.get(name)
        if label is None:
            label = by_last_part.get(_last_part(name))
        if label is None:
            label = self.default
        if label is None:
            raise SourceNotFoundError(f"{self.path} has no row for {name!r}.", path=str(self.path))
        return label

    @once
    def _labels(self) -> tuple[dict[str, str], dict[str, str | None]]:
        rows = self._rows()
        key = self.key or next((name for name in _NAME_COLUMNS if rows and name in rows[0]), None)
        if key is None or not rows or key not in rows[0] or self.column not in rows[0]:
            known = sorted(rows[0]) if rows else []
            wanted = f"{self.key or 'a column of names'} and {self.column!r}"
            raise SourceNotFoundError(f"{self.path} lacks {wanted}; it has {known}.", path=str(self.path))
        by_name = {str(row[key]): str(row[self.column]) for row in rows if row.get(self.column) is not None}
        by_last_part: dict[str, str | None] = {}
        for name, label in by_name.items():
            last = _last_part(name)
            by_last_part[last] = label if by_last_part.setdefault(last, label) == label else None
        return by_name, by_last_part

    def _rows(self) -> Sequence[Row]:
        suffix = self.path.suffix.lower()
        try:
            if suffix in (".csv", ".tsv"):
                with self.path.open(newline="", encoding="utf-8-sig") as file:
                    return list(csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ","))
            if suffix == ".jsonl":
                lines = self.path.read_text(encoding="utf-8").splitlines()
                return [row for line in lines if line.strip() and isinstance(row := json.loads(line), dict)]
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"There is no file {self.path}.", path=str(self.path)) from error
        except (ValueError, csv.Error) as error:
            raise DamagedFileError(
                f"{self.path} is no table of labels ({error}): it is corrupted.", path=str(self.path)
            ) from error
        if suffix == ".star":
            return self._rows_of_star()
        raise InvalidOptionError(f"Labels come from .csv, .tsv, .star or .jsonl, not from {self.path}.")

    def _rows_of_star(self) -> Sequence[Row]:
        from caked.io.star import read_star

        blocks = read_star(self.path)
        wanted = {self.column} | ({self.key} if self.key else set())
        for name, table in blocks.items():
            if self.block == name or (self.block is None and wanted <= set(table)):
                return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
        raise SourceNotFoundError(
            f"{self.path} has no block {self.block or f'with {sorted(wanted)}'}; it has {sorted(blocks)}.",
            path=str(self.path),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return path, columns and default."""
        return {
            "type": self.type_name,
            "path": str(self.path),
            "column": self.column,
            "key": self.key,
            "block": self.block,
            "default": self.default,
        }


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
