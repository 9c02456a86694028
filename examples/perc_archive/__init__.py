"""An embedded archive: one small server on loopback that speaks the dialects of the real services.

EMPIAR's API and its tree over HTTPS and FTP, EMDB, RCSB PDB (search, Data API, files, sequences), AlphaFold
DB, UniProt, PDBe and 3D-Beacons, and plain files of PDB-REDO, TED and providers of models.
Content comes from a folder (`perc_archive.content`), from real files, or is added by hand. Tests, the demo,
the notebooks and the benchmarks use it; the libraries know nothing of it and are pointed at it by their
settings.

Without ``--as-hosts`` the real host name is the first component of a path:
``http://127.0.0.1:PORT/www.ebi.ac.uk/empiar/api/entry/10943/``.
"""

from perc_archive.archive import Archive, ArchiveError, FtpUnavailableError
from perc_archive.content import ContentFolder
from perc_archive.journal import LoggedRequest

__all__ = ["Archive", "ArchiveError", "ContentFolder", "FtpUnavailableError", "LoggedRequest"]
