"""``empiarreader download``: the published way to save the files of a list."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from empiarreader.commands.exit_codes import SOME_FAILED, exit_code
from empiarreader.downloading.manifest import Manifest, as_json_lines
from empiarreader.errors import InvalidRequestError

_DOWNLOAD_COMMAND_HELP = """\
\b
$ empiarreader download --download found.txt --save_dir maps --verbose

Save the files whose addresses a list holds, as `empiarreader search --save_search` writes it.

Files are saved whole or not at all. Run the same command again to go on after an interruption: what is
there and unchanged is not fetched again. Checksums are in empiarreader-manifest.jsonl in the folder.
"""


@click.command(
    "download", help=_DOWNLOAD_COMMAND_HELP, short_help="Save the files whose addresses a list holds."
)
@click.option(
    "--download",
    "addresses",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File of addresses, one a line; - reads them from standard input.",
)
@click.option("--save_dir", required=True, type=click.Path(), help="Folder to save in; made if need be.")
@click.option("--workers", default=8, show_default=True, type=click.IntRange(1, 64), help="Files at once.")
@click.option("--overwrite", is_flag=True, help="Replace files of unknown origin that are in the way.")
@click.option("--verbose", "-v", is_flag=True, help="Say what is done.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but failures.")
@click.option("--json", "as_json", is_flag=True, help="Print what was saved, one JSON object a file.")
@click.pass_context
def download_command(
    ctx: click.Context,
    addresses: str,
    save_dir: str,
    workers: int,
    overwrite: bool,
    verbose: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Save the files whose addresses a list holds."""
    urls = _read_list(addresses)
    made = not Path(save_dir).exists()
    manifest = _download(urls, save_dir, workers, overwrite, verbose=verbose and not as_json, quiet=quiet)
    if made and verbose and not as_json and Path(save_dir).exists():
        click.echo(f"Created save_dir: {save_dir}")
    if as_json and manifest.files:
        click.echo(as_json_lines(manifest.files))
    if not quiet:
        size = sum(file.size for file in manifest.files)
        click.echo(f"{len(manifest.files)} files, {size} bytes, are in {save_dir}", err=True)
    if manifest.failures:
        _report(manifest)
        ctx.exit(_failure_code(manifest))


def _download(
    urls: list[str], save_dir: str, workers: int, overwrite: bool, *, verbose: bool, quiet: bool
) -> Manifest:
    from empiarreader.downloading.download import download

    show_bar = sys.stderr.isatty() and not quiet and not verbose
    bar: Any = (
        click.progressbar(length=len(urls), label="files", file=sys.stderr) if show_bar else nullcontext()
    )
    with bar:

        def progress(done: int, total: int, url: str) -> None:
            if show_bar:
                bar.update(1)
            elif verbose:
                click.echo(f"Finished {done} of {total}: {url}")

        return download(urls, save_dir, workers=workers, overwrite=overwrite, progress=progress)


def _read_list(name: str) -> list[str]:
    with click.open_file(name, encoding="utf-8", errors="surrogateescape") as file:
        lines = [line.rstrip("\r\n") for line in file]
    urls = [line for line in lines if line.strip() and not line.startswith("#")]
    if not urls:
        raise InvalidRequestError(
            f"{name} holds no addresses; `empiarreader search --save_search` writes some"
        )
    return urls


def _report(manifest: Manifest) -> None:
    total = len(manifest.files) + len(manifest.failures)
    click.echo(f"{len(manifest.failures)} of {total} failed:", err=True)
    for failure in manifest.failures:
        click.echo(f"  {failure.error}", err=True)


def _failure_code(manifest: Manifest) -> int:
    """Return why, where nothing was saved for one and the same reason; else that some failed."""
    codes = {exit_code(failure.error) for failure in manifest.failures}
    return codes.pop() if len(codes) == 1 and not manifest.files else SOME_FAILED
