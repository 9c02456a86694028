"""Lists of files for the programs that move terabytes, and the commands that take them. Nothing is started.

EMPIAR's files are in the Globus collection "EMBL-EBI Public Data" below the path that its HTTPS archive has,
and on EBI's Aspera server below the number of the entry (EMPIAR's download pages).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from empiarreader.addresses import normalise_path
from empiarreader.downloading.placement import parse_address
from empiarreader.downloading.selecting import Downloadable, addresses_of
from empiarreader.entry import EmpiarEntry
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError, RefusedAddressError
from empiarreader.handing_over.files import Location
from empiarreader.handing_over.handed import Handed, HandedSet
from empiarreader.saving import write_whole

GLOBUS_COLLECTION = "47772002-3e5b-4fd3-b97c-18cee38d6df2"
ASPERA_HOST, ASPERA_USER, ASPERA_KEY = "hx-fasp-1.ebi.ac.uk", "emp_ext2", "asperaweb_id_dsa.openssh"
_GLOBUS_ROOT = "/empiar/world_availability"


@dataclass(frozen=True, kw_only=True)
class _Item:
    """A file of an entry, or a directory with all below it."""

    entry_id: int
    path: str  # in the entry, decoded
    is_directory: bool = False


def export_globus(
    files: Downloadable,
    batch: Location,
    *,
    to: str,
    directory: str = "",
    collection: str = GLOBUS_COLLECTION,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Handed:
    """Write a batch file for ``globus transfer``, and return the command that takes it.

    Parameters
    ----------
    files
        Files of an entry, a source, a manifest, or addresses; or an entry, whose files move without being
        listed here.
    batch
        Where to write.
    to
        Collection and folder to copy into: ``ID:/path``. The tree of the entry is kept below it; below its
        number where there are several entries.
    directory
        Of an entry, only what is below this directory.
    collection
        Id of the Globus collection that has the archive.
    overwrite, dry_run
        Replace a file that is there; write nothing.

    Raises
    ------
    InvalidRequestError
        If ``to`` names no collection, or a name has signs that no line of a batch file can hold.
    ArchiveFileNotFoundError
        If there are no files.
    LocalFileError
        If something is in the way.
    """
    destination, _, folder = to.partition(":")
    if not destination or not folder:
        raise InvalidRequestError(
            f"{to!r} is no place in Globus; give a collection and a folder, as ID:/path"
        )
    items = _items(files, directory)
    lines = [_globus_line(item, _target(item, items)) for item in items]
    target = Path(batch).expanduser().absolute()
    command = ["globus", "transfer", f"{collection}:{_GLOBUS_ROOT}/", f"{destination}:{folder.rstrip('/')}/"]
    command += ["--batch", str(target), "--sync-level", "size", "--label", _label(items)]
    return _hand_over(target, lines, items, command, overwrite=overwrite, dry_run=dry_run)


def export_aspera(
    files: Downloadable,
    batch: Location,
    *,
    to: Location = ".",
    directory: str = "",
    key: Location = ASPERA_KEY,
    host: str = ASPERA_HOST,
    user: str = ASPERA_USER,
    rate: str = "200M",
    overwrite: bool = False,
    dry_run: bool = False,
) -> Handed:
    """Write a list of files for ``ascp``, and return the command that takes it.

    Parameters
    ----------
    files, batch, directory, overwrite, dry_run
        As for :func:`export_globus`.
    to
        Folder on this disk to copy into. The tree of the entry is kept below it.
    key
        Where the public key is that comes with IBM's Aspera Connect.
    host, user
        EBI's server.
    rate
        The most it may take, in the words of ``ascp``.

    Raises
    ------
    InvalidRequestError, ArchiveFileNotFoundError, LocalFileError
        As from :func:`export_globus`.
    """
    items = _items(files, directory)
    one_entry = len({item.entry_id for item in items}) == 1 and items[0].path
    base = f"/{items[0].entry_id}/" if one_entry else "/"  # what of the paths is left out of the copies'
    lines = [f"/{item.entry_id}/{item.path}".rstrip("/") for item in items]
    target = Path(batch).expanduser().absolute()
    command = ["ascp", "-QT", "-k1", "-l", rate, "-P33001", "-i", str(key), "--mode=recv"]
    command += [f"--host={host}", f"--user={user}", f"--src-base={base}", f"--file-list={target}", str(to)]
    return _hand_over(target, lines, items, command, overwrite=overwrite, dry_run=dry_run)


def _items(files: Downloadable, directory: str) -> tuple[_Item, ...]:
    if isinstance(files, EmpiarEntry):
        item = _Item(entry_id=files.entry_id, path=normalise_path(directory), is_directory=True)
        return (_checked(item),)
    placements = [parse_address(url) for url in addresses_of(files)]
    if not placements:
        raise ArchiveFileNotFoundError("there are no files to list")
    return tuple(dict.fromkeys(_checked(_Item(entry_id=one.entry_id, path=one.path)) for one in placements))


def _checked(item: _Item) -> _Item:
    """Refuse a name that a line of text cannot hold: line breaks and such, or bytes that are not UTF-8."""
    if item.path and not item.path.isprintable():
        raise RefusedAddressError(
            f"{item.path!r} of EMPIAR-{item.entry_id} has signs in its name that no list can hold; download "
            "it by itself"
        )
    return item


def _target(item: _Item, items: Sequence[_Item]) -> str:
    several = len({other.entry_id for other in items}) > 1
    return f"{item.entry_id}/{item.path}" if several else item.path or "."


def _globus_line(item: _Item, target: str) -> str:
    """Return a line of a batch file, which Globus takes apart as a shell does."""
    words = ["--recursive"] if item.is_directory else []
    return shlex.join([*words, "--", f"{item.entry_id}/{item.path}", target])


def _label(items: Sequence[_Item]) -> str:
    """Return what Globus calls the task: letters, digits, spaces, commas and hyphens."""
    entries = sorted({item.entry_id for item in items})
    return f"EMPIAR-{entries[0]}" + (f" and {len(entries) - 1} more" if len(entries) > 1 else "")


def _hand_over(
    target: Path,
    lines: Sequence[str],
    items: Sequence[_Item],
    command: Sequence[str],
    *,
    overwrite: bool,
    dry_run: bool,
) -> Handed:
    text = "".join(f"{line}\n" for line in lines)
    if not dry_run:
        write_whole(target, text.encode(), overwrite=overwrite, parents=True)
    kind = "directories" if items[0].is_directory else "files"
    return Handed(
        path=target,
        text=text,
        sets=(HandedSet(kind=kind, name=_label(items), files=len(items), pixel_size_angstrom=None),),
        next_steps=(shlex.join(command),),
    )
