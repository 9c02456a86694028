"""``empiarreader export``: what was found or downloaded, for RELION, Scipion, Globus and Aspera."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from empiarreader.byteunits import describe_count
from empiarreader.commands.finding import find_files
from empiarreader.commands.lists import read_addresses
from empiarreader.commands.terminal import progress, speaking_options
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError
from empiarreader.formats import is_image
from empiarreader.handing_over.files import HANDED_KINDS
from empiarreader.handing_over.handed import Handed
from empiarreader.handing_over.transfers import ASPERA_KEY
from empiarreader.printable import one_line

if TYPE_CHECKING:
    from empiarreader.entry import EmpiarEntry
    from empiarreader.gainfactor import Flip
    from empiarreader.handing_over.acquisition import Acquisition

Command = Callable[..., Any]

_EXPORT_HELP = """\
\b
$ empiarreader export movies/ --relion movies.star --voltage 300 --cs 2.7 --amplitude-contrast 0.1
$ empiarreader export movies/ --scipion movies.json --voltage 300 --cs 2.7 --amplitude-contrast 0.1
$ empiarreader export 10943 "data/**/*.mrc" --globus batch.txt --to COLLECTION:/scratch/10943
$ empiarreader export 10943 --aspera list.txt --to /scratch/10943

Hand over what was downloaded to RELION or Scipion, or a download to Globus or Aspera.

SOURCE is a folder of downloads (or of any images, or one image), a list of addresses as `empiarreader search
--save_search` writes it, or an entry. PATTERN selects among the files of a folder or an entry.

For RELION a STAR file is written, with an optics group for each imageset; for Scipion a workflow of import
protocols; for Globus and Aspera a list of files. The pixel size is the entry's unless it is given; what
EMPIAR does not say is asked for. Files whose names the program cannot take are linked. Nothing is started:
what to run next is printed.
"""
# Options that say something to some programs alone.
_IMAGES = ("relion", "scipion")
_ONLY_FOR: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("save_dir", "pixel_size", "voltage", "cs", "amplitude_contrast"), _IMAGES),
    **dict.fromkeys(("dose_per_frame", "gain", "gain_rot", "gain_flip"), _IMAGES),
    **dict.fromkeys(("mtf", "project", "optics_groups", "beam_shift_groups"), ("relion",)),
    "to": ("globus", "aspera"),
    "key": ("aspera",),
}
_FLIPS: dict[str, Flip] = {"0": "none", "1": "up_down", "2": "left_right"}


def _options(command: Command) -> Command:
    number = click.FloatRange(min=0)
    local = click.Path()
    options = (
        click.option("--relion", metavar="STAR", type=local, help="Write a STAR file for RELION here."),
        click.option("--scipion", metavar="JSON", type=local, help="Write a workflow for Scipion here."),
        click.option("--globus", metavar="FILE", type=local, help="Write a batch file for Globus here."),
        click.option("--aspera", metavar="FILE", type=local, help="Write a list of files for ascp here."),
        click.option("--kind", type=click.Choice(HANDED_KINDS), help="What the images are."),
        click.option("--dir", "directory", default="", help="Directory of the entry to look in."),
        click.option(
            "--save_dir", type=local, help="Folder that files of an entry lie in, or will be downloaded into."
        ),
        click.option("--pixel-size", type=number, help="Å a pixel, instead of what the entry says."),
        click.option("--voltage", type=number, help="Voltage of the microscope in kV."),
        click.option("--cs", type=number, help="Spherical aberration in mm."),
        click.option("--amplitude-contrast", type=number, help="Amplitude contrast, such as 0.1."),
        click.option("--dose-per-frame", type=number, help="Dose of a frame in e/Å²."),
        click.option(
            "--gain", type=click.Path(exists=True, dir_okay=False), help="Gain reference of movies."
        ),
        click.option(
            "--gain-rot", type=click.IntRange(0, 3), default=0, help="Quarter turns of it, clockwise."
        ),
        click.option(
            "--gain-flip",
            type=click.Choice(list(_FLIPS)),
            default="0",
            help="1 flips it up-down, 2 left-right, after that.",
        ),
        click.option(
            "--mtf", type=click.Path(exists=True, dir_okay=False), help="Detector's MTF, for RELION."
        ),
        click.option(
            "--optics-groups", metavar="REGEXP", help=r"What in names tells groups apart, as '_Data_(\d+)_'."
        ),
        click.option(
            "--beam-shift-groups",
            metavar="N",
            type=click.IntRange(min=1),
            help="So many optics groups by the beam shift in EPU's XML or SerialEM's mdoc files.",
        ),
        click.option("--project", type=local, help="Folder of the RELION project, if not the STAR file's."),
        click.option("--to", help="Where to copy to: COLLECTION:/path for Globus, a folder for Aspera."),
        click.option("--key", default=ASPERA_KEY, help="Aspera's public key.", show_default=True),
        click.option("--overwrite", is_flag=True, help="Replace what was written before."),
        click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing."),
        click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("export", help=_EXPORT_HELP, short_help="Hand over to RELION, Scipion, Globus or Aspera.")
@click.argument("source")
@click.argument("pattern", required=False)
@_options
@speaking_options
@click.pass_context
def export_command(
    ctx: click.Context,
    /,
    source: str,
    pattern: str | None,
    relion: str | None,
    scipion: str | None,
    globus: str | None,
    aspera: str | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Hand over to another program."""
    targets = {"relion": relion, "scipion": scipion, "globus": globus, "aspera": aspera}
    chosen = [(program, target) for program, target in targets.items() if target is not None]
    if len(chosen) != 1:
        raise click.UsageError("Give one of --relion, --scipion, --globus and --aspera.")
    program, target = chosen[0]
    _refuse_idle_options(ctx, program)
    options["quiet"] = quiet
    export = _export_images if program in {"relion", "scipion"} else _export_list
    handed = export(program, source, pattern, target, options)
    if as_json:
        click.echo(json.dumps(_as_dict(handed)))
        return
    if not quiet:
        _tell(handed, dry_run=options["dry_run"])
    for step in handed.next_steps:
        click.echo(one_line(step))


def _refuse_idle_options(ctx: click.Context, program: str) -> None:
    """Refuse options that would say nothing to the program: they were meant to say something."""
    for parameter in ctx.command.params:
        programs = _ONLY_FOR.get(parameter.name or "", (program,))
        is_given = ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if is_given and program not in programs:
            wanted = " and ".join(f"--{name}" for name in programs)
            raise click.UsageError(f"{parameter.opts[0]} goes with {wanted}, not with --{program}.")


def _export_images(
    program: str, source: str, pattern: str | None, target: str, options: dict[str, Any]
) -> Handed:
    from empiarreader.handing_over.relion import export_relion
    from empiarreader.handing_over.scipion import export_scipion

    files, selection = _images(source, pattern, options)
    common: dict[str, Any] = {
        "acquisition": _acquisition(options),
        "pattern": selection,
        "directory": options["save_dir"],
        **{name: options[name] for name in ("kind", "overwrite", "dry_run")},
    }
    if program == "scipion":
        return export_scipion(files, target, **common)
    own = {name: options[name] for name in ("project", "mtf", "optics_groups", "beam_shift_groups")}
    return export_relion(files, target, **own, **common)


def _export_list(
    program: str, source: str, pattern: str | None, target: str, options: dict[str, Any]
) -> Handed:
    from empiarreader.handing_over.transfers import export_aspera, export_globus

    files: Any = _listed(source, pattern, options, whole=True)
    common = {name: options[name] for name in ("directory", "overwrite", "dry_run")}
    if program == "aspera":
        return export_aspera(files, target, to=options["to"] or ".", key=options["key"], **common)
    if options["to"] is None:
        raise click.UsageError("Globus needs to know where to copy to: --to COLLECTION:/path.")
    return export_globus(files, target, to=options["to"], **common)


def _images(source: str, pattern: str | None, options: dict[str, Any]) -> tuple[Any, str | None]:
    """Return the files that are meant, and the pattern that is still to select among them."""
    if Path(source).is_dir() or (Path(source).is_file() and is_image(source)):
        return source, pattern
    return _listed(source, pattern, options, whole=False), None


def _listed(source: str, pattern: str | None, options: dict[str, Any], *, whole: bool) -> Any:
    """Return the files of a list or an entry; or the entry itself, where a whole one is meant."""
    from empiarreader.downloading.manifest import Manifest

    kind, directory = options["kind"], options["directory"]
    if Path(source).exists():
        if pattern or directory or (whole and kind):
            raise click.UsageError(
                f"PATTERN, --dir and --kind select among the files of an entry; {source} is a list."
            )
        return Manifest.load(source) if Path(source).is_dir() else read_addresses(source)[0]
    with progress("directories", quiet=options["quiet"]) as tell:
        entry = _entry(source, tell)
        if whole and pattern is None and kind is None:
            return entry
        wanted = None if kind == "volumes" else kind
        return find_files(entry, () if pattern is None else (pattern,), directory=directory, kind=wanted)


def _entry(source: str, tell: Callable[[int, int], object]) -> EmpiarEntry:
    from empiarreader.entry import EmpiarEntry

    try:
        return EmpiarEntry(source, progress=tell)
    except InvalidRequestError:
        raise ArchiveFileNotFoundError(
            f"there is no folder, image or list {source!r}, and it is no entry either; an entry is a number, "
            "such as 10943"
        ) from None


def _acquisition(options: dict[str, Any]) -> Acquisition:
    from empiarreader.gainfactor import GainOrientation
    from empiarreader.handing_over.acquisition import Acquisition

    return Acquisition(
        voltage_kv=options["voltage"],
        spherical_aberration_mm=options["cs"],
        amplitude_contrast=options["amplitude_contrast"],
        pixel_size_angstrom=options["pixel_size"],
        frame_dose_electrons_per_square_angstrom=options["dose_per_frame"],
        gain=options["gain"],
        gain_orientation=GainOrientation(
            quarter_turns=options["gain_rot"],
            flip=_FLIPS[options["gain_flip"]],
        ),
    )


def _tell(handed: Handed, *, dry_run: bool) -> None:
    verb = "would write" if dry_run else "wrote"
    things = "directories" if handed.sets and handed.sets[0].kind == "directories" else "files"
    click.echo(one_line(f"{verb} {handed.path}: {describe_count(handed.files, things)}"), err=True)
    for one in handed.sets:
        size = f", {one.pixel_size_angstrom:g} Å a pixel" if one.pixel_size_angstrom else ""
        what = describe_count(one.files, things) + ("" if one.kind == things else f" of {one.kind}")
        click.echo(one_line(f"  {what}{': ' if one.name else ''}{one.name}{size}"), err=True)
    if handed.links:
        click.echo(
            one_line(f"  {len(handed.links)} of them by links in {next(iter(handed.links)).parent}"),
            err=True,
        )
    for note in handed.notes:
        click.echo(one_line(f"  note: {note}"), err=True)


def _as_dict(handed: Handed) -> dict[str, Any]:
    return {
        "path": str(handed.path),
        "files": handed.files,
        "sets": [vars(one) for one in handed.sets],
        "links": {str(link): str(target) for link, target in handed.links.items()},
        "notes": list(handed.notes),
        "next_steps": list(handed.next_steps),
    }
