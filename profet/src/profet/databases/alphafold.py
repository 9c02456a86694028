"""AlphaFold DB, always through its API: the version of its models is theirs to know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from profet import settings
from profet.access import Access
from profet.enums import FileType
from profet.errors import DamagedFileError
from profet.formats.sniff import check_file_type
from profet.store import Key, Stored

NAME = "alphafold"

_URL_FIELDS = {FileType.cif: "cifUrl", FileType.pdb: "pdbUrl"}
_VERSION_IN_URL = re.compile(r"-model_v(\d+)\.")


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

    def fetch(self, accession: str, filetype: FileType) -> Stored | None:
        """Get the model of a protein, or None if there is none.

        Parameters
        ----------
        accession
            In capitals; ``P05067`` for the canonical sequence, ``P05067-2`` for another isoform.
        filetype
            Both types exist of every model.
        """
        url = ""

        def locate() -> str | None:
            nonlocal url
            url = self.file_url(accession, filetype) or ""
            return url or None

        def check(data: bytes) -> str | None:
            check_file_type(data, filetype)
            version = _VERSION_IN_URL.search(url)
            return version[1] if version else None

        key = Key(source=NAME, id=accession, extension=filetype)
        return self._access.file(key, locate, check, etag_is_md5=True)

    def file_url(self, accession: str, filetype: FileType) -> str | None:
        """Where the model's file lies today, as the API says; None if there is no model."""
        prediction = self.prediction(accession)
        if prediction is None:
            return None
        url = prediction.get(_URL_FIELDS[filetype])
        if not isinstance(url, str) or urlsplit(url).scheme not in ("https", "http"):
            raise DamagedFileError(f"AlphaFold DB names no {filetype} file of {accession}")
        return url

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
