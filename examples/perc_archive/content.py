"""Writes content that an archive can serve, in a folder of its own; no server is needed for that.

Layout of a content folder::

    <real host>/<real path>                 a file, byte for byte as its host serves it
    _gzip/<real host>/<real path>           a file whose host sends it gzip-encoded to those who take it
                                            (AlphaFold DB)
    _records/empiar/<number>.json           an entry object of the EMPIAR API
    _records/uniprot/<accession>.json       an entry of UniProtKB
    _records/alphafold/<accession>.json     the array of models
    _records/rcsb/<PDB ID>.json             what the RCSB knows of a structure
    _records/obsolete/<PDB ID>.json         {"date": "31-JUL-94", "successors": ["216L"]}
    _records/best_structures/<accession>.json, _records/sifts/<pdb id>.json, _records/beacons/<accession>.json
                                            answers of PDBe, PDBe's SIFTS mappings and 3D-Beacons
    _records/headers/<hash>.json            header fields of one file, where its host's usual ones do not do

Everything is written beside its place and renamed into it, so a folder may be served while it is written.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from perc_archive import empiar_record, empiar_xml, prediction
from perc_archive.structure_record import structure_record
from perc_archive.tree import GZIPPED, RECORDS, header_record, path_parts
from perc_archive.uniprot_record import complete_record

EMPIAR_TREE = "empiar/world_availability"


class ContentFolder:
    """One folder of content and the ways to fill it.

    Parameters
    ----------
    path
        The folder; made when something is written.
    link
        Whether a body given as a path is linked to instead of copied. The file must then stay where it is.
    """

    def __init__(self, path: Path, *, link: bool = False) -> None:
        self.path = path
        self._link = link

    def add_file(
        self, host: str, path: str, body: bytes | Path, *, headers: Mapping[str, str] | None = None
    ) -> Path:
        """Any file of any host; `path` is decoded. `headers` replace or add to the fields of its answer."""
        parts = path_parts(path)
        if not parts or path.endswith("/"):
            raise ValueError(f"{path!r} names no file")
        if not path_parts(host) == [host] or host.startswith(("_", ".")):
            raise ValueError(f"{host!r} is no host name")
        if headers is not None:
            record = {"place": f"{host}/{'/'.join(parts)}", **headers}
            record.pop("place")
            self.add_record("headers", header_record(host, path), record)
        return self._place(Path(self.path, host, *parts), body)

    def add_gzipped(self, host: str, path: str, body: bytes | Path) -> Path:
        """Gzip body of a file that its host serves with ``Content-Encoding: gzip`` on request."""
        return self._place(Path(self.path, GZIPPED, host, *path_parts(path)), body)

    def add_record(self, kind: str, key: str, record: object) -> Path:
        """JSON record of a service (see the layout above)."""
        text = json.dumps(record, ensure_ascii=True, indent=1)
        return self._place(
            Path(self.path, RECORDS, *path_parts(kind), *path_parts(f"{key}.json")), text.encode()
        )

    def add_entry(
        self, entry_id: int, files: Mapping[str, bytes | Path], record: Mapping[str, object] | None = None
    ) -> None:
        """EMPIAR entry: its files by entry-relative path, its API record and its XML.

        What `record` leaves out of the API's entry object is filled in; without ``imagesets`` there is one
        for each folder of images.
        """
        for name, body in files.items():
            self.add_file("ftp.ebi.ac.uk", f"{EMPIAR_TREE}/{entry_id}/{name}", body)
        full = empiar_record.complete_record(entry_id, files, record or {})
        self.add_file(
            "ftp.ebi.ac.uk", f"{EMPIAR_TREE}/{entry_id}/{entry_id}.xml", empiar_xml.to_xml(entry_id, full)
        )
        self.add_record("empiar", str(entry_id), full)

    def add_structure(
        self,
        pdb_id: str,
        *,
        cif: bytes | Path | None = None,
        pdb: bytes | Path | None = None,
        accessions: Sequence[str] = (),
        resolution: float | None = None,
        title: str = "",
    ) -> None:
        """Structure of the RCSB PDB: its files, and its UniProt accessions for the search.

        The server makes the gzip form of each file by itself. `resolution` (Å) defaults to what the mmCIF
        says.
        """
        name = pdb_id.upper() if len(pdb_id) == 4 else pdb_id.lower()
        for extension, body in (("cif", cif), ("pdb", pdb)):
            if body is not None:
                self.add_file("files.rcsb.org", f"download/{name}.{extension}", body)
        head = cif.read_bytes() if isinstance(cif, Path) else cif or b""
        record = structure_record(head, accessions=accessions, resolution=resolution, title=title)
        self.add_record("rcsb", name, record)

    def add_uniprot(self, accession: str, record: Mapping[str, object]) -> None:
        """UniProtKB entry: (part of) its JSON. A ``sequence`` given as text is wrapped as UniProt has it."""
        self.add_record("uniprot", accession.upper(), complete_record(accession.upper(), record))

    def add_alphafold(
        self,
        accession: str,
        *,
        cif: bytes | None = None,
        pdb: bytes | None = None,
        version: int = 6,
        sequence: str | None = None,
    ) -> None:
        """AlphaFold DB: the API's array of models, the canonical one not first, and the files of that one."""
        accession = accession.upper()
        models = prediction.models(accession, version=version, sequence=sequence or "")
        self.add_record("alphafold", accession, models)
        for extension, body in (("cif", cif), ("pdb", pdb)):
            if body is not None:
                name = f"files/AF-{accession}-F1-model_v{version}.{extension}"
                self.add_gzipped("alphafold.ebi.ac.uk", name, gzip.compress(body, compresslevel=9, mtime=0))

    def _place(self, target: Path, body: bytes | Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".part~", dir=target.parent)
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(body, bytes):
                    file.write(body)
                elif not self._link:
                    with body.open("rb") as source:
                        shutil.copyfileobj(source, file)
            if isinstance(body, Path) and self._link:
                partial.unlink()
                partial.symlink_to(body.resolve(strict=True))
            else:
                partial.chmod(0o644)
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return target
