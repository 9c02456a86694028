"""A folder kept in step with entries of the archive, laid out like it, so that it can stand in for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from empiarreader import settings
from empiarreader.addresses import entry_address, parse_entry_id
from empiarreader.downloading.download import download
from empiarreader.downloading.ledger import Ledger
from empiarreader.downloading.manifest import DownloadedFile, Manifest, read_records
from empiarreader.downloading.progress import Progress
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError
from empiarreader.listing.globs import Glob, compile_regexp
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.network.ranges import ask_version
from empiarreader.threads import Threads


@dataclass(frozen=True, kw_only=True)
class Mirrored:
    """What keeping a folder in step came to.

    Attributes
    ----------
    manifest : Manifest
        All files that were meant, also those that were there, and the failures.
    new, changed : tuple of DownloadedFile
        Those that came, because they were not there or because the archive has another version now.
    withdrawn : tuple of DownloadedFile
        Those in the folder that the archive does not have any more.
    removed : bool
        Whether these were removed from the folder.
    """

    manifest: Manifest
    new: tuple[DownloadedFile, ...] = ()
    changed: tuple[DownloadedFile, ...] = ()
    withdrawn: tuple[DownloadedFile, ...] = ()
    removed: bool = False

    def describe(self) -> str:
        """Return the outcome in one sentence."""
        kept = len(self.manifest.files) - len(self.new) - len(self.changed)
        gone = f"{len(self.withdrawn)} withdrawn" + (", removed here" if self.removed else "")
        return f"{len(self.new)} new, {len(self.changed)} changed, {kept} unchanged, {gone}"


def mirror(
    entry: int | str,
    directory: str | os.PathLike[str],
    pattern: str | None = None,
    *,
    regexp: bool = False,
    delete: bool = False,
    overwrite: bool = False,
    workers: int = CONNECTIONS_PER_HOST,
    protocol: str = "https",
    bytes_per_second: float | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Mirrored:
    """Bring a folder into step with an entry: fetch what is new or has changed, and say what is gone.

    Files lie in it as in the archive (``10943/data/a.mrc``), so that ``EMPIARREADER_MIRROR`` can name it. The
    entry is listed anew, and each file that is there is asked for its version. What a listing leaves out is
    taken for withdrawn only if the file itself is gone, too: servers have been seen to leave files out.

    Parameters
    ----------
    entry
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``.
    directory
        The folder; it may mirror several entries.
    pattern, regexp
        Which files, as for :meth:`EmpiarEntry.find`; None takes all.
    delete
        Remove what was withdrawn. Only what this function or :func:`download` put there is ever removed.
    overwrite, workers, protocol, bytes_per_second, progress, watch
        As for :func:`download`.

    Raises
    ------
    EmpiarReaderError
        If the entry cannot be listed, or as :func:`download` does. Failures of single files are in the
        manifest.
    """
    from empiarreader.entry import EmpiarEntry

    entry_id, folder = parse_entry_id(entry), Path(directory).expanduser()
    own = settings.mirror()
    if own is not None and folder.resolve() == own.resolve():
        raise InvalidRequestError(
            f"EMPIARREADER_MIRROR names {own}, which would be listed in place of the archive; unset it"
        )
    where = EmpiarEntry(entry_id, protocol=protocol, max_age_seconds=0)
    files = where.files() if pattern is None else where.find(pattern, regexp=regexp)
    before = read_records(folder)
    manifest = download(
        files,
        folder,
        workers=workers,
        protocol=protocol,
        layout="archive",
        overwrite=overwrite,
        bytes_per_second=bytes_per_second,
        progress=progress,
        watch=watch,
    )
    came = [file for file in manifest.files if before.get(file.path) != file]
    listed = {file.url for file in files}
    left_out = [
        record
        for record in before.values()
        if record.url not in listed and _is_meant(record, entry_id, pattern, regexp=regexp)
    ]
    withdrawn = _withdrawn(left_out)
    if delete:
        _remove(withdrawn, folder)
    return Mirrored(
        manifest=manifest,
        new=tuple(file for file in came if file.path not in before),
        changed=tuple(file for file in came if file.path in before),
        withdrawn=tuple(withdrawn),
        removed=delete and bool(withdrawn),
    )


def _is_meant(record: DownloadedFile, entry_id: int, pattern: str | None, *, regexp: bool) -> bool:
    """Return whether a file is one of the entry, in its place in the mirror, and the pattern selects it."""
    prefix = f"{entry_id}/"
    if not record.path.startswith(prefix):
        return False
    path = record.path.removeprefix(prefix)
    if record.url != entry_address(settings.archive_url(), entry_id, path):
        return False
    if pattern is None:
        return True
    return bool(compile_regexp(pattern).search(path)) if regexp else Glob(pattern).matches(path)


def _withdrawn(records: Iterable[DownloadedFile]) -> list[DownloadedFile]:
    def is_gone(record: DownloadedFile) -> bool:
        try:
            ask_version(record.url)
        except ArchiveFileNotFoundError:
            return True
        return False

    found = sorted(records, key=lambda record: record.path)
    with Threads(CONNECTIONS_PER_HOST, "empiarreader-mirror") as pool:
        return [record for record, gone in zip(found, pool.map(is_gone, found), strict=True) if gone]


def _remove(records: Iterable[DownloadedFile], folder: Path) -> None:
    ledger = Ledger(folder, overwrite=False)
    for record in records:
        path = folder / record.path
        path.unlink(missing_ok=True)
        ledger.forget(record.path)
        for parent in path.relative_to(folder).parents:
            try:
                (folder / parent).rmdir()
            except OSError:
                break  # it is not empty
