"""The data set that a command is about: a recipe, a list of particles, a stack, or a folder of files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from caked.errors import InvalidOptionError, SourceNotFoundError

if TYPE_CHECKING:
    from caked.dataset import Dataset

__all__ = ["dataset_options", "open_dataset"]

Command = Callable[..., None]


def dataset_options(command: Command) -> Command:
    """Add the argument and the options that say which data set."""
    for option in (
        click.option(
            "--allow",
            multiple=True,
            metavar="MODULE",
            help="A module whose functions the recipe may call; can be given several times.",
        ),
        click.option("--part", help="Which part of a recipe, such as train.  [default: all samples]"),
        click.option(
            "--transform",
            "words",
            multiple=True,
            metavar="WORD",
            help="shiftmin, gaussianblur, normalise or rescale=N; can be given several times, in order.",
        ),
        click.option(
            "--labels",
            type=click.Choice(["prefix", "parent", "group"]),
            help="Where the classes are: before the first _ of the name, in the folder, or in the stack.",
        ),
        click.option("--pattern", default="*", show_default=True, help="Which files of a folder, as a glob."),
        click.argument("path", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def open_dataset(
    path: Path,
    *,
    pattern: str = "*",
    labels: str | None = None,
    words: Sequence[str] = (),
    part: str | None = None,
    allow: Sequence[str] = (),
) -> Dataset:
    """Return the data set that the options describe.

    Raises
    ------
    SourceNotFoundError
        If there is no such file, folder or part.
    InvalidOptionError
        If the options do not fit.
    """
    from caked.dataset import Dataset
    from caked.sources.paths import source_of_path

    if not path.exists():
        raise SourceNotFoundError(f"There is no file or folder {path}.", path=str(path))
    if path.suffix.lower() == ".json":
        if words or labels:
            raise InvalidOptionError("A recipe says labels and transforms itself; leave these options out.")
        return _of_recipe(path, part, allow)
    if part is not None:
        raise InvalidOptionError("Only a recipe has parts.")
    return Dataset(source_of_path(path, pattern=pattern), labels=labels, transform=_transform(words))


def _of_recipe(path: Path, part: str | None, allow: Sequence[str]) -> Dataset:
    from caked.recipe import Recipe

    recipe = Recipe.load(path, allow=allow)
    parts = recipe.datasets()
    if part is not None and part not in parts:
        raise SourceNotFoundError(f"The recipe has no part {part!r}; it has {', '.join(parts)}.")
    if part is None and "all" not in parts:
        raise InvalidOptionError(f"The recipe has the parts {', '.join(parts)}; say which with --part.")
    return parts[part or "all"]


def _transform(words: Sequence[str]) -> Any:
    from caked.words import parse_words, transform_of

    steps, size = parse_words(list(words))
    return [transform_of(word, size) for word in steps]
