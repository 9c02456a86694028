"""Content made of real files and recorded answers: links to them under the addresses of their services.

The folder is laid out like this (anything may be missing)::

    profet/   {id}[_updated].cif.gz {id}.pdb.gz {id}.bcif.gz AF-{model}.{cif,pdb}.gz
              alphafold_prediction_{acc}.json uniprot_{acc}.json[.gz] uniprot_inactive_{why}_{acc}.json
              pdbe_best_structures_{acc}.json pdbe_sifts_mappings*.json 3dbeacons_summary*.json
    empiar/   api/{entry}.xml mrc/emd_{n}.map.gz mrc|star|meta/empiar_10076_7.{mrc,star,cs}
    caked/    mrcfile/emd_{n}.map.gz
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from perc_archive import empiar_xml, prediction
from perc_archive.content import EMPIAR_TREE, ContentFolder
from perc_archive.structure_record import dbref_accessions, structure_record

_RCSB, _PDBE, _ALPHAFOLD = "files.rcsb.org", "www.ebi.ac.uk", "alphafold.ebi.ac.uk"
# Of the three structures in the SIFTS recording, which keeps the mappings but not the accession they are to.
_SIFTS_ACCESSIONS = {"1AAP": "P05067", "1OWT": "P05067", "102L": "P00720"}


def is_real_data(source: Path) -> bool:
    """Whether a folder is laid out like one of real files."""
    return any((source / name).is_dir() for name in ("profet", "empiar", "caked"))


def link(source: Path, target: Path) -> Path:
    """Content folder `target`, made of links to the real files in `source`; nothing is copied but JSON."""
    content = ContentFolder(target, link=True)
    target.mkdir()
    for add in (_structures, _models, _proteins, _pdbe_answers, _entries, _maps):
        add(source, content)
    return target


def _matching(folder: Path, pattern: str) -> Iterator[tuple[Path, re.Match[str]]]:
    """Files of a folder whose whole name matches, sorted; none where there is no such folder."""
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            match = re.fullmatch(pattern, path.name, re.IGNORECASE)
            if match is not None:
                yield path, match


def _read_json(path: Path) -> Any:
    body = path.read_bytes()
    return json.loads(gzip.decompress(body) if path.suffix == ".gz" else body)


def _structures(source: Path, content: ContentFolder) -> None:
    folder = source / "profet"
    coverage = _coverage(folder)
    # Where the archive's own copy was not recorded, PDBe's updated file of the entry stands in for it.
    kinds: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
        (r"(?P<id>[0-9]\w{3})_updated\.cif\.gz", lambda m: f"download/{m['id'].upper()}.cif.gz"),
        (
            r"(?P<id>[0-9]\w{3})\.(?P<ext>cif|pdb)\.gz",
            lambda m: f"download/{m['id'].upper()}.{m['ext'].lower()}.gz",
        ),
        (r"(?P<id>pdb_[0-9a-z]{8})-.*\.cif\.gz", lambda m: f"download/{m['id'].lower()}.cif.gz"),
    )
    for pattern, place in kinds:
        for path, match in _matching(folder, pattern):
            content.add_file(_RCSB, place(match), path)
            pdb_id = match["id"].upper() if len(match["id"]) == 4 else match["id"].lower()
            is_pdb = match.groupdict().get("ext", "").lower() == "pdb"
            head = _head(path, b"\nATOM " if is_pdb else b"_atom_site.")
            if is_pdb and (content.path / "_records/rcsb" / f"{pdb_id}.json").exists():
                continue  # its mmCIF file told more
            accessions = dbref_accessions(head.decode("latin-1")) if is_pdb else ()
            record = structure_record(head, accessions=accessions, coverage=coverage.get(pdb_id))
            content.add_record("rcsb", pdb_id, record)
    for path, match in _matching(
        folder, r"swissmodel_(?P<acc>\w+?)_(?P<range>\d+-\d+)_(?P<template>.+)\.cif\.gz"
    ):
        content.add_file("swissmodel.expasy.org", f"3d-beacons/uniprot/{match['acc']}.cif.gz", path)
        content.add_record("beacons", match["acc"], _summary_of_swiss_model(match))
    for path, match in _matching(folder, r"(?P<id>[0-9]\w{3})\.bcif\.gz"):
        content.add_file("models.rcsb.org", f"{match['id'].upper()}.bcif.gz", path)


def _summary_of_swiss_model(match: re.Match[str]) -> dict[str, Any]:
    """What the hub says of a model that was recorded without it: all of it stands in the model's address."""
    first, last = map(int, match["range"].split("-"))
    wish = f"range={match['range']}&template={match['template']}&provider=swissmodel"
    summary = {
        "model_identifier": f"{match['acc']}_{match['range']}:{match['template']}",
        "model_category": "TEMPLATE-BASED",
        "model_url": f"https://swissmodel.expasy.org/3d-beacons/uniprot/{match['acc']}.cif?{wish}",
        "model_format": "MMCIF",
        "provider": "SWISS-MODEL",
        "uniprot_start": first,
        "uniprot_end": last,
        "entities": [{"entity_type": "POLYMER", "chain_ids": ["A"]}],
    }
    return {"uniprot_entry": {"ac": match["acc"]}, "structures": [{"summary": summary}]}


def _head(path: Path, end: bytes) -> bytes:
    """Text of a gzipped file up to its atoms, without unpacking the rest."""
    found = b""
    with gzip.open(path) as file:
        while end not in found and (more := file.read(1 << 18)):
            found += more
    return found.partition(end)[0]


def _coverage(folder: Path) -> dict[str, dict[str, float]]:
    """Fraction of each protein that a structure covers, by UniProt: {pdb id: {accession: fraction}}."""
    found: dict[str, dict[str, float]] = {}
    for path, _ in _matching(folder, r"uniprot_\w+\.json(\.gz)?"):
        record = _read_json(path)
        length = record.get("sequence", {}).get("length")
        for reference in record.get("uniProtKBCrossReferences", []):
            if reference["database"] == "PDB" and length:
                chains = {p["key"]: p["value"] for p in reference["properties"]}.get("Chains", "")
                residues = {
                    n for a, b in re.findall(r"=(\d+)-(\d+)", chains) for n in range(int(a), int(b) + 1)
                }
                found.setdefault(reference["id"], {})[record["primaryAccession"]] = round(
                    len(residues) / length, 3
                )
    return found


def _models(source: Path, content: ContentFolder) -> None:
    folder = source / "profet"
    described = set()
    for path, match in _matching(folder, r"alphafold_prediction_(?P<acc>\w+)\.json"):
        content.add_record("alphafold", match["acc"].upper(), _read_json(path))
        described.add(match["acc"].upper())
    pattern = r"(?P<name>AF-(?P<acc>\w+)(?P<isoform>-\d+)?-F1-model_v(?P<version>\d+)\.(?:cif|pdb|bcif))\.gz"
    for path, match in _matching(folder, pattern):
        content.add_gzipped(_ALPHAFOLD, f"files/{match['name']}", path)
        if match["acc"] not in described:
            models = prediction.models(match["acc"], version=int(match["version"]), sequence="")
            content.add_record("alphafold", match["acc"], models)


def _proteins(source: Path, content: ContentFolder) -> None:
    for path, _ in _matching(source / "profet", r"uniprot_\w+\.json(\.gz)?"):
        record = _read_json(path)
        content.add_uniprot(record["primaryAccession"], record)


def _pdbe_answers(source: Path, content: ContentFolder) -> None:
    folder = source / "profet"
    for path, match in _matching(folder, r"(?P<name>[0-9]\w{3}(?:_updated)?\.cif)\.gz"):
        content.add_file(_PDBE, f"pdbe/entry-files/download/{match['name'].lower()}.gz", path)
    for path, _ in _matching(folder, r"pdbe_best_structures_\w+\.json"):
        for accession, rows in _read_json(path).items():
            content.add_record("best_structures", accession, rows)
    for path, _ in _matching(folder, r"pdbe_sifts_mappings\w*\.json"):
        for pdb_id, mappings in _read_json(path).items():
            if pdb_id in _SIFTS_ACCESSIONS:
                content.add_record(
                    "sifts", pdb_id.lower(), {_SIFTS_ACCESSIONS[pdb_id]: {"mappings": mappings}}
                )
    for path, _ in _matching(folder, r"3dbeacons_summary\w*\.json"):
        for summary in _read_json(path):
            content.add_record("beacons", summary["uniprot_entry"]["ac"], summary)


def _entries(source: Path, content: ContentFolder) -> None:
    for path, match in _matching(source / "empiar/api", r"(?P<id>\d{5})\.xml"):
        content.add_record("empiar", match["id"], empiar_xml.from_xml(path.read_bytes()))
        content.add_file("ftp.ebi.ac.uk", f"{EMPIAR_TREE}/{match['id']}/{match['id']}.xml", path)
    places = ("mrc/empiar_10076_7.mrc", "star/empiar_10076_7.star", "meta/empiar_10076_7.cs")
    files: dict[str, bytes | Path] = {
        f"data/{Path(place).name}": source / "empiar" / place
        for place in places
        if (source / "empiar" / place).is_file()
    }
    if files:
        content.add_entry(10076, files, _PARTICLES)


_PARTICLES: dict[str, object] = {
    "title": "L17-Depleted 50S Ribosomal Intermediates (7 particles of the entry)",
    "imagesets": [
        {
            "name": "Extracted particles",
            "directory": "data",
            "category": "picked particles - single frame - unprocessed",
            "header_format": "MRCS",
            "data_format": "MRCS",
            "num_images_or_tilt_series": 7,
            "frames_per_image": 1,
            "pixel_width": 1.31,
            "pixel_height": 1.31,
            "details": "The first seven particles, as the test data of cryoDRGN keep them.",
        }
    ],
}


def _maps(source: Path, content: ContentFolder) -> None:
    for folder in ("caked/mrcfile", "empiar/mrc"):
        for path, match in _matching(source / folder, r"emd_(?P<id>\d+)\.map\.gz"):
            name = f"pub/databases/emdb/structures/EMD-{match['id']}/map/{path.name}"
            content.add_file("ftp.ebi.ac.uk", name, path)
