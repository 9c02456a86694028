"""What there is to say of files found: how many and how large, or what to try where there are none."""

from __future__ import annotations

import json
from collections.abc import Sequence

from empiarreader.byteunits import describe_bytes
from empiarreader.listing.tree import ArchiveFile


def count_line(files: Sequence[ArchiveFile], *, as_json: bool) -> str:
    """Return number and size of files in one line; ``~`` where directories show rounded sizes alone.

    Examples
    --------
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
    noun = "file" if len(files) == 1 else "files"
    unknown = sum(size is None for size in sizes)
    of_unknown = f", {unknown} of them of unknown size" if unknown else ""
    return f"{len(files)} {noun}, {'' if is_exact else '~'}{describe_bytes(total)}{of_unknown}"


def deeper_hint(pattern: str | None, regexp: bool) -> str:
    """Return what to try where a glob that stays in one directory has found nothing.

    Examples
    --------
    >>> deeper_hint("*.mrc", regexp=False), deeper_hint("data/**/*.mrc", regexp=False)
    ("; '**/*.mrc' looks into all directories", '')
    """
    if not pattern or regexp or "**" in pattern or pattern.startswith(("http", "ftp:", "*/")):
        return ""
    return f"; {'**/' + pattern!r} looks into all directories"
