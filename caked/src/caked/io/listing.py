"""Which files there are: by glob and by exact ending, sorted, so that every machine gets the same list."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from caked.errors import InvalidOptionError, SourceNotFoundError, UnreachableSourceError

__all__ = ["has_suffix", "list_files"]

Root = str | os.PathLike[str]


def list_files(
    root: Root | Sequence[Root], *, pattern: str, extensions: Sequence[str]
) -> tuple[Path, list[str]]:
    """List files in a folder, or check those that are named.

    Returns
    -------
    tuple
        The folder, and sorted names relative to it with ``/`` between parts; named files keep their order.

    Raises
    ------
    SourceNotFoundError
        If a folder or a named file is not there, or nothing matches.
    """
    if not isinstance(root, str | os.PathLike):
        return _named(list(root))
    folder = Path(root)
    if folder.is_file():
        return folder.parent, [folder.name]
    if not folder.is_dir():
        raise SourceNotFoundError(f"There is no folder {folder}.", path=str(folder))
    names = _matching(folder, pattern, extensions)
    if not names:
        raise SourceNotFoundError(
            f"Folder {folder} holds no file that matches {pattern!r} and ends with {_endings(extensions)}.",
            path=str(folder),
        )
    return folder, names


def has_suffix(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a name ends with one of the suffixes, without regard to case.

    Examples
    --------
    >>> has_suffix("a.MRC", [".mrc"]), has_suffix("a.mrc.bak", [".mrc"]), has_suffix("a.mrcx", [".mrc"])
    (True, False, False)
    """
    return name.lower().endswith(tuple(map(str.lower, suffixes)))


def _matching(folder: Path, pattern: str, extensions: Sequence[str]) -> list[str]:
    try:
        found = [path for path in folder.glob(pattern) if path.is_file()]
    except PermissionError as error:
        raise UnreachableSourceError(f"Folder {folder} may not be read.", path=str(folder)) from error
    except (ValueError, NotImplementedError) as error:
        raise InvalidOptionError(
            f"{pattern!r} is not a pattern of names within a folder: {error}."
        ) from error
    names = (path.relative_to(folder).as_posix() for path in found if not path.name.startswith("."))
    return sorted(name for name in names if has_suffix(name, extensions))


def _named(paths: list[Root]) -> tuple[Path, list[str]]:
    if not paths:
        raise SourceNotFoundError("The list of files is empty.")
    absolute = [Path(path).absolute() for path in paths]
    missing = [str(path) for path in absolute if not path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SourceNotFoundError(f"There is no file {missing[0]}{more}.", path=missing[0])
    if len(set(absolute)) < len(absolute):
        raise InvalidOptionError("A file is listed twice, and each is one sample.")
    folder = Path(os.path.commonpath([path.parent for path in absolute]))
    return folder, [path.relative_to(folder).as_posix() for path in absolute]


def _endings(extensions: Sequence[str]) -> str:
    """Name the endings; of the many that caked reads, those that are not compressed ones of others."""
    return _or([ending for ending in extensions if ending.count(".") == 1] or list(extensions))


def _or(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
