"""What does it cost to take hydrogens, water and hetero atoms out of a structure of 160,000 atoms?"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.tables import Table, run_script

ATOMS = 160_000
OURS = """
import profet
options = profet.CleanOptions(hydrogens=True, water=True, hetatoms=True)
def clean(source, target):
    return profet.clean(source, output=target, options=options).atoms_after
"""
GEMMI = """
import gemmi
def clean(source, target):
    document = gemmi.cif.read(source)
    block = document.sole_block()
    entities = block.get_mmcif_category("_entity.")
    polymers = {i for i, kind in zip(entities["id"], entities["type"]) if kind == "polymer"}
    atoms = block.get_mmcif_category("_atom_site.", raw=True)
    rows = zip(atoms["label_entity_id"], atoms["type_symbol"])
    keep = [n for n, (entity, element) in enumerate(rows) if entity in polymers and element not in ("H", "D")]
    left = {item: [column[n] for n in keep] for item, column in atoms.items()}
    block.set_mmcif_category("_atom_site.", left, raw=True)
    document.write_file(target)
    return len(keep)
"""
BIOTITE = """
import numpy as np
from biotite.structure.io import pdbx
def clean(source, target):
    file = pdbx.CIFFile.read(source)
    block = file.block
    kinds = block["entity"]["type"].as_array()
    polymers = block["entity"]["id"].as_array()[kinds == "polymer"]
    atoms = block["atom_site"]
    keep = np.isin(atoms["label_entity_id"].as_array(), polymers)
    keep &= ~np.isin(atoms["type_symbol"].as_array(), ["H", "D"])
    def left(column):
        mask = None if column.mask is None else column.mask.array[keep]
        return pdbx.CIFColumn(pdbx.CIFData(column.data.array[keep]), mask)
    block["atom_site"] = pdbx.CIFCategory({name: left(column) for name, column in atoms.items()})
    file.write(target)
    return int(keep.sum())
"""
BIOPYTHON = """
import warnings
from Bio.PDB import MMCIFIO, MMCIFParser, Select
warnings.simplefilter("ignore")
class Polymer(Select):
    def accept_residue(self, residue):
        return residue.id[0] == " "
    def accept_atom(self, atom):
        return atom.element not in ("H", "D")
def clean(source, target):
    structure = MMCIFParser(QUIET=True).get_structure("x", source)
    out = MMCIFIO()
    out.set_structure(structure)
    out.save(target, Polymer())
    with open(target) as file:
        return sum(line.startswith("ATOM") for line in file)
"""
TIMED = """
import sys, time
start = time.perf_counter()
left = clean(sys.argv[1], sys.argv[2])
seconds = time.perf_counter() - start
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak) / 1024, left)
"""
BARE = "def clean(source, target): return 0"


def make_structure(path: Path, *, atoms: int = ATOMS) -> int:
    """Write an mmCIF file of so many atoms; the number of those that are neither hydrogen nor hetero.

    The rows of 4V1W (apoferritin, 24 chains) where the real file is at hand, or generated ones like them, are
    repeated as chains of new names; every residue gets a hydrogen, every copy waters and sulfate.
    """
    columns, rows = _real_rows() if "PERC_REAL_DATA" in os.environ else _made_rows()
    with path.open("w") as file:
        file.write("data_BIG\n#\nloop_\n_entity.id\n_entity.type\n1 polymer\n2 non-polymer\n3 water\n#\n")
        file.write("loop_\n" + "".join(f"_atom_site.{column}\n" for column in columns))
        count = kept = 0
        for row, stays in _endless(columns, rows):
            count, kept = count + 1, kept + stays
            row[columns.index("id")] = str(count)
            file.write(" ".join(f"{value:<4}" for value in row) + "\n")
            if count == atoms:
                break
        file.write("#\n")
    return kept


def _real_rows() -> tuple[list[str], list[list[str]]]:
    path = Path(os.environ["PERC_REAL_DATA"]) / "profet" / "4v1w.cif.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    columns = [line.strip().removeprefix("_atom_site.") for line in lines if line.startswith("_atom_site.")]
    return columns, [line.split() for line in lines if line.startswith("ATOM")]


def _made_rows() -> tuple[list[str], list[list[str]]]:
    words = (
        "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id "
        "label_seq_id pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id "
        "auth_comp_id auth_asym_id auth_atom_id pdbx_PDB_model_num"
    )
    columns = words.split()
    backbone = (("N", "N"), ("C", "CA"), ("C", "C"), ("O", "O"), ("C", "CB"), ("C", "CG"), ("O", "OD1"))
    rows = [
        f"ATOM 0 {element} {name} . ASP {chain} 1 {number} ? {number}.125 {n}.250 0.500 1.00 20.00 {number} "
        f"ASP {chain} {name} 1".split()
        for chain in "ABCDEFGHIJKLMNOPQRSTUVWX"
        for number in range(1, 176)
        for n, (element, name) in enumerate(backbone)
    ]
    return columns, rows


def _endless(columns: list[str], rows: list[list[str]]) -> Iterator[tuple[list[str], bool]]:
    """Rows of copy after copy, and whether each is to stay."""
    at = {column: n for n, column in enumerate(columns)}
    copy = 0
    while True:
        copy += 1
        for row in rows:
            named = _changed(row, at, label_asym_id=f"{row[at['label_asym_id']]}{copy}")
            named = _changed(named, at, auth_asym_id=f"{row[at['auth_asym_id']]}{copy}")
            yield named, True
            if row[at["label_atom_id"]] == "CA":
                yield _changed(named, at, type_symbol="H", label_atom_id="HA", auth_atom_id="HA"), False
        for number in range(1, 2501):
            is_water = number > 100
            yield (
                _changed(
                    _changed(rows[number], at, label_seq_id=".", auth_seq_id=str(number), group_PDB="HETATM"),
                    at,
                    label_asym_id=f"{'W' if is_water else 'S'}{copy}",
                    auth_asym_id=f"W{copy}",
                    label_entity_id="3" if is_water else "2",
                    label_comp_id="HOH" if is_water else "SO4",
                    auth_comp_id="HOH" if is_water else "SO4",
                    type_symbol="O",
                    label_atom_id="O",
                    auth_atom_id="O",
                ),
                False,
            )


def _changed(row: list[str], at: dict[str, int], **values: str) -> list[str]:
    changed = list(row)
    for column, value in values.items():
        changed[at[column]] = value
    return changed


def measure(folder: Path, *, atoms: int = ATOMS, times: int = 5) -> Table:
    """Best seconds and peak memory of each way, in turn, each run in a process of its own."""
    source = folder / "big.cif"
    expected = make_structure(source, atoms=atoms)
    ways = {
        "profet.clean": OURS,
        "gemmi, category as a table": GEMMI,
        "biotite, category as a table": BIOTITE,
        "Biopython, MMCIFParser and MMCIFIO": BIOPYTHON,
    }
    bare = _run(BARE, source, folder / "none.cif")[1]
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(times):  # in turn, so that a noisy machine is fair to all
        for name, script in ways.items():
            seconds, peak, left = _run(script, source, folder / f"{len(name)}.cif")
            if left != expected:
                raise AssertionError(f"{name} leaves {left} atoms of {expected}")
            runs[name].append((seconds, peak - bare))
    table = Table(
        f"What does it cost to take hydrogens, water and hetero atoms out of {atoms:,} atoms?",
        ["way", "seconds", "of gemmi's", "MB above the interpreter"],
    )
    gemmi = min(seconds for seconds, _ in runs["gemmi, category as a table"])
    for name, measured in runs.items():
        seconds, megabytes = (min(column) for column in zip(*measured, strict=True))
        table.rows.append([name, f"{seconds:.2f}", f"{seconds / gemmi:.2f}", f"{megabytes:.0f}"])
    table.notes = (
        f"An mmCIF file of {source.stat().st_size / 1e6:.0f} MB, read and written; best of {times}, in turn, "
        "each in a process of its own, without the import. profet leaves every other byte alone, the tables "
        "of gemmi and biotite keep every value, Biopython keeps the atoms."
    )
    return table


def _run(script: str, source: Path, target: Path) -> tuple[float, float, int]:
    seconds, peak, left = run_script(sys.executable, script + TIMED, str(source), str(target)).split()
    return float(seconds), float(peak), int(left)
