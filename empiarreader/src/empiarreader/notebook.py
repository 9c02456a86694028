"""How entries, catalogues and sources show themselves in a notebook: tables and trees, all of it escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from empiarreader.byteunits import describe_files
from empiarreader.listing.tree import Directory
from empiarreader.metadata.entry_metadata import EntryMetadata
from empiarreader.metadata.records import Imageset

_SHOWN_FILES = 5
_SHOWN_BRANCHES = 20
_LONGEST_TEXT = 400


@dataclass(frozen=True, kw_only=True)
class Branch:
    """A directory in a tree: its name, how many files it holds, the branches below it.

    ``branches`` is None where nobody has looked.
    """

    name: str
    files: int | None = None
    branches: tuple[Branch, ...] | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines(""))

    def _lines(self, indent: str) -> Iterable[str]:
        yield f"{indent}{self.name}/  {_counted(self)}".rstrip()
        for branch in self.branches or ():
            yield from branch._lines(indent + "  ")

    def _repr_html_(self) -> str:
        return f"<ul>{_branch(self)}</ul>"


def branch_of(listed: Mapping[str, Directory], path: str, name: str) -> Branch:
    """Return the tree below a directory, as far as directories have been listed."""
    directory = listed.get(path)
    if directory is None:
        return Branch(name=name)
    return Branch(
        name=name,
        files=len(directory.files),
        branches=tuple(branch_of(listed, below, below.rpartition("/")[2]) for below in directory.directories),
    )


def branch_of_paths(paths: Iterable[str], name: str) -> Branch:
    """Return the tree of the directories that files lie in; paths are relative to the topmost, ``name``.

    Examples
    --------
    >>> print(branch_of_paths(["a.mrc", "square 1/b.mrc", "square 1/c.mrc"], "data"))
    data/  (1 file)
      square 1/  (2 files)
    """
    files, below = 0, dict[str, list[str]]()
    for path in paths:
        first, slash, rest = path.partition("/")
        if slash:
            below.setdefault(first, []).append(rest)
        else:
            files += 1
    branches = tuple(branch_of_paths(below[directory], directory) for directory in sorted(below))
    return Branch(name=name, files=files, branches=branches)


def entry_html(entry: EntryMetadata, *, accession: str, url: str, tree: Branch | None) -> str:
    """Return title, facts, imagesets and tree of an entry."""
    facts = {
        "status": " ".join(filter(None, (entry.status, entry.release_date))),
        "size": entry.dataset_size,
        "experiment": entry.experiment_type,
        "DOI": entry.doi,
        "references": ", ".join(name for names in entry.references.values() for name in names),
        "citation": entry.citation.title if entry.citation else "",
        "address": url,
    }
    parts = [
        f"<h4>{_text(f'{accession}: {entry.title}')}</h4>",
        _facts(facts),
        imagesets_html(entry.imagesets),
    ]
    if tree is not None:
        parts.append(tree._repr_html_())
    return f"<div>{''.join(parts)}</div>"


def imagesets_html(imagesets: Iterable[Imageset] | Mapping[str, Imageset]) -> str:
    """Return a table of imagesets, under the names given or their own."""
    named = imagesets.items() if isinstance(imagesets, Mapping) else ((item.name, item) for item in imagesets)
    heads = ("imageset", "directory", "category", "format", "images", "frames", "width × height", "pixel")
    rows = [
        (
            name,
            item.directory,
            item.category,
            item.data_format,
            "" if item.count is None else str(item.count),
            "" if item.frames_per_image is None else str(item.frames_per_image),
            f"{item.image_width} × {item.image_height}" if item.image_width and item.image_height else "",
            "" if item.pixel_width_angstrom is None else f"{item.pixel_width_angstrom:g} Å",
        )
        for name, item in named
    ]
    return _table(heads, rows)


def catalogue_html(title: str, size: str, imagesets: Mapping[str, Imageset]) -> str:
    """Return title and size of an entry, and its imagesets under the names given."""
    return f"<div><h4>{_text(title)}</h4>{_facts({'size': size})}{imagesets_html(imagesets)}</div>"


def source_html(title: str, facts: Mapping[str, str], tree: Branch, names: Iterable[str]) -> str:
    """Return what a source is about, where its files lie, and the first of them."""
    shown = list(names)
    listed = "".join(f"<li>{_text(name)}</li>" for name in shown[:_SHOWN_FILES])
    more = f"<li>… and {len(shown) - _SHOWN_FILES} more</li>" if len(shown) > _SHOWN_FILES else ""
    below = tree._repr_html_() if tree.branches else ""
    return f"<div><h4>{_text(title)}</h4>{_facts(facts)}{below}<ul>{listed}{more}</ul></div>"


def png_address(png: bytes) -> str:
    """Return an address that holds a PNG file itself, for pages that load nothing."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def picture_html(title: str, png: bytes, lines: Iterable[str]) -> str:
    """Return a picture under its title, and what there is to say about it."""
    said = "".join(f"<div>{_text(line)}</div>" for line in lines)
    return f'<div><h4>{_text(title)}</h4><img alt="{_text(title)}" src="{png_address(png)}">{said}</div>'


def _branch(branch: Branch) -> str:
    branches = branch.branches or ()
    below = "".join(_branch(item) for item in branches[:_SHOWN_BRANCHES])
    if len(branches) > _SHOWN_BRANCHES:
        below += f"<li>… and {len(branches) - _SHOWN_BRANCHES} more</li>"
    return f"<li>{_text(branch.name)}/ {_counted(branch)}{f'<ul>{below}</ul>' if below else ''}</li>"


def _counted(branch: Branch) -> str:
    if branch.files is None:
        return "(…)"
    return f"({describe_files(branch.files)})" if branch.files else ""


def _facts(facts: Mapping[str, str]) -> str:
    rows = (
        f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts.items() if value
    )
    return f"<table>{''.join(rows)}</table>"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{_text(text)}</th>" for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{_text(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(text: str) -> str:
    shown = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return html.escape(shown.encode("utf-8", "replace").decode())
