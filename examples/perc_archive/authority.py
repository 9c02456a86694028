"""A certificate authority of one's own, and the places where programs look for authorities they trust."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine, BSD
)
_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, and with it Python's ssl
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
)


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Files of one authority.

    ``certificate`` holds the server's key and chain, ``bundle`` all authorities to trust, this one included;
    ``overlays`` maps files that programs read their trust from to copies of them with this one added.
    """

    certificate: Path
    bundle: Path
    overlays: dict[Path, Path]

    def environment(self) -> dict[str, str]:
        """Variables by which programs are told of the bundle."""
        found = {name: os.fspath(self.bundle) for name in _VARIABLES}
        if not any(Path(place).exists() for place in _SYSTEM_BUNDLES):
            # wget has no variable of its own for it, and no system file was there to lay a copy over.
            settings = self.bundle.with_name("wgetrc")
            settings.write_text(f"ca_certificate = {self.bundle}\n")
            found["WGETRC"] = os.fspath(settings)
        return found


def make_authority(folder: Path, hosts: Sequence[str], command: Sequence[str]) -> Authority:
    """Make an authority that vouches for `hosts`, to be trusted by `command` and what it starts.

    Parameters
    ----------
    folder
        Where its files are put.
    hosts
        Names in the server's certificate.
    command
        Command that will run: the certifi bundles of its interpreter are among the overlays.
    """
    import trustme

    authority = trustme.CA(organization_name="Embedded archive")
    certificate = folder / "server.pem"
    authority.issue_cert(*hosts).private_key_and_cert_chain_pem.write_to_path(os.fspath(certificate))
    own = authority.cert_pem.bytes()
    overlays = {}
    for number, place in enumerate(trust_files(command)):
        overlays[place] = folder / f"trust-{number}.pem"
        overlays[place].write_bytes(place.read_bytes() + b"\n" + own)
    bundle = folder / "authorities.pem"
    bundle.write_bytes(next(iter(overlays.values())).read_bytes() if overlays else own)
    return Authority(certificate=certificate, bundle=bundle, overlays=overlays)


def trust_files(command: Sequence[str]) -> list[Path]:
    """Files with trusted authorities: the system's, then those of every Python in reach."""
    places = [Path(place) for place in _SYSTEM_BUNDLES]
    for prefix in _prefixes(command):
        places.append(prefix / "ssl" / "cacert.pem")  # conda
        for packages in (
            *prefix.glob("lib*/python3*/site-packages"),
            *prefix.glob("lib*/python3*/dist-packages"),
        ):
            places += [packages / "certifi/cacert.pem", packages / "pip/_vendor/certifi/cacert.pem"]
    places += [Path(entry, "certifi/cacert.pem") for entry in sys.path if entry]
    return list(dict.fromkeys(place.resolve() for place in places if place.is_file()))


def _prefixes(command: Iterable[str]) -> list[Path]:
    """Installation prefixes of the interpreters that may come into play."""
    names = [sys.executable, *list(command)[:1], "python3", "python"]
    found = [shutil.which(name) for name in names]
    prefixes = [Path(place).absolute().parent.parent for place in found if place]
    prefixes += [Path(place).resolve().parent.parent for place in found if place]
    prefixes += [Path(os.environ[name]) for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if os.environ.get(name)]
    prefixes += [
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path.home() / ".local",
        Path("/usr"),
        Path("/usr/local"),
    ]
    return list(dict.fromkeys(prefixes))
