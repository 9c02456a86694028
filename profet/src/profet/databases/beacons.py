"""3D-Beacons: one place that knows the models of SWISS-MODEL, AlphaFill, ModelArchive and others.

Source: https://www.ebi.ac.uk/pdbe/pdbe-kb/3dbeacons (API 2). Its numbers are taken as stated, and not
computed from the range: an entry with residues 2-5 may well have a coverage of 0.165, because it has others
as well. Fractions are stated as such by most providers and in percent by some, so what exceeds 1 is percent.
The hub waits some seconds for each provider and leaves out those that are late, without a word.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from profet import settings
from profet.access import Access
from profet.databases.protocol import Target
from profet.enums import FileType
from profet.errors import DamagedFileError
from profet.formats.sniff import check_file_type
from profet.hits import PREDICTED, StructureHit, angstrom, extent, fraction
from profet.store import Key, Stored

NAME = "3dbeacons"

# Providers whose structures profet gets from their own databases, and what is to be left of their names.
_OF_THEIR_OWN = {"PDBe": "pdbe", "AlphaFold DB": "alphafold"}
_FILE_TYPES = {"MMCIF": FileType.cif, "PDB": FileType.pdb, "BCIF": FileType.bcif}
_METHODS = {
    "X-RAY DIFFRACTION": "X-ray",
    "ELECTRON MICROSCOPY": "EM",
    "SOLUTION NMR": "NMR",
    "SOLID-STATE NMR": "NMR",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST_ID = 60


class Beacons:
    """Models of all providers of the hub.

    Parameters
    ----------
    access
        The way to files, through the cache.
    """

    name = NAME
    provider = ""
    """Name of the one provider whose models count, as the hub writes it; empty for all."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def find(self, target: Target) -> Sequence[StructureHit]:
        """Models of a protein, in one request. Those of PDBe and AlphaFold DB are hits of their databases."""
        if target.accession is None or not target.is_canonical:
            return []
        found: dict[tuple[str, str], StructureHit] = {}
        for summary in self._summaries(target.accession):
            hit = _hit(summary, target.accession)
            if hit is not None and self.provider in ("", hit.provider):
                key = hit.database, hit.id
                found[key] = _joined(found[key], hit) if key in found else hit
        if not self.provider:
            return list(found.values())
        return [dataclasses.replace(hit, database=self.name) for hit in found.values()]

    def fetch(self, hit: StructureHit, filetype: FileType) -> Stored | None:
        """Get a model from its provider; there is one file of each, in one file type."""
        if hit.file_type is not filetype:
            return None
        return self._access.file(
            Key(source=hit.database, id=_safe(f"{hit.provider}-{hit.id}"), extension=filetype),
            lambda: hit.file_url,
            lambda data: check_file_type(data, filetype),
            etag_is_md5=False,
        )

    def _summaries(self, accession: str) -> Iterable[Mapping[str, Any]]:
        base = f"{settings.service_url('PDBE')}/pdbe-kb/3dbeacons"
        url = f"{base}/api/v2/uniprot/summary/{quote(accession)}.json"
        # One record serves all providers, whichever of them is asked for.
        answer = self._access.record(Key(source=NAME, id=accession, extension="summary.json"), url)
        try:
            return [structure["summary"] for structure in (answer or {}).get("structures", ())]
        except (KeyError, TypeError, AttributeError) as error:
            raise DamagedFileError(f"3D-Beacons sent a list that cannot be understood ({error!r})") from None


class SwissModel(Beacons):
    """Models of the SWISS-MODEL Repository."""

    name = "swissmodel"
    provider = "SWISS-MODEL"


class AlphaFill(Beacons):
    """Models of AlphaFold DB with the ligands that AlphaFill puts in."""

    name = "alphafill"
    provider = "AlphaFill"


class ModelArchive(Beacons):
    """Models that their authors have deposited in ModelArchive."""

    name = "modelarchive"
    provider = "ModelArchive"


def _hit(summary: Mapping[str, Any], accession: str) -> StructureHit | None:
    """Turn a summary into a hit; None for one whose file profet could not read."""
    try:
        provider, name = str(summary["provider"]), str(summary["model_identifier"])
        url, file_type = str(summary["model_url"]), _FILE_TYPES.get(str(summary["model_format"]))
        chains = _chains(summary.get("entities") or (), accession)
        first, last = int(summary["uniprot_start"]), int(summary["uniprot_end"])
        is_experiment = summary["model_category"] == "EXPERIMENTALLY DETERMINED"
        method = str(summary.get("experimental_method") or "")
        hit = StructureHit(
            database=_OF_THEIR_OWN.get(provider, NAME),
            id=name.upper() if provider == "PDBe" else name,
            chains=chains,
            range=(first, last),
            coverage=fraction(summary.get("coverage")),
            resolution=angstrom(summary.get("resolution")),
            method=_METHODS.get(method, method) if is_experiment else _kind(summary),
            accession=accession,
            segments=(("/".join(chains), first, last),),
            sequence_identity=fraction(summary.get("sequence_identity")),
            provider=provider,
            label="" if provider == "AlphaFold DB" else _safe(name.removeprefix(f"{accession}_")),
            file_url=url,
            file_type=file_type,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFileError(f"3D-Beacons sent a model that cannot be understood ({error!r})") from None
    return hit if file_type and urlsplit(url).scheme in ("https", "http") else None


def _kind(summary: Mapping[str, Any]) -> str:
    category = str(summary["model_category"])
    return "ensemble" if category == "CONFORMATIONAL ENSEMBLE" else PREDICTED


def _chains(entities: Iterable[Mapping[str, Any]], accession: str) -> tuple[str, ...]:
    """Chains of the protein; of a model that does not say whose they are, all that are polymers."""
    polymers = [item for item in entities if item.get("entity_type") == "POLYMER"]
    named = [item for item in polymers if item.get("identifier") in (accession, None)]
    return tuple(dict.fromkeys(str(chain) for item in named for chain in item.get("chain_ids") or ()))


def _joined(one: StructureHit, other: StructureHit) -> StructureHit:
    """One hit of two stretches of the same model."""
    segments = (*one.segments, *other.segments)
    return dataclasses.replace(one, segments=segments, range=extent(segments))


def _safe(name: str) -> str:
    """Name that can be part of a file name, different for different names.

    Examples
    --------
    >>> _safe("PED00001e001"), _safe("5v3m.1.C")
    ('PED00001e001', '5v3m.1.C')
    >>> _safe("../../etc")
    'etc-74ccf3c5'
    """
    plain = _UNSAFE.sub("-", name).strip("-._")[:_LONGEST_ID]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}".lstrip("-")
