"""Calls that profet 1.0.6 knows, run in whichever Python this is started with; what comes of each, as JSON.

Started as ``python profet_calls.py FOLDER NAME...``; it imports nothing but profet and the standard library,
so that the original and ours run the very same lines.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _short(data: bytes | str) -> str:
    """What a file is recognised by, whether it came as text or as bytes."""
    text = data if isinstance(data, str) else data.decode()
    return f"{text.split()[0]} {hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _fetched(answer: tuple[str | None, bytes | str]) -> list[Any]:
    filename, data = answer
    if filename is None:
        return [None, _short(data)]
    return [Path(filename).name, _short(data), _short(Path(filename).read_bytes())]


def _atoms(path: str | Path) -> str:
    lines = [line for line in Path(path).read_text().splitlines() if line.startswith(("ATOM", "HETATM"))]
    return f"{len(lines)} atoms {hashlib.sha256(os.linesep.join(lines).encode()).hexdigest()[:8]}"


def _calls(folder: Path) -> dict[str, Callable[[], Any]]:
    import profet
    from profet.alphafold import Alphafold_DB
    from profet.cache import PDBFileCache
    from profet.cleaver import Cleaver
    from profet.command_line import main
    from profet.enums import FileType
    from profet.pdb import PDB_DB

    def fetcher(main_db: str = "pdb") -> Any:
        # The original cannot make a folder within one that is not there.
        folder.mkdir(exist_ok=True)
        return profet.Fetcher(main_db, save_directory=str(folder))

    def default_database() -> Any:
        one = fetcher()
        before = one.get_default_db()
        one.set_default_db("alphafold")
        return [before, one.get_default_db(), _fetched(one.get_file("P45523"))[1].split()[0]]

    def two_proteins() -> Any:
        one = fetcher()
        one.get_file("P45523")
        return one.file_from_db("P02791", "cif", "pdb")[0]

    def history() -> Any:
        one = fetcher()
        for name in ("4v1w", "P45523"):
            one.get_file(name)
        return one.search_history()

    def origin() -> Any:
        one = fetcher()
        _, data = one.get_file("P02791", filesave=True, db="alphafold")
        (note,) = json.loads(Path(one.cache().manifest).read_text()).values()
        return [note["fileorigin"], _short(data).split()[0]]

    def cache() -> Any:
        files = PDBFileCache(str(folder))
        files["4V1W"] = ("pdb", FileType.pdb, "HEADER\n")
        path = Path(files["4v1w"])
        manifest = json.loads(Path(files.manifest).read_text())
        return [
            "4V1W" in files, "1aki" in files, path.name, path.read_text(), Path(files.path("1AKI")).name,
            [name for name, _ in files.items()], manifest["4V1W"]["fileorigin"], manifest["4V1W"]["filetype"],
        ]  # fmt: skip

    def cleaned(**words: bool) -> Any:
        one = fetcher()
        one.get_file("P45523", "pdb", filesave=True)
        one.remove("P45523", **words)
        (path,) = [path for path in folder.glob("*.pdb") if path.name != "p45523_1q6u.pdb"]
        return [path.name, _atoms(path)]

    def cleaned_mmcif() -> Any:
        one = fetcher()
        one.get_file("P45523", "cif", filesave=True)
        one.remove("P45523", signal_peptides=False)
        return (folder / "p45523_1q6u_nohydrogens_nowater_nohetatm.cif").read_text().count("\nATOM")

    def command_line() -> Any:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            main(["4v1w", "--filetype=pdb", "--main_db=pdb", f"--save_directory={folder}"])
        return out.getvalue().splitlines()[-1].replace(str(folder), "")

    # fmt: off
    return {
        "entry": lambda: _fetched(fetcher().get_file("4v1w")),
        "entry type": lambda: type(fetcher().get_file("4v1w")[1]).__name__,
        "entry in capitals as pdb, saved": lambda: _fetched(fetcher().get_file("4V1W", "pdb", True)),
        "entry by FileType": lambda: _fetched(fetcher().get_file("7qk5", FileType.pdb, filesave=True)),
        "protein": lambda: _fetched(fetcher().get_file("P45523", filesave=True)),
        "protein as pdb": lambda: _fetched(fetcher().get_file("P45523", filetype="pdb", filesave=True)),
        "protein in small letters": lambda: _fetched(fetcher().get_file("p45523", filesave=True)),
        "model only": lambda: _fetched(fetcher().get_file("P05067", filesave=True)),
        "db=alphafold": lambda: _fetched(fetcher().get_file("P45523", db="alphafold"))[1].split()[0],
        "default database": default_database,
        "default database that is none": lambda: fetcher().set_default_db("swiss"),
        "databases of an entry": lambda: fetcher().check_db("4v1w"),
        "databases of a protein": lambda: fetcher().check_db("P45523"),
        "databases of a model": lambda: fetcher().check_db("P05067"),
        "from one database": lambda: fetcher().file_from_db("P45523", "cif", "pdb")[:2],
        "two proteins in turn": two_proteins,
        "history": history,
        "origin": origin,
        "nonsense": lambda: fetcher().get_file("nonsense"),
        "unknown entry": lambda: fetcher().get_file("9zzz"),
        "entry of a protein": lambda: PDB_DB().uniprot_id_to_pdb_id("P45523"),
        "is in the PDB": lambda: [PDB_DB().check_structure(name) for name in ("P45523", "P05067")],
        "address of an entry": lambda: PDB_DB().make_url("4v1w", "cif"),
        "address of a model": lambda: Alphafold_DB().make_url("P05067", "cif"),
        "signal peptide": lambda: Cleaver().signal_residuenumbers_requester("P45523"),
        "no signal peptide": lambda: Cleaver().signal_residuenumbers_requester("P02791"),
        "cache": cache,
        "cache in a new folder": lambda: PDBFileCache(str(folder / "a/b")).directory[-4:],
        "cleaned": lambda: cleaned(),
        "cleaned of water": lambda: cleaned(signal_peptides=False, hydrogens=False, hetatoms=False),
        "cleaned of hydrogens": lambda: cleaned(signal_peptides=False, water=False, hetatoms=False),
        "cleaned of hetero atoms": lambda: cleaned(signal_peptides=False, water=False, hydrogens=False),
        "cleaned mmCIF": cleaned_mmcif,
        "command line": command_line,
    }
    # fmt: on


def run(name: str, folder: Path) -> Any:
    """What a call returns, or the builtin errors that what it raises can be caught as."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            return json.loads(json.dumps(_calls(folder)[name]()))
    except Exception as error:
        builtins = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        return {"raised": [kind for kind in builtins if kind not in ("Exception", "BaseException", "object")]}


if __name__ == "__main__":
    for number, wanted in enumerate(sys.argv[2:]):
        answer = run(wanted, Path(sys.argv[1], str(number)))
        sys.stdout.write(json.dumps([wanted, answer]) + "\n")
