"""What an edited structure file must and must not have become, judged by gemmi."""

from __future__ import annotations

from collections.abc import Collection

import gemmi


def atom_rows(body: bytes) -> list[dict[str, str]]:
    """Rows of ``_atom_site`` of an mmCIF file."""
    table = gemmi.cif.read_string(body.decode()).sole_block().get_mmcif_category("_atom_site.", raw=True)
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def check_mmcif(before: bytes, after: bytes, gone: set[str], cut: Collection[tuple[str, str]] = ()) -> None:
    """Only the rows of the atoms with these ids are missing; every other value is the same."""
    old, new = (gemmi.cif.read_string(body.decode()).sole_block() for body in (before, after))
    for name in old.get_mmcif_category_names():
        table = old.get_mmcif_category(name, raw=True)
        keep = []
        if name in ("_atom_site.", "_atom_site_anisotrop."):
            keep = [identifier not in gone for identifier in table["id"]]
        elif name == "_pdbx_sifts_xref_db.":  # names observed residues, so those cut off go from it too
            keep = [key not in cut for key in zip(table["asym_id"], table["seq_id"], strict=True)]
        if keep:
            table = {
                item: [value for value, stays in zip(column, keep, strict=True) if stays]
                for item, column in table.items()
            }
            if not any(keep):
                table = {}
        assert new.get_mmcif_category(name, raw=True) == table, name
    assert [
        name for name in new.get_mmcif_category_names() if name not in old.get_mmcif_category_names()
    ] == []


def check_pdb(before: bytes, after: bytes, gone: set[str]) -> None:
    """Only the atoms with these serial numbers, and what hangs on them, are missing from the lines."""
    dependent = ("ATOM  ", "HETATM", "ANISOU", "SIGATM", "SIGUIJ", "TER   ", "CONECT", "MASTER")
    old, new = (body.decode("latin-1").splitlines(keepends=True) for body in (before, after))
    assert [line for line in new if line[:6] not in dependent] == [
        line for line in old if line[:6] not in dependent
    ]
    for record in dependent[:5]:
        assert [line for line in new if line[:6] == record] == [
            line for line in old if line[:6] == record and line[6:11].strip() not in gone
        ]
    for line in new:
        if line[:6] == "CONECT":
            assert gone.isdisjoint(line[at : at + 5].strip() for at in range(6, 31, 5))
    gemmi.read_pdb_string(after.decode("latin-1"))


def residues(path: str) -> set[tuple[str, str]]:
    """Chain and number with insertion code of every residue that gemmi finds in a file."""
    return {
        (chain.name, str(residue.seqid))
        for model in gemmi.read_structure(path)
        for chain in model
        for residue in chain
    }
