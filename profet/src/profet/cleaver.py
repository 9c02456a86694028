"""Cleaning, under the name it has always had in profet."""

from __future__ import annotations

import os
from collections.abc import Sequence

from profet.access import Access
from profet.cleaning.clean import clean_with
from profet.cleaning.options import CleanOptions
from profet.errors import InvalidIdError
from profet.ids import UniProtId, parse_id, shown
from profet.uniprot import find_entry


class Cleaver:
    """Takes signal peptides and more out of structure files. `profet.clean` does more."""

    def __init__(self) -> None:
        self._access = Access()

    def signal_residuenumbers_requester(self, uniprot_id: str) -> list[tuple[int, int]]:
        """Signal peptides of a protein, as ``(first, last)`` in UniProt numbering.

        Raises
        ------
        RefusedError
            If UniProt does not know where one begins or ends.
        """
        identity = parse_id(uniprot_id)
        if not isinstance(identity, UniProtId):
            raise InvalidIdError(f"{shown(uniprot_id)} is a PDB id; an accession is needed here")
        return list(find_entry(self._access, identity).ranges())

    def remove_nonmain(
        self,
        input_file: str | os.PathLike[str],
        signal_list: Sequence[tuple[int, int]] | None = None,
        signal_peptides: bool = True,
        hydrogens: bool = True,
        water: bool = True,
        hetatoms: bool = True,
        output_filename: str | os.PathLike[str] | None = None,
    ) -> str:
        """Write the file without what is not wanted, and return the path of the new one.

        Parameters
        ----------
        input_file
            A file in mmCIF or PDB format.
        signal_list
            Signal peptides in UniProt numbering, of every protein that the file names; None or empty: none.
        signal_peptides, hydrogens, water, hetatoms, output_filename
            As for `Fetcher.remove`.
        """
        options = CleanOptions(
            signal_peptides=signal_peptides, hydrogens=hydrogens, water=water, hetatoms=hetatoms
        )
        report = clean_with(
            self._access,
            input_file,
            output=output_filename,
            options=options,
            accession=None,
            ranges=signal_list or (),
        )
        return str(report.path)
