"""What the papers show, run as printed at the default addresses: the real host names, on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SQUARE = "data/MotionCorr/job003/Tiff/EER/Images-Disc1/GridSquare_11149061/Data"
MOVIES = "data/CL44-1_20201106_111915/Images-Disc1/GridSquare_6089277/Data"
TREE = "https://ftp.ebi.ac.uk/empiar/world_availability"

AsHosts = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def as_hosts(demo_content: Path, tmp_path: Path) -> AsHosts:
    """Run a command where the services' real names lead to the embedded archive."""

    def run(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        words = [
            sys.executable,
            "-m",
            "perc_archive",
            "--content",
            str(demo_content),
            "--as-hosts",
            "--",
            *command,
        ]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {
            **os.environ,
            "PATH": path,
            "PYTHONPATH": str(ROOT / "examples"),
            "HOME": str(tmp_path / "home"),
        }
        (tmp_path / "home").mkdir(exist_ok=True)
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


def test_profet_fetches_the_structure_of_the_paper(as_hosts: AsHosts) -> None:
    script = """
from profet import Fetcher
filename, filedata = Fetcher("pdb", save_directory="~/.pdb/").get_file("4v1w", filetype="cif", filesave=True)
print(filename, filedata.decode()[:9])
"""
    filename, start = as_hosts("python", "-c", script).stdout.split()

    assert Path(filename).name == "4v1w.cif"
    assert Path(filename).is_file()
    assert start == "data_4V1W"


def test_the_command_line_of_profet_saves_it(as_hosts: AsHosts, tmp_path: Path) -> None:
    done = as_hosts("profet", "4v1w", "--filetype=pdb", "--main_db=pdb", "--save_directory=~/.pdb")
    saved = tmp_path / "home" / ".pdb" / "4v1w.pdb"

    assert done.stdout.splitlines()[-1] == f"Saved 4v1w to '{saved}'"
    assert saved.read_bytes().startswith((b"HEADER", b"TITLE"))


def test_a_structure_is_found_by_its_uniprot_accession_and_cleaned(as_hosts: AsHosts) -> None:
    script = """
import profet as pf
fetcher = pf.Fetcher()
fetcher.set_directory("structures")
fetcher.get_file(uniprot_id="P45523", filetype="pdb", filesave=True, db="pdb")
print(fetcher.search_history())
print(fetcher.remove("P45523"))
"""
    history, cleaned = as_hosts("python", "-c", script).stdout.splitlines()

    assert history == "{'P45523': ['pdb', 'alphafold']}"
    assert Path(cleaned).name == "p45523_1q6u_nosignal1to25_nohydrogens_nowater_nohetatm.pdb"
    atoms = [line for line in Path(cleaned).read_text().splitlines() if line.startswith(("ATOM", "HETATM"))]
    assert len(atoms) == 2160  # all of the protein: its signal peptide was not in the structure


def test_empiarreader_reads_a_micrograph_of_the_tutorial(as_hosts: AsHosts) -> None:
    script = f"""
from empiarreader import EmpiarCatalog, EmpiarSource
test_entry = 10943
test_catalog = EmpiarCatalog(test_entry)
test_catalog_dir = list(test_catalog.keys())[0]
dataset_from_catalog = test_catalog[test_catalog_dir]
print(dataset_from_catalog.directory)
ds = EmpiarSource(test_entry, directory="{SQUARE}", filename=".*EER\\\\.mrc", regex=True)
part = ds.read_partition(10)
print(part.shape, part.dims, ds.npartitions, float(part.voxel_size.x), float(part.std()))
print(part.filename)
"""
    directory, facts, filename = as_hosts("python", "-c", script).stdout.splitlines()

    assert directory == "data/Tiff"
    assert facts.startswith("(384, 384) ('y', 'x') 12 2.85")
    assert float(facts.split()[-1]) == pytest.approx(1.0, abs=1e-3)
    assert filename.startswith(f"{TREE}/10943/{SQUARE}/FoilHole_")
    assert filename.endswith("_EER.mrc")


def test_the_command_line_of_empiarreader_searches_and_downloads(as_hosts: AsHosts, tmp_path: Path) -> None:
    verbose = as_hosts("empiarreader", "search", "--entry", "10934", "--select", "*", "--verbose").stdout
    as_hosts(
        "empiarreader", "search", "--entry", "10934", "--dir", MOVIES, "--select", "*gain.tiff.bz2",
        "--save_search", "saved_search.txt",
    )  # fmt: skip
    as_hosts(
        "empiarreader", "download", "--download", "saved_search.txt", "--save_dir", "new_dir", "--verbose"
    )
    urls = (tmp_path / "saved_search.txt").read_text().split()

    assert f"Matching path #0: {TREE}/10934/10934.xml" in verbose.splitlines()
    assert "Subdirectories are: " in verbose
    assert len(urls) == 2
    for url in urls:
        name = url.rpartition("/")[2]
        assert url == f"{TREE}/10934/{MOVIES}/{name}"
        assert (tmp_path / "new_dir" / name).read_bytes().startswith(b"BZh")


def test_an_unknown_entry_and_an_unknown_id_are_told_in_one_sentence(as_hosts: AsHosts) -> None:
    for command, code in (
        (("empiarreader", "search", "--entry", "99999", "--select", "*"), 3),
        (("profet", "9zzz"), 3),
        (("profet", "not-an-id"), 2),
        (("empiarreader", "search", "--entry", "10934", "--select", "(", "--regexp"), 2),
        (("empiarreader", "search", "--entry", "10934", "--dir", "data/none", "--select", "*"), 3),
    ):
        done = as_hosts(*command, check=False)

        assert done.returncode == code, (command, done.stderr)
        assert "Traceback" not in done.stderr
        assert done.stderr.strip()
