"""The real host names, private to one command: namespaces in which they mean this machine (Linux).

The process that calls `enter` gets a network of its own (a loopback interface and nothing else), and mounts
of its own in which /etc/hosts and its kin, and the files of trusted authorities, read differently. Nothing
outside changes, and it ends with the process. Root needs nothing more; others get a user namespace in which
they keep their own identity.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from perc_archive.settings import HOSTS

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _IFF_UP = 0x8913, 0x8914, 0x8916, 0x1
_DOCUMENTATION_ADDRESS = "192.0.2.1"  # RFC 5737: belongs to nobody


class NamespaceError(RuntimeError):
    """The system does not let this process have names of its own."""


def enter(folder: Path, overlays: Mapping[Path, Path]) -> None:
    """Move this process, which must have one thread only, to where the real host names mean loopback.

    Parameters
    ----------
    folder
        Where the changed copies of files in /etc are put.
    overlays
        Further files to lay over existing ones: place -> file with the changed content.

    Raises
    ------
    NamespaceError
        If the system does not allow it; the message says what would.
    """
    _unshare()
    try:
        _mount(b"none", b"/", _MS_REC | _MS_PRIVATE)
        for place, copy in {**_names(folder), **overlays}.items():
            _mount(os.fsencode(copy), os.fsencode(place), _MS_BIND)
        _raise_loopback()
        if os.geteuid() != 0:
            Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    except OSError as error:
        raise NamespaceError(_sentence(f"setting it up failed: {error}")) from error


def _sentence(reason: str) -> str:
    return (
        "--as-hosts needs a private user, network and mount namespace, which this system does not allow "
        f"({reason}). Run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0, user.max_user_namespaces above 0; in a container: "
        "--privileged). Without --as-hosts, the archive is used through the libraries' settings and needs "
        "none of it."
    )


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _unshare() -> None:
    libc = _libc()
    if not hasattr(libc, "unshare"):
        raise NamespaceError("--as-hosts needs the namespaces of Linux; use the libraries' settings instead.")
    user, group = os.geteuid(), os.getegid()
    wanted = [_CLONE_NEWNET | _CLONE_NEWNS | _CLONE_NEWUSER]
    if user == 0:
        wanted.insert(0, _CLONE_NEWNET | _CLONE_NEWNS)  # root of a machine keeps access to everybody's files
    reason = ""
    for flags in wanted:
        if libc.unshare(flags) != 0:
            reason = f"unshare: {os.strerror(ctypes.get_errno())}"
            continue
        if flags & _CLONE_NEWUSER:
            _map_identity(user, group)
        return
    raise NamespaceError(_sentence(reason))


def _map_identity(user: int, group: int) -> None:
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError as error:
        raise NamespaceError(_sentence(f"mapping the user failed: {error}")) from error


def _mount(source: bytes, target: bytes, flags: int) -> None:
    _checked(
        _libc().mount(source, target, None, ctypes.c_ulong(flags), None), f"mount over {os.fsdecode(target)}"
    )


def _names(folder: Path) -> dict[Path, Path]:
    """Changed copies of the files by which names are resolved, for those that exist."""
    hosts = "127.0.0.1 localhost\n::1 localhost\n" + f"127.0.0.1 {socket.gethostname()}\n"
    hosts += "".join(f"127.0.0.1 {host}\n" for host in HOSTS)
    texts = {
        "/etc/hosts": hosts,
        "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    }
    switch = Path("/etc/nsswitch.conf")
    if switch.is_file():
        texts["/etc/nsswitch.conf"] = re.sub(r"(?m)^hosts:.*$", "hosts: files", switch.read_text())
    found = {}
    for place, text in texts.items():
        if Path(place).is_file():
            copy = folder / Path(place).name
            copy.write_text(text)
            found[Path(place)] = copy
    cache = Path("/var/run/nscd")
    if cache.is_dir():  # a name service cache would answer in the place of these files
        empty = folder / "nscd"
        empty.mkdir()
        found[cache] = empty
    return found


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0)
        (flags,) = struct.unpack_from("h", fcntl.ioctl(control, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))
        # Programs that see loopback addresses only take the machine for unconnected and resolve no name
        # (aria2c, getaddrinfo with AI_ADDRCONFIG); so the interface gets one other address, which nothing
        # uses.
        address = socket.inet_aton(_DOCUMENTATION_ADDRESS)
        fcntl.ioctl(control, _SIOCSIFADDR, struct.pack("16shH4s16x", b"lo:0", socket.AF_INET, 0, address))
