"""Links to files under names, and in places, that other programs can take."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from empiarreader.errors import LocalFileError
from empiarreader.handing_over.files import HandedFile

_SAFE = re.compile(r"[A-Za-z0-9_./+=,-]+")
_UNSAFE_SIGNS = re.compile(r"[^A-Za-z0-9_+=,-]+")


def is_safe(path: str) -> bool:
    """Return whether a path has only signs that mean nothing to a STAR file, a pattern or a shell.

    Examples
    --------
    >>> is_safe("GridSquare_1/Data/a+b-1.mrc"), is_safe("a b.mrc"), is_safe("run:1/a.mrc"), is_safe("-o.mrc")
    (True, False, False, False)
    """
    return _SAFE.fullmatch(path) is not None and not any(part.startswith("-") for part in path.split("/"))


def safe_names(files: Sequence[HandedFile], suffixes: Mapping[Path, str]) -> dict[Path, str]:
    """Return a name for each file that is safe, ends as wanted, and is like no other also without its ending.

    A file keeps its own name as far as that goes; those that would share one are called by their whole path,
    and numbered where even that does not tell them apart.
    """
    stems = {file.path: _safe_stem(file.path.name, suffixes[file.path]) for file in files}
    counts = Counter(stem.lower() for stem in stems.values())
    names: dict[Path, str] = {}
    used: set[str] = set()
    for file in files:
        suffix = suffixes[file.path]
        first = stem = stems[file.path]
        if counts[stem.lower()] > 1:
            first = stem = _safe_stem(file.name.replace("/", "_"), suffix)
        number = 1
        while stem.lower() in used:
            number += 1
            stem = f"{first}_{number}"
        used.add(stem.lower())
        names[file.path] = stem + suffix
    return names


def make_links(links: Mapping[Path, Path], *, overwrite: bool, alone: bool = False) -> None:
    """Make each link (the key) lead to its file, by a symbolic link or, where there are none, a hard one.

    Parameters
    ----------
    links
        Where each link is to be, and which file it leads to.
    overwrite
        Replace links that lead elsewhere.
    alone
        Leave nothing else in their folders: links of earlier times are removed.

    Raises
    ------
    LocalFileError
        If something else is in the way and may not be replaced, or a link cannot be made. Nothing is made
        where anything is in the way.
    """
    stale = _others(links) if alone else []
    wanted = {link: target for link, target in links.items() if not _leads_to(link, target)}
    # Only links are ever replaced: where they led to is still there.
    in_the_way = [link for link in wanted if os.path.lexists(link) and not (overwrite and link.is_symlink())]
    in_the_way += [path for path in stale if not path.is_symlink()]
    if in_the_way:
        raise LocalFileError(f"{in_the_way[0]} is there already and is something else; move it away")
    for path in stale:
        path.unlink(missing_ok=True)
    for link, target in wanted.items():
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            _replace(link, target)
        except OSError as error:
            raise LocalFileError(f"cannot link {link} to {target}: {error.strerror or error}") from error


def _others(links: Mapping[Path, Path]) -> list[Path]:
    """Return what else is in the folders of links."""
    folders = {link.parent for link in links}
    return sorted(
        path for folder in folders if folder.is_dir() for path in folder.iterdir() if path not in links
    )


def _replace(link: Path, target: Path) -> None:
    beside = link.with_name(f".{link.name[:200]}.{os.getpid()}.part")
    try:
        try:
            beside.symlink_to(target)
        except OSError:
            os.link(target, beside)
        beside.replace(link)
    finally:
        beside.unlink(missing_ok=True)


def _leads_to(link: Path, target: Path) -> bool:
    try:
        return (link.is_symlink() and link.readlink() == target) or link.samefile(target)
    except OSError:
        return False


def _safe_stem(name: str, suffix: str) -> str:
    stem = name[: len(name) - len(suffix)] if name.lower().endswith(suffix) else Path(name).stem
    return _UNSAFE_SIGNS.sub("_", stem).strip("_-") or "image"
