"""The saved files, as profet has always shown them: a folder of ``<id>.cif`` and ``<id>.pdb``.

This is a view of files that belong to the user. What profet itself relies on lies in the hidden, verified
store (`profet.store`), which `entries`, `verify`, `prune` and `clear` look after. Of each file it saves,
profet leaves a note in the hidden folder ``.profet/saved`` beside it, from which the manifest is made.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from profet import settings
from profet.enums import FileType
from profet.errors import CacheError, InvalidIdError, NotFetchedError
from profet.housekeeping import CacheEntry, Removed, clear, entries, prune, verify
from profet.ids import shown
from profet.whole_files import write_whole

__all__ = ["CacheEntry", "PDBFileCache", "Removed", "clear", "entries", "prune", "verify"]

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}")
_PDB_ID = r"(?:[1-9][a-z0-9]{3}|pdb_[a-z0-9]{8})"
_NOTES_FOLDER = ".profet/saved"
_ENDINGS = tuple(f".{kind}" for kind in FileType)


class PDBFileCache:
    """Structure files in one folder.

    Parameters
    ----------
    directory
        The folder; ``~`` is expanded. None for the cache folder, ``~/.cache/pdb``. It is made when the first
        file comes.

    Attributes
    ----------
    directory
        The folder, absolute.

    Examples
    --------
    >>> PDBFileCache("/data/pdb").path("4V5D", "pdb")
    '/data/pdb/4v5d.pdb'
    """

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        folder = settings.cache_directory() if directory is None else settings.absolute(directory)
        self.directory = str(folder)

    @property
    def manifest(self) -> str:
        """Path of ``manifest.txt``, JSON that says of each id where its file came from.

        It is written when somebody asks for it, from a note that was made with each file: so jobs that save
        files at once have nothing to quarrel about, and saving one file takes as long in a full folder. What
        profet 1 wrote into it of files that are still there stays in it.

        Raises
        ------
        CacheError
            If a file of that name is there that profet has not written, or the folder cannot be written.
        """
        path = Path(self.directory, "manifest.txt")
        write_whole(path, json.dumps({**self._written_before(path), **self._notes()}, indent=1).encode())
        return str(path)

    def path(self, uniprot_id: str, filetype: str = FileType.cif) -> str:
        """Where the file of an id belongs, whether or not it is there.

        Raises
        ------
        InvalidIdError
            If the id cannot be the name of a file in this folder.
        """
        if not _NAME.fullmatch(uniprot_id):
            raise InvalidIdError(f"{shown(uniprot_id)} cannot be the name of a file")
        return str(Path(self.directory, f"{uniprot_id.lower()}.{FileType(filetype)}"))

    def find(self, uniprot_id: str) -> list[str]:
        """Paths of the files of an id that are there, PDB format before mmCIF."""
        paths = [self.path(uniprot_id, filetype) for filetype in FileType]
        return [path for path in paths if Path(path).exists()]

    def find_of_accession(self, accession: str) -> list[str]:
        """Paths of the files of PDB entries that were found by an accession, PDB format before mmCIF."""
        pattern = re.compile(rf"{re.escape(accession.lower())}_{_PDB_ID}")
        found = [path for name, path in self.items() if pattern.fullmatch(name)]
        return sorted(found, key=lambda path: (not path.endswith((".pdb", ".pdb.gz")), path))

    def __contains__(self, uniprot_id: object) -> bool:
        return isinstance(uniprot_id, str) and bool(self.find(uniprot_id))

    def __getitem__(self, uniprot_id: str) -> str:
        found = self.find(uniprot_id)
        if not found:
            raise NotFetchedError(f"no file of {uniprot_id} in {self.directory}", accession=uniprot_id)
        return found[0]

    def __setitem__(self, uniprot_id: str, item: tuple[str, str, bytes | bytearray | str]) -> None:
        """Save a file: ``cache["4V1W"] = (database, filetype, data)``."""
        origin, filetype, data = item
        path = Path(self.path(uniprot_id, filetype))
        _place(path, data.encode() if isinstance(data, str) else bytes(data))
        note = {"id": uniprot_id, "fileorigin": origin, "filetype": str(FileType(filetype))}
        _place(self._note(path.name), json.dumps(note).encode())

    def items(self) -> Iterator[tuple[str, str]]:
        """Names without extension, and paths, of all structure files in the folder."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.directory) if entry.is_file())
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise CacheError(f"cannot read {self.directory}: {error.strerror or error}") from error
        for name in names:
            stem = next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end)), "")
            if stem and not name.startswith("."):
                yield stem, str(Path(self.directory, name))

    def _note(self, name: str) -> Path:
        return Path(self.directory, _NOTES_FOLDER, f"{name}.json")

    def _written_before(self, path: Path) -> dict[str, dict[str, str]]:
        """What a manifest says of files that are there, wherever the folder was when it was written."""
        try:
            written = json.loads(path.read_bytes())
            placed = {
                typed: {**note, "filename": str(Path(self.directory, Path(note["filename"]).name))}
                for typed, note in written.items()
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CacheError.of(error, f"cannot read {path}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise CacheError(f"{path} is no manifest of profet; move it to another place") from None
        return {typed: note for typed, note in placed.items() if Path(note["filename"]).exists()}

    def _notes(self) -> dict[str, dict[str, str]]:
        notes: dict[str, dict[str, str]] = {}
        for _, path in self.items():
            try:
                note = json.loads(self._note(Path(path).name).read_bytes())
                notes[note["id"]] = {
                    "fileorigin": note["fileorigin"],
                    "filetype": note["filetype"],
                    "filename": path,
                }
            except (OSError, ValueError, KeyError, TypeError):
                continue  # a file that somebody else put there
        return notes


def _place(path: Path, data: bytes) -> None:
    """Write a file, unless it is just so already: who reads it, or goes by its date, is left in peace.

    It is not flushed, which would cost more than all else on a busy disk: what a power cut may take, the
    verified cache still has, and saving again mends.
    """
    try:
        is_there = path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        is_there = False
    if not is_there:
        write_whole(path, data, flush=False)
