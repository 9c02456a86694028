"""Command line of the embedded archive: serve, or run a command against it."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from perc_archive.archive import Archive, ArchiveError

_EXAMPLES = """\
python -m perc_archive --content DIR -- empiarreader search --entry 10943 --select '*'

examples:
  python -m perc_archive --content DIR                      serve until Ctrl-C; prints the settings to export
  python -m perc_archive --real DIR -- profet 4v1w          run a command with those settings
  python -m perc_archive --as-hosts -- curl https://www.ebi.ac.uk/empiar/api/entry/10943/
                                                            the real names mean this archive, for this command
  python -m perc_archive --latency 0.05 --rate 20M          50 ms round trip, 20 MB/s for each connection
  python -m perc_archive --ceiling                          measure how fast the archive itself is
"""
_OWN_FAILURE = 125  # as env, timeout and docker do: not the command failed but what should have run it
_NOT_FOUND = 127
_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command: list[str] = []
    if "--" in words:
        at = words.index("--")
        words, command = words[:at], words[at + 1 :]
    options = _parser().parse_args(words)
    try:
        if options.ceiling:
            return _ceiling()
        if options.as_hosts:
            return _as_hosts(options, command)
        with _archive(options) as archive:
            return _run(command, _pointed(archive)) if command else _serve(archive)
    except (NotADirectoryError, ValueError) as error:
        print(f"perc_archive: {error}", file=sys.stderr)
        return _USAGE
    except (ArchiveError, OSError) as error:
        print(f"perc_archive: {error}", file=sys.stderr)
        return _OWN_FAILURE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m perc_archive",
        usage=_EXAMPLES,
        description="A small archive on this machine that answers as the real services do.",
    )
    parser.add_argument("--content", type=Path, metavar="DIR", help="folder of content to serve")
    parser.add_argument(
        "--real", type=Path, metavar="DIR", help="folder of real files and recorded answers to serve"
    )
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="round-trip time")
    parser.add_argument(
        "--rate", type=_rate, metavar="BYTES", help="bytes a second of one connection (k, M, G)"
    )
    parser.add_argument("--port", type=int, default=0, help="port of the HTTP server (default: a free one)")
    parser.add_argument("--no-ftp", action="store_true", help="serve no FTP")
    parser.add_argument("--as-hosts", action="store_true", help="answer on the real host names (Linux)")
    parser.add_argument("--ceiling", action="store_true", help="measure the archive's own throughput")
    return parser


def _rate(text: str) -> float:
    factors = {"k": 1e3, "M": 1e6, "G": 1e9}
    try:
        value = float(text[:-1]) * factors[text[-1]] if text[-1:] in factors else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes such as 20M") from None
    if value <= 0:
        raise argparse.ArgumentTypeError("a rate is more than nothing")
    return value


def _archive(options: argparse.Namespace, certificate: Path | None = None) -> Archive:
    return Archive(
        content=options.content,
        real_data=options.real,
        latency_seconds=options.latency,
        rate_bytes_per_second=options.rate,
        ftp=not options.no_ftp,
        port=options.port,
        certificate=certificate,
    )


def _ceiling() -> int:
    from perc_archive.ceiling import measure

    for line in measure():
        print(line, flush=True)
    return 0


def _serve(archive: Archive) -> int:
    for name, value in archive.settings().items():
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    print(f"perc_archive: serving at {archive.base_url} until Ctrl-C", file=sys.stderr)
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while not ended.wait(1.0):
        archive.check()
    return 0


def _pointed(archive: Archive) -> dict[str, str]:
    """Environment of a command that uses this archive by the libraries' settings, past any proxy."""
    exempt = ",".join(filter(None, [os.environ.get("NO_PROXY", ""), "127.0.0.1,localhost"]))
    caches = {name: value for name, value in os.environ.items() if name.endswith("_CACHE_DIR")}
    return {**os.environ, **archive.settings(), **caches, "NO_PROXY": exempt, "no_proxy": exempt}


def _as_hosts(options: argparse.Namespace, command: list[str]) -> int:
    if not command:
        print("perc_archive: --as-hosts runs a command: add -- COMMAND", file=sys.stderr)
        return _USAGE
    from perc_archive import authority, hosts
    from perc_archive.settings import HOSTS, cache_settings

    with tempfile.TemporaryDirectory(prefix="perc_hosts_") as scratch:
        made = authority.make_authority(Path(scratch), HOSTS, command)
        try:
            hosts.enter(Path(scratch), made.overlays)
        except hosts.NamespaceError as error:
            print(f"perc_archive: {error}", file=sys.stderr)
            return _OWN_FAILURE
        # No route leads out of here, so a proxy is of no use, and the libraries' defaults are what is wanted.
        kept = {
            name: value
            for name, value in os.environ.items()
            if (not name.lower().endswith("_proxy") and not name.startswith(("PROFET_", "EMPIARREADER_")))
            or name.endswith(("_CACHE_DIR", "_CACHE_SIZE", "_OFFLINE", "_TIMEOUT"))
        }
        with _archive(options, made.certificate) as archive:
            return _run(command, {**cache_settings(archive.caches), **kept, **made.environment()})


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end; its exit code, or 128 + the signal that ended it."""
    try:
        process = subprocess.Popen(command, env=dict(environment))
    except FileNotFoundError:
        print(f"perc_archive: no such command: {command[0]}", file=sys.stderr)
        return _NOT_FOUND

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the command as well
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
