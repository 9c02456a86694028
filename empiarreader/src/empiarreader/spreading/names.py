"""What results are called: as the images that they are made from, with another ending."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from empiarreader.addresses import check_target, decode_path
from empiarreader.errors import InvalidRequestError
from empiarreader.formats import is_image

_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zst"})


def targets_of(names: Sequence[str], *, suffix: str | None) -> list[str]:
    """Return a path for the result of each image, relative to the folder of results, all different.

    Names of an entry keep their directories. Of paths and addresses, what all of them begin with is left out.

    Parameters
    ----------
    names
        Paths in an entry, paths, or addresses.
    suffix
        How they end in the place of how images end; None leaves them.

    Raises
    ------
    InvalidRequestError
        If one image is there twice, or a name leads out of the folder.

    Examples
    --------
    >>> targets_of(["data/a.tif.bz2", "data/b.mrc"], suffix=".mrc")
    ['data/a.mrc', 'data/b.mrc']
    >>> targets_of(["/disk/a.tif", "/disk/a.mrc"], suffix=".mrc")
    ['a.tif.mrc', 'a.mrc.mrc']
    """
    paths = _without_common([_path(name) for name in names])
    if suffix is None:
        wanted = paths
    else:
        stems = [_stem(path) for path in paths]
        alike = Counter(stems)
        wanted = [
            (stem if alike[stem] == 1 else path) + suffix for stem, path in zip(stems, paths, strict=True)
        ]
    twice = [target for target, count in Counter(wanted).items() if count > 1]
    if twice:
        raise InvalidRequestError(f"there is more than one image for {twice[0]}; give each once")
    return [check_target(target) for target in wanted]


def _path(name: str) -> str:
    """Return a path with slashes, decoded where it was an address."""
    if "://" in name:
        parts = urlsplit(name)
        return "/" + "/".join(part for part in (parts.netloc, decode_path(parts.path).lstrip("/")) if part)
    return name.replace(os.sep, "/")


def _without_common(paths: Sequence[str]) -> list[str]:
    if not any(path.startswith(("/", "~", "..")) for path in paths):
        return list(paths)
    folders = [path.rpartition("/")[0].split("/") for path in paths]
    common = 0
    while all(len(parts) > common for parts in folders) and len({parts[common] for parts in folders}) == 1:
        common += 1
    return ["/".join(path.split("/")[common:]) for path in paths]


def _stem(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.suffix.lower() in _COMPRESSED and pure.stem:
        pure = pure.with_suffix("")
    return str(pure.with_suffix("")) if is_image(pure.name) and pure.stem else str(pure)
