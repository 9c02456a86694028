"""Ask the cache first, then the service, and keep what came."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from profet import settings
from profet.claims import Claims
from profet.errors import CacheError, DamagedFileError, OfflineError, ServiceError
from profet.formats import compressed
from profet.provenance import Provenance, now
from profet.store import CLAIMS, Key, Store, Stored

if TYPE_CHECKING:
    from profet.http import Answer, Client

_logger = logging.getLogger(__name__)

_RECORD_FRESH_SECONDS = 7 * 24 * 3600.0  # UniProt has a release every eight weeks
_RELEASE_FIELD = "X-UniProt-Release"
_UNCHANGED = 304

Check = Callable[[bytes], str | None]
"""Raises `DamagedFileError` if the file is not what was asked for; returns its version, if it states one."""


class Access:
    """The way of one fetcher to files and records, through its cache. Safe in threads and among processes.

    Parameters
    ----------
    directory
        Folder of the cache; None for the one that the settings name.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.store = Store(directory or settings.cache_directory())
        self._claims = Claims(self.store.root / CLAIMS)
        self._connections = _Connections()
        self._not_before: datetime | None = None

    def refreshing(self) -> Access:
        """Return a way that trusts the cache only for what a service confirms from now on.

        Each file and record is asked for at most once by way of it, with what the cache holds as a condition,
        so that nothing is sent that we have.
        """
        view = copy.copy(self)
        view._not_before = now()
        return view

    @property
    def is_refreshing(self) -> bool:
        """Whether the services are to be asked also for what the cache holds."""
        return self._not_before is not None

    @property
    def client(self) -> Client:
        """The connections, opened with the first question (and requests imported only then)."""
        return self._connections.client()

    def file(
        self,
        key: Key,
        url: Callable[[], str | None],
        check: Check,
        *,
        etag_is_md5: bool,
        is_current: Callable[[Provenance], bool] | None = None,
    ) -> Stored | None:
        """Get a structure, or None if the source has no such file.

        A file that the cache holds is not asked for again: the service is not spoken to at all, unless this
        way is a `refreshing` one. Of several processes that want one file, one downloads it.

        Parameters
        ----------
        key
            Where the cache keeps it.
        url
            Tells where the service has it; called only if the service is to be asked.
        check
            Applied to the uncompressed file before it is kept.
        etag_is_md5
            Whether the service's ETag is the MD5 of the body as sent; the body is then held to it, and asked
            for in compressed form.
        is_current
            Tells, for a service whose answers bear no validators, whether a file that was kept is still its.
        """
        if (stored := self._trusted(key)) is not None:
            return stored
        if settings.is_offline():  # and the cache may be somebody else's, where no claim can be written
            address = None if self.store.is_absent(key) else url()
            return None if address is None else self._refuse(address)
        with self._claims.hold(key.name):
            if (stored := self._trusted(key)) is not None:
                return stored
            if not self.is_refreshing and self.store.is_absent(key):
                return None
            kept = self.store.get(key) if self.is_refreshing else None
            address = url()
            if address is None:
                return None
            has_validators = kept is not None and _conditions(kept.provenance, address)
            if kept is not None and not has_validators and is_current and is_current(kept.provenance):
                return self._confirm(key, kept)
            return self._fetch(key, address, check, kept, etag_is_md5=etag_is_md5, gzip=etag_is_md5)

    def record(self, key: Key, url: str) -> Any | None:
        """Get a JSON record, or None if the service has none. It is asked for again after a week.

        If that fails, the kept record goes on serving, with a warning in the log.
        """
        stored = self._weekly(key, url, _check_json)
        return None if stored is None else json.loads(stored.data)

    def text(self, key: Key, url: str, check: Check) -> str | None:
        """Get a text, as a sequence in FASTA format; like `record` otherwise."""
        stored = self._weekly(key, url, check)
        return None if stored is None else stored.data.decode("utf-8", errors="replace")

    def kept(self, key: Key) -> Stored | None:
        """Return a record or text of the cache that is young enough; None if it has to be asked for."""
        stored = self._trusted(key)
        return stored if stored is not None and self._is_young(stored) else None

    def kept_record(self, key: Key) -> Any | None:
        """Return what `kept` finds, decoded from JSON."""
        stored = self.kept(key)
        return None if stored is None else json.loads(stored.data)

    def _weekly(self, key: Key, url: str, check: Check) -> Stored | None:
        if (stored := self.kept(key)) is not None:
            return stored
        if settings.is_offline():
            return None if self.store.is_absent(key) else self._refuse(url)
        try:
            return self._ask_again(key, url, check)
        except (ServiceError, DamagedFileError, CacheError) as error:
            stored = self.store.get(key)
            if stored is None or self.is_refreshing:
                raise
            _logger.warning("%s; using the record of %s", error, stored.provenance.retrieved)
            return stored

    def _ask_again(self, key: Key, url: str, check: Check) -> Stored | None:
        with self._claims.hold(key.name):
            stored = self.store.get(key)
            if stored is not None and self._is_young(stored):
                return stored
            if stored is None and not self.is_refreshing and self.store.is_absent(key):
                return None
            confirmed = self._same_release(key, url, stored)
            return confirmed or self._fetch(key, url, check, stored, etag_is_md5=False, gzip=True)

    def _trusted(self, key: Key) -> Stored | None:
        """What the cache holds, if that need not be asked for."""
        if self._not_before is not None:
            origin = self.store.origin(key)  # a file that will be asked for anyway need not be read for this
            if origin is None or origin.current_at <= self._not_before:
                return None
        return self.store.get(key)

    def _is_young(self, stored: Stored) -> bool:
        if self._not_before is not None:
            return stored.provenance.current_at > self._not_before
        return settings.is_offline() or stored.provenance.age_seconds < _RECORD_FRESH_SECONDS

    def _same_release(self, key: Key, url: str, kept: Stored | None) -> Stored | None:
        """Confirm a record of UniProt, which has no validators, by the release it is of."""
        if kept is None or not kept.provenance.release or _conditions(kept.provenance, url):
            return None
        headers = self.client.head(url)
        if headers is None or headers.get(_RELEASE_FIELD) != kept.provenance.release:
            return None
        return self._confirm(key, kept)

    def _fetch(
        self, key: Key, url: str, check: Check, kept: Stored | None, *, etag_is_md5: bool, gzip: bool
    ) -> Stored | None:
        def decode(answer: Answer) -> tuple[bytes, Stored] | None:
            if answer.status == _UNCHANGED:
                return None
            data, layers = compressed.unpack(answer.body)
            if etag_is_md5:
                _check_etag(answer.body, layers, answer.headers)
            version = check(data)
            # One layer of gzip is kept as it was sent; anything else is packed here.
            packed = answer.body if layers == 1 else compressed.pack(data)
            provenance = provenance_of(
                key,
                answer,
                data,
                etag=answer.headers.get("ETag"),
                last_modified=answer.headers.get("Last-Modified"),
                source_version=version,
            )
            return packed, Stored(data=data, provenance=provenance)

        held = {} if kept is None else _conditions(kept.provenance, url)
        decoded = self.client.fetch(url, lambda answer: (decode(answer),), gzip=gzip, held=held)
        if decoded is None:
            self.store.put_absent(key, _nothing(key, url))
            return None
        if decoded[0] is None:
            assert kept is not None
            return self._confirm(key, kept)
        packed, stored = decoded[0]
        self.store.put(key, packed, stored.provenance)
        return stored

    def _confirm(self, key: Key, kept: Stored) -> Stored:
        provenance = dataclasses.replace(kept.provenance, checked=now().isoformat())
        self.store.confirm(key, provenance)
        return Stored(data=kept.data, provenance=provenance)

    def _refuse(self, url: str) -> NoReturn:
        state = "cannot say if there is news of" if self.is_refreshing else "does not hold"
        raise OfflineError(
            f"PROFET_OFFLINE is set and the cache in {self.store.root.parent} {state} {url}", url=url
        )


class _Connections:
    """The client of this process, made when it is needed; a forked process makes its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: dict[int, Client] = {}

    def client(self) -> Client:
        with self._lock:
            if os.getpid() not in self._clients:
                from profet.http import Client

                self._clients = {os.getpid(): Client()}
            return self._clients[os.getpid()]


def _conditions(kept: Provenance, url: str) -> dict[str, str]:
    """Header fields that say what we hold; none if the service gave no validator, or has moved the file."""
    if kept.url != url:
        return {}
    fields = {"If-None-Match": kept.etag, "If-Modified-Since": kept.last_modified}
    return {name: value for name, value in fields.items() if value}


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


def provenance_of(key: Key, answer: Answer, data: bytes, **more: str | None) -> Provenance:
    """Origin of what a service has sent, with what `more` is known of it; see `Provenance`."""
    return Provenance(
        database=key.source,
        id=key.id,
        url=answer.url,
        retrieved=now().isoformat(),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        release=answer.headers.get(_RELEASE_FIELD),
        **more,
    )


def _nothing(key: Key, url: str) -> Provenance:
    return Provenance(
        database=key.source, id=key.id, url=url, retrieved=now().isoformat(), sha256="", size_bytes=0
    )
