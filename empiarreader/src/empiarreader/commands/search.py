"""``empiarreader search``: the published way to find files of an entry."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import click

from empiarreader import settings
from empiarreader.addresses import join_path, normalise_path, parse_entry_id
from empiarreader.byteunits import describe_count
from empiarreader.commands.finding import deeper_hint
from empiarreader.commands.published import PublishedSearch
from empiarreader.commands.terminal import progress, say
from empiarreader.errors import ArchiveFileNotFoundError, LocalFileError, PatternError

if TYPE_CHECKING:
    from empiarreader.listing.tree import ArchiveFile, Directory, EntryTree

_SEARCH_COMMAND_HELP = """\
\b
$ empiarreader search --entry 10934 --select "*" --verbose
$ empiarreader search --entry 10934 --dir data --select "**/*gain.tiff.bz2" --save_search found.txt

Find files and directories of an entry by pattern.

The pattern stands for paths in the directory: * for anything, ** for any directories. With --save_search,
the addresses of the files found are saved, one a line, for `empiarreader download`.
"""


@dataclass(frozen=True, kw_only=True, order=True)
class _Match:
    url: str
    path: str
    kind: str  # "file", "directory" or "page" (a link that leads to neither)
    file: ArchiveFile | None = field(default=None, compare=False)

    def as_dict(self) -> dict[str, Any]:
        about_file = {} if self.file is None else asdict(self.file)
        return {"path": self.path, "url": self.url, "kind": self.kind, **about_file}


@click.command(
    "search",
    cls=PublishedSearch,
    help=_SEARCH_COMMAND_HELP,
    short_help="Find files of an entry, and save their addresses.",
)
@click.option("--entry", required=True, help="EMPIAR entry: 10934 or EMPIAR-10934.")
@click.option("--dir", "directory", default="", help="Directory in the entry to search. Default: its top.")
@click.option("--select", required=True, help='Pattern for paths in the directory, in quotes: "*.mrc".')
@click.option("--regexp", "--regex", is_flag=True, help="Take the pattern as a regular expression.")
@click.option("--ignore-case", "-i", is_flag=True, help="Let *.mrc stand for A.MRC, too.")
@click.option("--save_search", type=click.Path(dir_okay=False), help="Save the addresses of the files found.")
@click.option("--verbose", "-v", is_flag=True, help="Number the results, and list subdirectories.")
@click.option("--keep_all", is_flag=True, help="Keep the links of the page that lead to no file, too.")
@click.option("--limit", type=click.IntRange(1), help="Print and save no more than this many.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but results and errors.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def search_command(
    entry: str,
    directory: str,
    select: str,
    regexp: bool,
    ignore_case: bool,
    save_search: str | None,
    verbose: bool,
    keep_all: bool,
    limit: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Find files of an entry, print their addresses, and save them."""
    if not select:
        raise PatternError("the pattern is empty; give one such as '*'")
    from empiarreader.listing.selection import Selection
    from empiarreader.listing.tree import EntryTree

    directory = normalise_path(directory)
    selection = Selection(select, regexp=regexp, ignore_case=ignore_case)
    below = len(join_path(directory, ""))
    with progress("directories", quiet=quiet) as tell:
        tree = EntryTree(settings.archive_url(), parse_entry_id(entry), progress=tell)
        listed = list(tree.walk(directory, enter=lambda path: selection.looks_below(path[below:])))
    candidates = [match for found in listed for match in _candidates(found, tree, keep_all=keep_all)]

    def selected_by(selection: Selection) -> list[_Match]:
        return sorted(match for match in candidates if selection.selects(match.path[below:], match.url))

    matches = selected_by(selection)
    if not matches:
        either_case = len(selected_by(Selection(select, regexp=regexp, ignore_case=True)))
        hint = f"; --ignore-case finds {either_case}" if either_case else deeper_hint(select, regexp)
        raise ArchiveFileNotFoundError(
            f"nothing in {tree.address(directory, directory=True)} matches {selection.describe()}; "
            f"looked at {describe_count(len(candidates), 'names')}{hint}"
        )
    if limit is not None and limit < len(matches):
        say(f"{limit} of {len(matches)}; --limit {len(matches)} shows all", quiet=quiet)
        matches = matches[:limit]
    if save_search is not None:
        _save(save_search, [match.url for match in matches if keep_all or match.kind == "file"])
    _show(matches, verbose=verbose, as_json=as_json)
    if verbose and not as_json:
        for url in _directories(listed, tree):
            click.echo(f"Subdirectories are: {url}")


def _candidates(found: Directory, tree: EntryTree, *, keep_all: bool) -> list[_Match]:
    candidates = [_Match(url=file.url, path=file.path, kind="file", file=file) for file in found.files]
    for path in found.directories:
        candidates.append(_Match(url=tree.address(path, directory=True), path=f"{path}/", kind="directory"))
    if keep_all:
        for href in found.apparatus:
            name = ".." if href.startswith("/") else href
            url = urljoin(found.url, href)
            candidates.append(_Match(url=url, path=join_path(found.path, name), kind="page"))
    return candidates


def _directories(listed: list[Directory], tree: EntryTree) -> list[str]:
    """Return the directories that the listed names are in or are, as the published command prints them."""
    with_files = {tree.address(found.path) for found in listed if found.files}
    below = {tree.address(path) for found in listed for path in found.directories}
    return sorted(with_files | below)


def _show(matches: list[_Match], *, verbose: bool, as_json: bool) -> None:
    for number, match in enumerate(matches):
        if as_json:
            click.echo(json.dumps(match.as_dict()))
        elif verbose:
            click.echo(f"Matching path #{number}: {match.url}")
        else:
            click.echo(match.url)


def _save(name: str, urls: list[str]) -> None:
    if not urls:
        raise ArchiveFileNotFoundError(f"only directories match, so that there is no file to save in {name}")
    from empiarreader.saving import write_whole

    content = "".join(f"{url}\n" for url in urls).encode()
    try:
        path = Path(name).resolve()  # a link stays one
        if path.exists() and not path.is_file():
            path.write_bytes(content)  # /dev/stdout, or a pipe
        else:
            write_whole(path, content, overwrite=True)
    except (OSError, RuntimeError) as error:
        raise LocalFileError(f"cannot write {name}: {getattr(error, 'strerror', None) or error}") from error
