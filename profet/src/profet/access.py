"""Ask the cache first, then the service, and keep what came."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from profet import settings
from profet.errors import DamagedFileError, OfflineError, ServiceError
from profet.formats import compressed
from profet.provenance import Provenance, now
from profet.store import Key, Store, Stored

if TYPE_CHECKING:
    from profet.http import Answer, Client

_logger = logging.getLogger(__name__)

_RECORD_FRESH_SECONDS = 7 * 24 * 3600.0  # UniProt has a release every eight weeks

Check = Callable[[bytes], str | None]
"""Raises `DamagedFileError` if the file is not what was asked for; returns its version, if it states one."""


class Access:
    """The way of one fetcher to files and records, through its cache. Safe in threads.

    Parameters
    ----------
    directory
        Folder of the cache; None for the one that the settings name.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.store = Store(directory or settings.cache_directory())
        self._lock = threading.Lock()
        self._busy: defaultdict[Key, threading.Lock] = defaultdict(threading.Lock)
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The connections, opened with the first question (and requests imported only then)."""
        with self._lock:
            if self._client is None:
                from profet.http import Client

                self._client = Client()
            return self._client

    def file(
        self, key: Key, url: Callable[[], str | None], check: Check, *, etag_is_md5: bool
    ) -> Stored | None:
        """Get a structure, or None if the source has no such file.

        A file that the cache holds is not asked for again: the service is not spoken to at all.

        Parameters
        ----------
        key
            Where the cache keeps it.
        url
            Tells where the service has it; called only if the cache does not hold it.
        check
            Applied to the uncompressed file before it is kept.
        etag_is_md5
            Whether the service's ETag is the MD5 of the body as sent; the body is then held to it, and asked
            for in compressed form.
        """
        with self._alone(key):
            if (stored := self.store.get(key)) is not None:
                return stored
            if self.store.is_absent(key):
                return None
            address = url()
            if address is None:
                return None
            self._must_be_online(address)
            return self._fetch(key, address, check, etag_is_md5=etag_is_md5, gzip=etag_is_md5)

    def record(self, key: Key, url: str) -> Any | None:
        """Get a JSON record, or None if the service has none. It is asked for again after a week.

        If that fails, the kept record goes on serving, with a warning in the log.
        """
        with self._alone(key):
            stored = self.store.get(key)
            if stored is not None and (
                stored.provenance.age_seconds < _RECORD_FRESH_SECONDS or settings.is_offline()
            ):
                return json.loads(stored.data)
            if stored is None and self.store.is_absent(key):
                return None
            try:
                self._must_be_online(url)
                fetched = self._fetch(key, url, _check_json, etag_is_md5=False, gzip=True)
            except ServiceError as error:
                if stored is None:
                    raise
                _logger.warning("%s; using the record of %s", error, stored.provenance.retrieved)
                fetched = stored
            return None if fetched is None else json.loads(fetched.data)

    def _fetch(self, key: Key, url: str, check: Check, *, etag_is_md5: bool, gzip: bool) -> Stored | None:
        def decode(answer: Answer) -> tuple[bytes, Stored]:
            data, layers = compressed.unpack(answer.body)
            if etag_is_md5:
                _check_etag(answer.body, layers, answer.headers)
            version = check(data)
            # One layer of gzip is kept as it was sent; anything else is packed here.
            packed = answer.body if layers == 1 else compressed.pack(data)
            return packed, Stored(data=data, provenance=_provenance(key, answer, data, version))

        decoded = self.client.fetch(url, decode, gzip=gzip)
        if decoded is None:
            self.store.put_absent(key, _nothing(key, url))
            return None
        packed, stored = decoded
        self.store.put(key, packed, stored.provenance)
        return stored

    def _must_be_online(self, url: str) -> None:
        if settings.is_offline():
            raise OfflineError(
                f"PROFET_OFFLINE is set and the cache in {self.store.root.parent} does not hold {url}",
                url=url,
            )

    def _alone(self, key: Key) -> threading.Lock:
        """One thread at a time asks for one thing; the others find it in the cache."""
        with self._lock:
            return self._busy[key]


def _check_etag(body: bytes, layers: int, headers: Mapping[str, str]) -> None:
    etag = headers.get("ETag", "").strip('"').lower()
    is_md5 = len(etag) == 32 and all(digit in "0123456789abcdef" for digit in etag)
    # The store states the checksum of the compressed file, also where a proxy has unpacked it on the way.
    if is_md5 and layers == 1 and compressed.md5_hex(body) != etag:
        raise DamagedFileError("the body does not have the checksum that the service states")


def _check_json(data: bytes) -> str | None:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        raise DamagedFileError("something that is no JSON came in place of a record") from None
    return None


def _provenance(key: Key, answer: Answer, data: bytes, version: str | None) -> Provenance:
    return Provenance(
        database=key.source,
        id=key.id,
        url=answer.url,
        retrieved=now().isoformat(),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        etag=answer.headers.get("ETag"),
        last_modified=answer.headers.get("Last-Modified"),
        release=answer.headers.get("X-UniProt-Release"),
        source_version=version,
    )


def _nothing(key: Key, url: str) -> Provenance:
    return Provenance(
        database=key.source, id=key.id, url=url, retrieved=now().isoformat(), sha256="", size_bytes=0
    )
