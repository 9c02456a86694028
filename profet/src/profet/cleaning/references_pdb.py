"""What DBREF records say: which range of a chain is which range of a protein."""

from __future__ import annotations

from collections import defaultdict

from profet.cleaning.numbering import Reference

REFERENCE_RECORDS = (b"DBREF ", b"DBREF1", b"DBREF2")


class References:
    """Collects the records.

    Attributes
    ----------
    by_chain
        By the two columns of the chain's name.
    """

    def __init__(self) -> None:
        self.by_chain: defaultdict[bytes, list[Reference]] = defaultdict(list)
        self._half: tuple[str, int, int] | None = None  # a DBREF1 that waits for its DBREF2

    def take(self, line: bytes, name: bytes) -> None:
        """Take note of a record; one that cannot be read counts as absent."""
        words = line.decode("ascii", "replace").ljust(80)
        try:
            if name == b"DBREF2":
                if self._half is None:
                    return
                database, first, last = self._half
                accession, ends = words[18:40], (int(words[45:55]), int(words[57:67]))
            else:
                database, first, last = words[26:32], int(words[14:18]), int(words[20:24])
                if name == b"DBREF1":
                    self._half = database, first, last
                    return
                accession, ends = words[33:41], (int(words[55:60]), int(words[62:67]))
                if words[41] != " ":  # ten letters of an accession do not fit into eight columns
                    accession = words[33:].split()[0]
        except ValueError:
            return
        is_uniprot = database.strip() in ("UNP", "SWS", "TREMBL")
        self.by_chain[line[11:13]].append(
            Reference(
                accession=accession.strip().upper() if is_uniprot else None,
                first=first,
                last=last,
                database_first=ends[0],
                database_last=ends[1],
            )
        )
