"""Commands and calls that empiarreader 0.0.17 knows, run in whichever Python this is started with, as JSON.

Started as ``python empiar_calls.py FOLDER NAME...``; it imports nothing but empiarreader and what it brings,
so that the original and ours run the very same lines. Addresses of the archive begin with ``@`` here.
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

ARCHIVE = os.environ.get("EMPIARREADER_ARCHIVE_URL", "https://ftp.ebi.ac.uk/empiar/world_availability")
MOVIES = "data/CL44-1_20201106_111915/Images-Disc1/GridSquare_6089277/Data"
MOTION = "data/MotionCorr/job003/Tiff/EER/Images-Disc1/GridSquare_11149061/Data"
SEARCHES = {
    "everything": "--entry 10934 --select *",
    "everything, verbose": "--entry 10934 --select * --verbose",
    "a directory": "--entry 10934 --dir data --select *",
    "a directory, verbose": "--entry 10934 --dir data --select * --verbose",
    "a directory with a slash": "--entry 10934 --dir data/ --select *",
    "a directory between slashes": "--entry 10934 --dir /data/ --select *",
    "a glob": f"--entry 10934 --dir {MOVIES} --select *gain.tiff.bz2",
    "a glob, verbose": f"--entry 10934 --dir {MOVIES} --select *gain.tiff.bz2 --verbose",
    "a glob with a set": f"--entry 10943 --dir {MOTION} --select *_10000[13]_EER.mrc",
    "a glob with a question mark": f"--entry 10943 --dir {MOTION} --select *_10000?_EER.star",
    "a glob over the whole address": "--entry 10934 --select http*availability*.xml",
    "a glob of a name": "--entry 10934 --select 10934.xml",
    "a regular expression": f"--entry 10934 --dir {MOVIES} --select .*fractions.* --regexp --verbose",
    "a regular expression of addresses": "--entry 10934 --select http.*://.*\\.xml --regexp",
    "a regular expression of a name": "--entry 10934 --select 10934\\.xml --regexp",
    "--regex": f"--entry 10934 --dir {MOVIES} --select .*gain.* --regex",
    "options cut short": f"--ent 10934 --di {MOVIES} --sel *gain.tiff.bz2 --verb",
    "an option with =": f"--entry=10934 --dir={MOVIES} --select=*gain.tiff.bz2",
    "options twice": f"--entry 1 --entry 10934 --dir {MOVIES} --select x --select *gain.tiff.bz2",
    "--keep_all": "--entry 10934 --dir data --select * --keep_all",
    "--keep_all, verbose": "--entry 10934 --dir data --select * --keep_all --verbose",
    "saved": f"--entry 10943 --dir {MOTION} --select *EER.mrc --save_search found.txt",
    "saved with directories": "--entry 10934 --select * --save_search found.txt",
    "nothing found": "--entry 10934 --select *.none --save_search found.txt",
    "no such directory": "--entry 10934 --dir nowhere --select *",
    "no such entry": "--entry 99999 --select *",
    "a prefix": "--entry EMPIAR-10934 --select *",
    "no pattern": "--entry 10934",
    "a broken expression": "--entry 10934 --select *x --regexp",
    "into a folder that is not there": "--entry 10934 --select *.xml --save_search not/there.txt",
}


def _short(text: str) -> str:
    return text.replace(ARCHIVE, "@").replace(MOVIES, "MOVIES").replace(MOTION, "MOTION")


def _command(*words: str) -> dict[str, Any]:
    """What a command line prints, and how it ends."""
    from empiarreader.cli import main

    printed, sys.argv = io.StringIO(), ["empiarreader", *words]
    code: Any = 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except Exception as error:
            code = type(error).__name__
    lines = [_short(line) for line in printed.getvalue().splitlines() if line]
    return {"prints": lines, "ends": code}


def _search(arguments: str) -> dict[str, Any]:
    answer = _command("search", *arguments.split())
    saved = Path("found.txt")
    if saved.exists():
        answer["saved"] = _short(saved.read_text()).splitlines()
    return answer


def _download(addresses: list[str], *options: str, again: bool = False) -> dict[str, Any]:
    Path("list.txt").write_text("\n".join(addresses) + "\n")
    answer = _command("download", "--download", "list.txt", "--save_dir", "saved", *options)
    if again:
        answer = _command("download", "--download", "list.txt", "--save_dir", "saved", *options)
    answer["files"] = {
        path.relative_to("saved").as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        for path in sorted(Path("saved").rglob("*"))
        if path.is_file() and not path.name.startswith("empiarreader-")  # ours about the files
    }
    return answer


def _partition(source: Any, number: int) -> list[Any]:
    image = source.read_partition(number)
    pixels = hashlib.sha256(image.values.tobytes()).hexdigest()[:8]
    size = [round(float(getattr(image.attrs["voxel_size"], axis)), 4) for axis in "xyz"]
    coordinates = sorted(str(name) for name in image.coords)
    where = _short(str(image.attrs["filename"]))
    return [list(image.dims), list(image.shape), str(image.dtype), pixels, size, coordinates, where]


def _discovered(source: Any) -> Any:
    return source.discover()["npartitions"]


def _dataset(dataset: Any) -> list[Any]:
    names = [_short(str(name)) for name in dataset.filename.values]
    pixels = hashlib.sha256(dataset.raster.values.tobytes()).hexdigest()[:8]
    return [dict(dataset.raster.sizes), sorted(map(str, dataset.coords)), pixels, names]


def _calls() -> dict[str, Callable[[], Any]]:
    import empiarreader
    from empiarreader import EmpiarCatalog, EmpiarSource, MrcSource, StarSource

    mrc = f"{ARCHIVE}/10943/{MOTION}/FoilHole_11150003_Data_11149703_20200917_100003_EER.mrc"
    star = mrc.replace(".mrc", ".star")
    particles = "data/Particles"

    def motion(**words: Any) -> Any:
        return EmpiarSource(10943, directory=MOTION, **words)

    def from_catalog() -> Any:
        catalog = EmpiarCatalog(11924)
        source = catalog[next(iter(sorted(catalog)))]
        return [
            sorted(catalog),
            source.directory,
            _short(source.data_directory_url),
            source.imageset_metadata,
        ]

    calls: dict[str, Callable[[], Any]] = {
        f"search: {name}": lambda arguments=arguments: _search(arguments)  # type: ignore[misc]
        for name, arguments in SEARCHES.items()
    }
    return {
        **calls,
        "download": lambda: _download([mrc, star]),
        "download, verbose": lambda: _download([mrc], "--verbose"),
        "download of a double slash": lambda: _download([mrc.replace("/10943/", "/10943//")]),
        "download twice": lambda: _download([star], again=True),
        "download of what is not there": lambda: _download([star, f"{star}.none"]),
        "download with options cut short": lambda: _command("download", "--down", "none.txt", "--sav", "x"),
        "public names": lambda: sorted(
            name
            for name in ("EmpiarCatalog", "EmpiarSource", "MrcSource", "StarSource")
            if hasattr(empiarreader, name)
        ),
        "entry data": lambda: EmpiarCatalog.fetch_entry_data(11924)["title"],
        "a catalogue": from_catalog,
        "a partition by regular expression": lambda: _partition(
            motion(filename=".*EER\\.mrc", regexp=True), 3
        ),
        "a partition by glob": lambda: _partition(motion(filename="*EER.mrc"), 3),
        "a partition of an address": lambda: _partition(MrcSource(mrc), 0),
        "partitions of addresses": lambda: len([MrcSource([mrc, star]).read_partition(0)]),
        "what intake added": lambda: _discovered(MrcSource(mrc)),
        "a dataset": lambda: _dataset(motion(filename="*10000[0-3]_EER.mrc").to_dask()),
        "a dataset in memory": lambda: _dataset(motion(filename="*10000[0-3]_EER.mrc").read()),
        "the pattern": lambda: motion(filename="*.mrc").image_url_regexp.pattern,
        "no pattern": lambda: motion().image_url_regexp,
        "the directory's address": lambda: _short(motion().data_directory_url),
        "the imageset's metadata, before": lambda: motion().imageset_metadata,
        "a table": lambda: sorted(map(str, StarSource(star).read_partition(0).data_vars)),
        "a table's file": lambda: _short(StarSource(star).read_partition(0).attrs["filename"]),
        "a source of particles": lambda: _partition(
            EmpiarSource(11924, directory=particles, filename="*4v1w*.mrcs"), 0
        ),
        "a source without a pattern": lambda: _partition(EmpiarSource(11924, directory=particles), 0),
        "a directory that is not there": lambda: EmpiarSource(10943, directory="no").read_partition(0),
        "an entry that is not there": lambda: EmpiarCatalog(99999)["x"],
    }


def run(name: str, folder: Path) -> Any:
    """What a call returns, or the builtin errors that what it raises can be caught as."""
    folder.mkdir(parents=True)
    before, words = Path.cwd(), list(sys.argv)
    os.chdir(folder)
    try:
        return json.loads(json.dumps(_calls()[name]()))
    except Exception as error:
        builtins = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        return {"raised": [kind for kind in builtins if kind not in ("Exception", "BaseException", "object")]}
    finally:
        os.chdir(before)
        sys.argv = words


if __name__ == "__main__":
    chosen = sys.argv[2:] or list(_calls())
    for number, wanted in enumerate(chosen):
        sys.stdout.write(json.dumps([wanted, run(wanted, Path(sys.argv[1], str(number)))]) + "\n")
        sys.stdout.flush()
