"""What became of one id of many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from profet.cleaning.report import CleanReport
from profet.enums import FileType
from profet.errors import ProfetError
from profet.provenance import Provenance


@dataclass(frozen=True, kw_only=True)
class FetchResult:
    """A structure that was fetched and saved, or the reason why not.

    Attributes
    ----------
    id
        As it was asked for.
    database, filetype
        Where it was found and what it came as. They differ from what was asked for where that did not exist;
        None if nothing was found.
    path
        The file under its published name; None if nothing was found.
    error
        What went wrong; None when all went well. (If only cleaning failed, there is a `path`.)
    provenance
        Origin of the file.
    notes
        What was done otherwise than asked for, a sentence each: another database, file type or entry.
    report
        What was taken out, and the path of the cleaned file; None if the file was not to be cleaned.
    """

    id: str
    database: str | None = None
    filetype: FileType | None = None
    path: Path | None = None
    error: ProfetError | None = None
    provenance: Provenance | None = None
    notes: tuple[str, ...] = ()
    report: CleanReport | None = None
