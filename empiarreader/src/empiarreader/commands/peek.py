"""``empiarreader peek``: look at an image before it is downloaded."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from empiarreader.byteunits import parse_bytes
from empiarreader.commands.exit_codes import SOME_FAILED
from empiarreader.commands.terminal import progress, say, speaking_options
from empiarreader.errors import InvalidRequestError
from empiarreader.printable import one_line

if TYPE_CHECKING:
    from empiarreader.looking.targets import Target

_PEEK_HELP = """\
\b
$ empiarreader peek 10943 "data/**/*_EER.mrc"
$ empiarreader peek EMD-3197 --output map.png
$ empiarreader peek 10943 --imageset 1 --sheet 12

Look at an image: a picture with its scale bar, and its power spectrum, as a PNG file.

TARGET is an address, a path, an EMDB id, or the number of an entry with a PATTERN of `empiarreader find`,
whose first match is shown. A volume shows its middle section, a movie the sum of its first frames, a stack of
particles the first ones. No more than 16 MiB of an image moves (--limit): of a larger one a part is shown,
and which one is said.
"""


@click.command("peek", help=_PEEK_HELP, short_help="Look at an image, and its power spectrum.")
@click.argument("target")
@click.argument("pattern", required=False)
@click.option("--imageset", metavar="NAME", help="Imageset of the entry: its name, directory or number.")
@click.option("--pattern", "more_pattern", metavar="PATTERN", hidden=True, help="The same as PATTERN.")
@click.option("--sheet", metavar="N", type=click.IntRange(1, 144), help="Show N images side by side.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False), help="File to write. Default: NAME.png here."
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there already.")
@click.option(
    "--limit", default=None, metavar="SIZE", help="Most that may be read of an image, such as 100MB."
)
@click.option("--frames", default=40, show_default=True, type=click.IntRange(1), help="Most frames to sum.")
@click.option(
    "--kind", type=click.Choice(["movie", "particles", "tilts", "volume"]), help="What its sections are."
)
@click.option("--pixel-size", type=float, metavar="Å", help="Pixel size, where the file gives none.")
@click.option("--json", "as_json", is_flag=True, help="Print what was seen as JSON.")
@speaking_options
@click.pass_context
def peek_command(
    ctx: click.Context,
    target: str,
    pattern: str | None,
    more_pattern: str | None,
    imageset: str | None,
    sheet: int | None,
    output: str | None,
    overwrite: bool,
    limit: str | None,
    frames: int,
    kind: str | None,
    pixel_size: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw the picture, and print what is on it."""
    from empiarreader.missing import import_extra
    from empiarreader.saving import check_free

    import_extra("matplotlib", "plot", "this draws a picture", how="drawn")  # before anything moves
    targets, title = _targets(target, pattern or more_pattern, imageset, wants_sheet=sheet is not None)
    path = output or f"{_stem(title if sheet else targets[0].name)}{'-sheet' if sheet else ''}.png"
    check_free(path, overwrite=overwrite)
    options: dict[str, Any] = {
        "kind": kind,
        "pixel_size_angstrom": pixel_size,
        "limit_bytes": None if limit is None else _size(limit),
        "most_frames": frames,
    }
    if sheet is None:
        _peek_at_one(targets, path, overwrite, as_json, quiet, **options)
    elif _peek_at_many(targets, title, sheet, path, overwrite, as_json, quiet, **options):
        ctx.exit(SOME_FAILED)


def _peek_at_one(
    targets: list[Target], path: str, overwrite: bool, as_json: bool, quiet: bool, **options: Any
) -> None:
    from empiarreader.looking.preview import preview_subject

    most_frames = options.pop("most_frames")
    seen = preview_subject(
        lambda: targets[0].open(**options), limit_bytes=options["limit_bytes"], most_frames=most_frames
    )
    seen.save(path, overwrite=overwrite)
    if as_json:
        click.echo(json.dumps({"path": path, **seen.facts()}))
        return
    click.echo(one_line(path))
    if quiet:
        return
    for line in (seen.name, *seen.describe()):
        click.echo(one_line(line))
    if len(targets) > 1:
        say(f"the first of {len(targets)} that match; --sheet 12 shows more of them", quiet=quiet)


def _peek_at_many(
    targets: list[Target],
    title: str,
    count: int,
    path: str,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> bool:
    """Draw a contact sheet; return whether an image could not be read."""
    from empiarreader.looking.sheet import sheet_of

    with progress("images", quiet=quiet) as tell:
        seen = sheet_of(
            targets, title=title, count=count, progress=lambda done, of, _: tell(done, of), **options
        )
    seen.save(path, overwrite=overwrite)
    if as_json:
        images = [
            {"name": image.name, "note": image.note, "error": image.error and str(image.error)}
            for image in seen.images
        ]
        moved = {"bytes_moved": seen.bytes_moved, "requests": seen.requests}
        click.echo(json.dumps({"path": path, "count": seen.count, "images": images, **moved}))
    else:
        click.echo(one_line(path))
        if not quiet:
            for image in seen.images:
                click.echo(one_line(f"  {image.name}"))
            click.echo(seen.describe())
    for image in seen.failures:
        click.echo(one_line(f"  {image.error}"), err=True)
    return bool(seen.failures)


def _targets(
    target: str, pattern: str | None, imageset: str | None, *, wants_sheet: bool
) -> tuple[list[Target], str]:
    """Return the images that are meant, and what they are images of."""
    from empiarreader.looking.targets import Target, entry_targets

    is_entry = re.fullmatch(r"(EMPIAR-)?\d+", target, re.IGNORECASE) and not Path(target).exists()
    if not is_entry:
        if pattern or imageset:
            raise click.UsageError(
                f"{target!r} is not the number of an entry; leave out pattern and imageset."
            )
        return [Target(location=target, name=target)], target
    if not (pattern or imageset or wants_sheet):
        raise click.UsageError(
            f"Which image of entry {target}? Give a path or a pattern, --imageset 1, or --sheet 12."
        )
    from empiarreader.entry import EmpiarEntry

    entry = EmpiarEntry(target)
    title = " ".join(filter(None, (entry.accession, imageset and f"imageset {imageset}", pattern)))
    return entry_targets(entry, pattern, imageset=imageset), title


def _size(text: str) -> int:
    size = parse_bytes(text)
    if not size:
        raise InvalidRequestError(f"{text!r} is no size; give bytes, or a text such as 100MB")
    return size


def _stem(name: str) -> str:
    """Return the beginning of a file name that is safe whatever the archive calls its files."""
    last = name.rstrip("/").rpartition("/")[2] if "*" not in name else name
    stem = re.sub(r"\.(mrcs?|map|tiff?|eer|dm[34]|st|gz|bz2|xz|png|jpe?g)$", "", last, flags=re.IGNORECASE)
    safe = re.sub(r"[^\w.+-]+", "_", stem, flags=re.UNICODE).strip("._")[:100]
    if not safe:
        raise InvalidRequestError(f"{name!r} makes no name for a picture; give one with --output")
    return safe
