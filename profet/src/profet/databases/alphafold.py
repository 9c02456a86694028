"""AlphaFold DB, always through its API: the version of its models is theirs to know."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from profet import settings
from profet.access import Access
from profet.databases.protocol import Target
from profet.enums import FileType
from profet.errors import DamagedFileError, StructureNotFoundError
from profet.formats.sniff import check_file_type
from profet.hits import PREDICTED, StructureHit
from profet.ids import ModelId
from profet.store import Key, Stored

NAME = "alphafold"

Document = Literal["plddt", "pae"]

_URL_FIELDS = {FileType.cif: "cifUrl", FileType.pdb: "pdbUrl", FileType.bcif: "bcifUrl"}
DOCUMENTS: dict[Document, str] = {"plddt": "plddtDocUrl", "pae": "paeDocUrl"}
_VERSION_IN_ID = re.compile(r"-model_v(\d+)$")
_VERSION_IN_URL = re.compile(r"_v(\d+)\.")


class AlphaFold:
    """Predicted structures of AlphaFold DB.

    Parameters
    ----------
    access
        The way to files, through the cache.
    """

    name = NAME

    def __init__(self, access: Access) -> None:
        self._access = access

    def find(self, target: Target) -> Sequence[StructureHit]:
        """The model of a protein or isoform, if there is one.

        The API is asked only where UniProt does not list the model, behind which it lags at times, or where a
        certain version is wanted.

        Raises
        ------
        StructureNotFoundError
            If another version, or another fragment, is wanted than is served.
        """
        accession = target.accession
        if accession is None:
            return []
        version = ""
        if isinstance(target.identity, ModelId):
            self._must_be_served(target.identity)
            version = f"-model_v{target.identity.version}" if target.identity.version else ""
        elif not (target.entry and target.entry.is_in_alphafold) and self.prediction(accession) is None:
            return []
        length = len(target.entry.sequence) if target.entry and target.is_canonical else 0
        return [
            StructureHit(
                database=NAME,
                id=f"AF-{accession}-F1{version}",
                chains=("A",),
                range=(1, length) if length else None,
                coverage=1.0,
                method=PREDICTED,
                accession=accession,
                segments=(("A", 1, length),) if length else (),
            )
        ]

    def fetch(self, hit: StructureHit, filetype: FileType) -> Stored | None:
        """Get the model of a protein, or None if there is none. All file types exist of every model.

        If the id names a version, one of another version in the cache does not count.
        """
        accession = hit.accession or hit.id.removeprefix("AF-").rpartition("-F")[0]
        version = _VERSION_IN_ID.search(hit.id)
        return self._file(
            accession,
            filetype,
            _URL_FIELDS[filetype],
            lambda data: check_file_type(data, filetype),
            version=version and version[1],
        )

    def document(self, accession: str, kind: Document) -> Stored | None:
        """Get what says how far a model can be trusted, as JSON; None if there is no model.

        Parameters
        ----------
        accession
            In capitals, with the number of the isoform unless it is the canonical one.
        kind
            ``"plddt"``: the confidence of each residue; ``"pae"``: the predicted aligned error of each pair.
        """
        return self._file(accession, f"{kind}.json", DOCUMENTS[kind], _check_json)

    def file_url(self, accession: str, filetype: FileType) -> str | None:
        """Where the model's file lies today, as the API says; None if there is no model."""
        return self._url(accession, _URL_FIELDS[filetype.content])

    def prediction(self, accession: str) -> Mapping[str, Any] | None:
        """Return what the API says of the model of `accession`; None if there is no model.

        The answer lists the models of all isoforms, and of complexes, in no useful order: the one whose
        accession is the one asked for counts.
        """
        base = accession.partition("-")[0]
        url = f"{settings.service_url('ALPHAFOLD')}/api/prediction/{quote(base)}"
        answer = self._access.record(Key(source=NAME, id=base, extension="prediction.json"), url)
        if answer is None:
            return None
        if not isinstance(answer, list) or not all(isinstance(model, dict) for model in answer):
            raise DamagedFileError(f"AlphaFold DB sent something that is no list of models for {base}")
        models: list[dict[str, Any]] = answer
        for model in models:
            if model.get("uniprotAccession") == accession and not model.get("isComplex"):
                return model
        return None

    def _file(
        self, accession: str, extension: str, field: str, check: Any, *, version: str | None = None
    ) -> Stored | None:
        url = ""

        def locate() -> str | None:
            nonlocal url
            url = self._url(accession, field) or ""
            return url or None

        def checked(data: bytes) -> str | None:
            check(data)
            found = _VERSION_IN_URL.search(url)
            return found[1] if found else None

        key = Key(source=NAME, id=accession, extension=extension)
        kept = None if version is None else self._access.store.origin(key)
        is_other = kept is not None and kept.source_version != version
        access = self._access.refreshing() if is_other else self._access
        return access.file(key, locate, checked, etag_is_md5=True)

    def _url(self, accession: str, field: str) -> str | None:
        prediction = self.prediction(accession)
        if prediction is None:
            return None
        url = prediction.get(field)
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", "http"):
            raise DamagedFileError(f"AlphaFold DB names no {field} of {accession}")
        return url

    def _must_be_served(self, wanted: ModelId) -> None:
        if wanted.fragment != 1:
            # Source: alphafold.ebi.ac.uk/faq, on proteins of more than 2,700 residues.
            raise StructureNotFoundError(
                f"AlphaFold DB serves {wanted.name} only within the archive of its proteome; only fragment 1 "
                "can be fetched",
                accession=wanted.text,
                asked=(NAME,),
            )
        if wanted.version is None:
            return
        prediction = self.prediction(wanted.text)
        latest = None if prediction is None else prediction.get("latestVersion")
        if latest is not None and latest != wanted.version:
            raise StructureNotFoundError(
                f"AlphaFold DB serves version {latest} of {wanted.name} and no other; ask for {wanted.name}",
                accession=wanted.text,
                asked=(NAME,),
            )


def _check_json(data: bytes) -> None:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        raise DamagedFileError("something that is no JSON came in place of a document") from None
