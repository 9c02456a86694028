"""Real host names that the archive speaks for, and the libraries' settings that point at it."""

from __future__ import annotations

from pathlib import Path

HOSTS = (
    "www.ebi.ac.uk",
    "ftp.ebi.ac.uk",
    "search.rcsb.org",
    "files.rcsb.org",
    "data.rcsb.org",
    "models.rcsb.org",
    "www.rcsb.org",
    "alphafold.ebi.ac.uk",
    "rest.uniprot.org",
    "www.uniprot.org",
    "files.wwpdb.org",
    "pdb-redo.eu",
    "ted.cathdb.info",
    "swissmodel.expasy.org",
    "alphafill.eu",
    "www.modelarchive.org",
)

URL_SETTINGS = {
    "PROFET_RCSB_SEARCH_URL": "search.rcsb.org",
    "PROFET_RCSB_FILES_URL": "files.rcsb.org",
    "PROFET_RCSB_DATA_URL": "data.rcsb.org",
    "PROFET_RCSB_MODELS_URL": "models.rcsb.org",
    "PROFET_ALPHAFOLD_URL": "alphafold.ebi.ac.uk",
    "PROFET_UNIPROT_URL": "rest.uniprot.org",
    "PROFET_PDBE_URL": "www.ebi.ac.uk/pdbe",
    "PROFET_WWPDB_URL": "files.wwpdb.org",
    "PROFET_RCSB_URL": "www.rcsb.org",
    "PROFET_PDBREDO_URL": "pdb-redo.eu",
    "PROFET_TED_URL": "ted.cathdb.info/api/v1",
    "EMPIARREADER_API_URL": "www.ebi.ac.uk/empiar/api",
    "EMPIARREADER_ARCHIVE_URL": "ftp.ebi.ac.uk/empiar/world_availability",
    "EMPIARREADER_SEARCH_URL": "www.ebi.ac.uk/ebisearch/ws/rest",
    "EMPIARREADER_EMDB_URL": "ftp.ebi.ac.uk/pub/databases/emdb",
}


def library_settings(base_url: str, ftp_url: str | None, caches: Path) -> dict[str, str]:
    """Environment that points the libraries at one archive.

    Parameters
    ----------
    base_url
        Address of the HTTP server, without a slash at the end.
    ftp_url
        Address of the FTP server, or None where none runs; then its setting is left out.
    caches
        Folder for the libraries' caches. What stands in an embedded archive under a real id is often not the
        real thing, and must not be found in the user's own cache later.

    Examples
    --------
    >>> library_settings("http://127.0.0.1:8000", None, Path("/tmp/caches"))["PROFET_PDBE_URL"]
    'http://127.0.0.1:8000/www.ebi.ac.uk/pdbe'
    """
    settings = {name: f"{base_url}/{place}" for name, place in URL_SETTINGS.items()}
    if ftp_url is not None:
        settings["EMPIARREADER_FTP_URL"] = f"{ftp_url}/empiar/world_availability"
    return settings | cache_settings(caches)


def cache_settings(caches: Path) -> dict[str, str]:
    """Environment that gives the libraries caches of their own below a folder."""
    return {f"{library.upper()}_CACHE_DIR": str(caches / library) for library in ("profet", "empiarreader")}
