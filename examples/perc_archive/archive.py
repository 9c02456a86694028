"""The handle on an embedded archive: starts it, fills it, makes it misbehave, reads its log."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from perc_archive.content import ContentFolder
from perc_archive.control import PREFIX, TOKEN_FIELD
from perc_archive.faults import Fault
from perc_archive.journal import LoggedRequest
from perc_archive.listing import escape_path
from perc_archive.protocol import Headers
from perc_archive.realdata import is_real_data
from perc_archive.settings import library_settings
from perc_archive.shaping import Shape

_STOP_SECONDS = 5.0
_CONTROL_SECONDS = 60.0


class ArchiveError(RuntimeError):
    """The archive could not be started, or does not answer."""


class FtpUnavailableError(ArchiveError):
    """FTP was asked of an archive that serves none."""


class Archive:
    """An embedded archive in a process of its own, on free ports of the loopback interface.

    Parameters
    ----------
    content
        Folder of content to serve (`perc_archive.content` says how it is laid out). None: only what is added.
    real_data
        Folder of real files and recorded answers, served under the addresses of their services.
    latency_seconds
        Round-trip time: paid once by every request, and once more when a connection is opened.
    rate_bytes_per_second
        What one connection carries; None for no limit.
    ftp
        Whether to serve FTP too. It needs pyftpdlib; without that package only `ftp_url` is missing.
    port
        Port of the HTTP server; 0 takes a free one.
    certificate
        PEM file with a key and its certificates: serve on the ports 80, 443 and 21 as well, as
        ``--as-hosts`` needs within its namespaces. None: do not.

    Raises
    ------
    ArchiveError
        If the server does not start.

    Examples
    --------
    >>> import urllib.request
    >>> with Archive() as archive:
    ...     archive.add_file("ftp.ebi.ac.uk", "pub/hello.txt", b"hello")
    ...     with urllib.request.urlopen(archive.url("ftp.ebi.ac.uk", "pub/hello.txt")) as answer:
    ...         answer.read()
    ...     archive.requests()[0].body_bytes_sent
    b'hello'
    5
    """

    def __init__(
        self,
        *,
        content: Path | None = None,
        real_data: Path | None = None,
        latency_seconds: float = 0.0,
        rate_bytes_per_second: float | None = None,
        ftp: bool = True,
        port: int = 0,
        certificate: Path | None = None,
    ) -> None:
        self._shape = Shape(latency_seconds=latency_seconds, rate_bytes_per_second=rate_bytes_per_second)
        self._listing_style = "table"
        settings = {
            "content": _folder(content),
            "real_data": _real_folder(real_data),
            "latency_seconds": latency_seconds,
            "rate_bytes_per_second": rate_bytes_per_second,
            "ftp": ftp and importlib.util.find_spec("pyftpdlib") is not None,
            "port": port,
            "certificate": None if certificate is None else os.fspath(certificate),
            "parent": os.getpid(),
            "ftp_port": 0 if certificate is None else 21,
        }
        self._process = _launch()
        self._finalizer = weakref.finalize(self, _stop, self._process)
        report = _handshake(self._process, settings)
        self._finalizer.detach()
        self._finalizer = weakref.finalize(self, _stop, self._process, Path(report["folder"]).parent)
        self._token: str = report["token"]
        self._port: int = report["port"]
        self._ftp_port: int | None = report["ftp_port"]
        self._own = ContentFolder(Path(report["folder"]), link=True)
        self._local = threading.local()
        self.base_url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and remove what it kept on disk."""
        self._finalizer()

    def check(self) -> None:
        """Raise `ArchiveError` if the server is no longer there."""
        if self._process.poll() is not None:
            raise ArchiveError(f"the embedded archive ended by itself (exit code {self._process.returncode})")

    @property
    def pid(self) -> int:
        """Process number of the server."""
        return self._process.pid

    @property
    def folder(self) -> Path:
        """Folder of the content added by hand; it is gone when the archive is closed."""
        return self._own.path

    @property
    def ftp_url(self) -> str:
        """``ftp://127.0.0.1:PORT``."""
        if self._ftp_port is None:
            raise FtpUnavailableError(
                "this archive serves no FTP: it was started with ftp=False, or pyftpdlib is not installed"
            )
        return f"ftp://127.0.0.1:{self._ftp_port}"

    def url(self, host: str, path: str = "") -> str:
        """Address of a decoded path of a real host, on this archive."""
        return f"{self.base_url}/{host}/{escape_path('/' + path.lstrip('/'))[1:]}"

    def settings(self) -> dict[str, str]:
        """Environment variables that point the libraries at this archive, with caches that end with it."""
        ftp_url = None if self._ftp_port is None else self.ftp_url
        return library_settings(self.base_url, ftp_url, self.caches)

    @property
    def caches(self) -> Path:
        """Folder for the caches of the libraries that use this archive; it is gone when that is closed."""
        return self._own.path.parent / "caches"

    def add_file(
        self, host: str, path: str, body: bytes | Path, *, headers: Mapping[str, str] | None = None
    ) -> None:
        """Serve a static file of any host; `path` is decoded. A body given as a path is served from there."""
        self._own.add_file(host, path, body, headers=headers)

    def add_entry(
        self, entry_id: int, files: Mapping[str, bytes | Path], record: Mapping[str, object] | None = None
    ) -> None:
        """Serve an EMPIAR entry; see `ContentFolder.add_entry`."""
        self._own.add_entry(entry_id, files, record)

    def add_structure(
        self,
        pdb_id: str,
        *,
        cif: bytes | None = None,
        pdb: bytes | None = None,
        accessions: Sequence[str] = (),
        resolution: float | None = None,
        title: str = "",
    ) -> None:
        """Serve a structure of the RCSB PDB and find it by its UniProt accessions; see `ContentFolder`."""
        self._own.add_structure(
            pdb_id, cif=cif, pdb=pdb, accessions=accessions, resolution=resolution, title=title
        )

    def add_uniprot(self, accession: str, record: Mapping[str, object]) -> None:
        """Serve a UniProtKB entry; see `ContentFolder.add_uniprot`."""
        self._own.add_uniprot(accession, record)

    def add_alphafold(
        self,
        accession: str,
        *,
        cif: bytes | None = None,
        pdb: bytes | None = None,
        version: int = 6,
        sequence: str | None = None,
    ) -> None:
        """Serve a model of AlphaFold DB; see `ContentFolder.add_alphafold`."""
        self._own.add_alphafold(accession, cif=cif, pdb=pdb, version=version, sequence=sequence)

    def add_record(self, kind: str, key: str, record: object) -> None:
        """Serve a recorded answer (``best_structures``, ``sifts`` …); see `perc_archive.content`."""
        self._own.add_record(kind, key, record)

    @property
    def listing_style(self) -> str:
        """How directories are listed: one of `perc_archive.listing.STYLES`."""
        return self._listing_style

    @listing_style.setter
    def listing_style(self, style: str) -> None:
        self._command("style", style=style)
        self._listing_style = style

    def shape(self, *, latency_seconds: float = 0.0, rate_bytes_per_second: float | None = None) -> None:
        """Change the round trip and the rate, from the next request on."""
        Shape(latency_seconds=latency_seconds, rate_bytes_per_second=rate_bytes_per_second)
        self._command("shape", latency_seconds=latency_seconds, rate_bytes_per_second=rate_bytes_per_second)

    def add_fault(
        self,
        kind: str,
        *,
        match: str = "*",
        times: int | None = 1,
        after_bytes: int = 0,
        status: int = 503,
        retry_after: str | None = None,
        every: int = 1,
    ) -> None:
        """Misbehave on request.

        Parameters
        ----------
        kind
            ``stall`` (sends the header and `after_bytes` of the body, then nothing), ``drop`` (closes after
            `after_bytes`), ``status`` (answers `status`, with `retry_after` if given), ``ignore_range``
            (200 and the whole body for a range request), ``html`` (200 with an HTML page), ``wrong_length``
            (Content-Length larger than the body), ``gzip`` (gzip-encoded though identity was asked; a name
            ending in .gz is only labelled so), ``omit`` (the matched file is left out of its listing),
            ``refuse`` (closes without an answer).
        match
            Pattern (`fnmatch`) on ``host/path``, the path decoded.
        times
            How often it happens; None for always.
        every
            It happens to each n-th matching request.

        Notes
        -----
        One fault acts on a request: the oldest one that matches and whose turn it is.
        """
        Fault(kind=kind, every=every)
        self._command(
            "fault",
            kind=kind,
            match=match,
            times=times,
            after_bytes=after_bytes,
            status=status,
            retry_after=retry_after,
            every=every,
        )

    def clear(self) -> None:
        """Drop content added by hand, faults, changed shaping and the log."""
        self._listing_style = "table"
        self._command(
            "clear",
            latency_seconds=self._shape.latency_seconds,
            rate_bytes_per_second=self._shape.rate_bytes_per_second,
        )

    def requests(self, match: str = "*") -> list[LoggedRequest]:
        """Requests since the last `clear` whose ``host/path`` matches, in order."""
        return [
            LoggedRequest(**{**line, "headers": Headers(line["headers"].items())})
            for line in self._command("log", match=match)
        ]

    def _command(self, name: str, **arguments: object) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_CONTROL_SECONDS)
        try:
            connection.request("POST", PREFIX + name, json.dumps(arguments), {TOKEN_FIELD: self._token})
            answer = connection.getresponse()
            result = json.loads(answer.read())
        except OSError as error:
            raise ArchiveError(f"the embedded archive at {self.base_url} does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ArchiveError(f"the embedded archive refused {name!r}: {result.get('error', answer.status)}")
        return result["result"]


def _folder(path: Path | None) -> str | None:
    if path is None:
        return None
    if not path.is_dir():
        raise NotADirectoryError(f"no folder to serve: {path}")
    return os.fspath(path.resolve())


def _real_folder(path: Path | None) -> str | None:
    if path is not None and path.is_dir() and not is_real_data(path):
        raise NotADirectoryError(f"no folder of real files (profet/, empiar/, caked/) in {path}")
    return _folder(path)


def _launch() -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    root = os.fspath(Path(__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, environment.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", "perc_archive.server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C in a terminal is for the program that owns the archive
    )


def _handshake(process: subprocess.Popen[bytes], settings: Mapping[str, object]) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        line = b""
    if not line:
        _stop(process)
        raise ArchiveError("the embedded archive did not start; its complaint is on standard error")
    report: dict[str, Any] = json.loads(line)
    return report


def _stop(process: subprocess.Popen[bytes], folder: Path | None = None) -> None:
    """End a server, and do the tidying in its place where it had to be killed."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
