"""Which files of an entry a command line means, how many they are, and what to try where there are none."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from empiarreader.byteunits import describe_bytes, describe_count, describe_files
from empiarreader.errors import ArchiveFileNotFoundError
from empiarreader.listing.kinds import KINDS, kind_of

if TYPE_CHECKING:
    from empiarreader.entry import EmpiarEntry
    from empiarreader.listing.tree import ArchiveFile

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])


def selecting_options(command: _Decorated) -> _Decorated:
    """Give a command the options that select files of an entry, as :func:`find_files` takes them."""
    for option in (
        click.option("--ignore-case", "-i", is_flag=True, help="Let *.mrc stand for A.MRC, too."),
        click.option("--regexp", is_flag=True, help="Take patterns as regular expressions."),
        click.option("--kind", type=click.Choice(KINDS), help="Take files of this kind alone."),
        click.option("--dir", "--directory", "directory", default="", help="Directory to begin in."),
    ):
        command = option(command)
    return command


def protocol_option(help: str) -> Callable[[_Decorated], _Decorated]:
    """Return the option that says which door of the archive is used."""
    return click.option(
        "--protocol", type=click.Choice(["https", "ftp"]), default="https", show_default=True, help=help
    )


def find_files(
    entry: EmpiarEntry,
    patterns: Sequence[str],
    *,
    directory: str = "",
    kind: str | None = None,
    regexp: bool = False,
    ignore_case: bool = False,
) -> list[ArchiveFile]:
    """Return the files of an entry that any of the patterns selects, or all of them, sorted by path.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is none; the message says what to try.
    """

    def find(ignore_case: bool) -> list[ArchiveFile]:
        if not patterns:
            return entry.files(directory=directory)
        lists = [
            entry.find(pattern, directory=directory, regexp=regexp, ignore_case=ignore_case)
            for pattern in patterns
        ]
        found = {file.path: file for files in lists for file in files}
        return [found[path] for path in sorted(found)]

    matching = find(ignore_case)
    found = matching if kind is None else _of_kind(kind, matching, entry, patterns)
    if found:
        return found
    if not patterns:
        raise ArchiveFileNotFoundError(f"{entry.accession} has no files in {directory or 'it'}")
    either_case = 0 if ignore_case else len(find(True))
    hint = f"; --ignore-case finds {either_case}" if either_case else deeper_hint(patterns[0], regexp)
    raise ArchiveFileNotFoundError(f"no file in {entry.accession} matches {_either(patterns)}{hint}")


def _of_kind(
    kind: str, files: Sequence[ArchiveFile], entry: EmpiarEntry, patterns: Sequence[str]
) -> list[ArchiveFile]:
    """Return those of the files that are of a kind; where none of some is, say of which kinds they are."""
    imagesets = entry.imagesets
    kinds = [kind_of(file.path, imagesets) for file in files]
    found = [file for file, its in zip(files, kinds, strict=True) if its == kind]
    if files and not found:
        among = f" in {entry.accession}" + (f" that match {_either(patterns)}" if patterns else "")
        there = ", ".join(
            describe_count(count, its or "others") for its, count in Counter(kinds).most_common()
        )
        raise ArchiveFileNotFoundError(
            f"of {describe_files(len(files))}{among} none is of the kind {kind}: {there}"
        )
    return found


def _either(patterns: Sequence[str]) -> str:
    return " or ".join(map(repr, patterns))


def count_line(files: Sequence[ArchiveFile], *, as_json: bool) -> str:
    """Return number and size of files in one line; ``~`` where directories show rounded sizes alone.

    Examples
    --------
    >>> from empiarreader import ArchiveFile
    >>> one = ArchiveFile(path="a", url="https://host/a", size_bytes=1500, approximate_size_bytes=1500)
    >>> two = ArchiveFile(path="b", url="https://host/b", approximate_size_bytes=1024)
    >>> count_line([one, one], as_json=False), count_line([one, two], as_json=False)
    ('2 files, 3 kB', '2 files, ~2.52 kB')
    """
    sizes = [file.approximate_size_bytes for file in files]
    total = sum(size for size in sizes if size is not None)
    is_exact = all(file.size_bytes is not None for file in files)
    if as_json:
        return json.dumps({"files": len(files), "size_bytes": total, "is_exact": is_exact})
    unknown = sum(size is None for size in sizes)
    of_unknown = f", {unknown} of them of unknown size" if unknown else ""
    return f"{describe_files(len(files))}, {'' if is_exact else '~'}{describe_bytes(total)}{of_unknown}"


def deeper_hint(pattern: str, regexp: bool) -> str:
    """Return what to try where a glob that stays in one directory has found nothing.

    Examples
    --------
    >>> deeper_hint("*.mrc", regexp=False), deeper_hint("data/*.mrc", regexp=False)
    ("; '**/*.mrc' looks into all directories", "; 'data/**/*.mrc' looks into all directories")
    >>> deeper_hint("data/**/*.mrc", regexp=False), deeper_hint("*.{mrc,tif}", regexp=False)
    ('', '; braces stand for themselves: give a pattern for each')
    """
    if re.search(r"\{.*,.*\}", pattern) and not regexp:
        return "; braces stand for themselves: give a pattern for each"
    if regexp or "**" in pattern or pattern.startswith(("http", "ftp:")):
        return ""
    directory, _, name = pattern.rpartition("/")
    return f"; {(directory + '/' if directory else '') + '**/' + name!r} looks into all directories"
