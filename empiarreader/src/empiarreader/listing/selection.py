r"""Which files of a directory a source or a search is about.

Patterns are matched against decoded paths relative to the directory. Those written for empiarreader 0.0.17
were matched against the whole address of each file directly in the directory, by a glob whose ``*`` crosses
slashes or a regular expression from the beginning (``".*EER\\.mrc"``); what they selected they still
select.
"""

from __future__ import annotations

import fnmatch
import re

from empiarreader.formats import is_image
from empiarreader.listing.globs import Glob, compile_regexp


class Selection:
    r"""A choice among the files below a directory.

    Parameters
    ----------
    pattern
        Glob or regular expression; None selects every image, at any depth.
    regexp
        Whether the pattern is a regular expression. It may match anywhere in the path; ``^`` and ``$``
        anchor it.
    recursive
        Whether to look below the directory itself. None does so as far as a glob with slashes or ``**``
        reaches, for images without a pattern, and not for regular expressions.
    ignore_case
        Whether upper and lower case are the same: ``*.mrc`` selects ``A.MRC`` then, too.

    Raises
    ------
    PatternError
        If the pattern is malformed.

    Examples
    --------
    >>> Selection("*.mrc").selects("a.mrc", "https://host/1/data/a.mrc")
    True
    >>> Selection(".*EER\\.mrc", regexp=True).selects("a_EER.mrc", "https://host/1/data/a_EER.mrc")
    True
    """

    def __init__(
        self,
        pattern: str | None = None,
        *,
        regexp: bool = False,
        recursive: bool | None = None,
        ignore_case: bool = False,
    ) -> None:
        self.pattern = pattern or None
        self.regexp = regexp
        self.recursive = recursive
        self._glob: Glob | None = None
        self.whole_address: re.Pattern[str] | None = None
        if self.pattern and regexp:
            self.whole_address = compile_regexp(self.pattern, ignore_case=ignore_case)
        elif self.pattern:
            self._glob = Glob(self.pattern, ignore_case=ignore_case)
            self.whole_address = compile_regexp(fnmatch.translate(self.pattern), ignore_case=ignore_case)

    def selects(self, path: str, url: str) -> bool:
        """Return whether a file is selected, by its path relative to the directory and by its address."""
        if self.whole_address is None:
            return is_image(path)
        if self.regexp and self.whole_address.search(path):
            return True
        if self._glob is not None and self._selects_by_glob(path):
            return True
        # The published meaning, which never looked below the directory.
        return "/" not in path.rstrip("/") and self.whole_address.match(url) is not None

    def looks_below(self, directory: str) -> bool:
        """Return whether the directory, given relative to the first one, is worth listing."""
        if self.recursive is not None:
            return self.recursive
        if self._glob is not None:
            return self._glob.may_match_below(directory)
        return self.pattern is None

    def describe(self) -> str:
        """Return the selection in words, for messages."""
        if self.pattern is None:
            return "image files"
        return f"{'regular expression' if self.regexp else 'pattern'} {self.pattern!r}"

    def _selects_by_glob(self, path: str) -> bool:
        assert self._glob is not None
        return self._glob.matches(path) or bool(
            self.recursive and self._glob.matches(path.rpartition("/")[2])
        )
