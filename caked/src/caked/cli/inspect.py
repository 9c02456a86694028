"""``caked inspect``: what files hold, by their headers."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from caked.cli.commands import SOME_FAILED, exit_code, printable, speaking_options
from caked.cli.lists import LIST_SUFFIXES, facts_of_list, line_of_list
from caked.counting import counted
from caked.errors import CakedError, SourceNotFoundError

__all__ = ["command"]

_INSPECT_HELP = """\b
$ caked inspect maps/ particles.mrcs
$ caked inspect data --pattern '**/*.mrc' --json
$ caked inspect particles.star picks.csv

Tell what files hold, by their headers.

Prints shape (in array order), type, voxel size in Å, and the class that the name begins with; of a list of
particles (.star, .cs), coordinates or tilts (.mdoc), how many and what is known of them.

The exit status is 0 when every file could be read, 1 when some could not, 3 when none was found and 5 when
all are damaged."""


@click.command("inspect", help=_INSPECT_HELP, short_help="Tell what files hold, by their headers.")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file, a line each.")
@click.option("--pattern", default="*", show_default=True, help="Which files of a folder, as a glob.")
@speaking_options
def command(paths: tuple[Path, ...], as_json: bool, pattern: str) -> None:
    """Print a line for each file, and go on after one that cannot be read."""
    facts, failures = [], []
    for path in paths:
        for found in _inspected(path, pattern):
            if isinstance(found, CakedError):
                failures.append(found)
                click.echo(f"caked: {printable(str(found))}", err=True)
                continue
            facts.append(found)
            click.echo(json.dumps(found) if as_json else _line(found))
    images = [found for found in facts if "shape" in found]
    if images and not as_json:
        click.echo(_summary(images))
    if failures:
        codes = {exit_code(failure) for failure in failures}
        sys.exit(codes.pop() if len(codes) == 1 and not facts else SOME_FAILED)


def _inspected(path: Path, pattern: str) -> Iterator[dict[str, Any] | CakedError]:
    from caked.io.layout import READABLE_SUFFIXES
    from caked.io.listing import list_files

    if not path.exists():
        yield SourceNotFoundError(f"There is no file or folder {path}.", path=str(path))
        return
    try:
        folder, names = list_files(path, pattern=pattern, extensions=READABLE_SUFFIXES)
    except CakedError as error:
        yield error
        return
    for name in names:
        try:
            yield _facts(folder / name)
        except CakedError as error:
            yield error


def _facts(path: Path) -> dict[str, Any]:
    if path.suffix.lower() in LIST_SUFFIXES:
        return facts_of_list(path)
    from caked.io.layout import read_layout
    from caked.labels import prefix_of

    layout = read_layout(path)
    known = layout.format == "mrc" and all(layout.voxel_size)
    return {
        "path": str(path),
        "format": layout.format,
        "shape": list(layout.shape),
        "dtype": str(layout.dtype),
        "voxel_size_angstrom": [round(edge, 6) for edge in layout.voxel_size] if known else None,
        "size_bytes": path.stat().st_size,
        "compression": layout.compression,
        "class": prefix_of(path.name),
    }


def _line(facts: dict[str, Any]) -> str:
    if "kind" in facts:
        return line_of_list(facts)
    shape = " x ".join(str(edge) for edge in facts["shape"])
    voxel = facts["voxel_size_angstrom"]
    size = "voxel size not stated" if voxel is None else f"{' x '.join(f'{edge:g}' for edge in voxel)} Å"
    return f"{printable(facts['path'])}  {shape}  {facts['dtype']}  {size}  class {printable(facts['class'])}"


def _summary(facts: Sequence[dict[str, Any]]) -> str:
    classes = Counter(fact["class"] for fact in facts)
    shapes = {tuple(fact["shape"]) for fact in facts}
    told = ", ".join(f"{printable(name)} {count}" for name, count in sorted(classes.items()))
    of_shapes = "one shape" if len(shapes) == 1 else f"{len(shapes)} shapes"
    return (
        f"{counted(len(facts), 'files')} of {of_shapes}; {counted(len(classes), 'classes')} by prefix: {told}"
    )
