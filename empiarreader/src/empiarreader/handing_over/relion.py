"""From EMPIAR into RELION: the STAR file that its import job would write, and the command to go on with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from empiarreader.byteunits import describe_count
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError, UnsupportedFormatError
from empiarreader.formats import suffix_of
from empiarreader.gainfactor import FLIP_NUMBERS
from empiarreader.handing_over.acquisition import Acquisition
from empiarreader.handing_over.files import LINKS_SUFFIX, HandedFile, HandedFiles, Location, gather, kinds_of
from empiarreader.handing_over.groups import choose, group_images
from empiarreader.handing_over.handed import Handed, HandedSet
from empiarreader.handing_over.links import is_safe, make_links
from empiarreader.handing_over.opticsgroups import Tell, by_beam_shift, by_name
from empiarreader.handing_over.relionproject import RelionProject
from empiarreader.handing_over.relionstar import relion_blocks
from empiarreader.handing_over.starwriting import star_text
from empiarreader.saving import check_free, write_whole

_STACKS = dict.fromkeys((".mrc", ".mrcs", ".st"), ".mrcs")
_SUFFIXES = {
    "movies": {name: name for name in (".mrc", ".mrcs", ".tif", ".tiff", ".eer")},
    "micrographs": {**dict.fromkeys((".mrc", ".mrcs", ".map"), ".mrc"), ".tif": ".tif", ".tiff": ".tiff"},
    "particles": _STACKS,  # in an .mrc, RELION sees a volume
}
_GAIN_SUFFIXES = (".mrc", ".tif", ".tiff", ".gain")
_NEEDS = ("pixel_size_angstrom", "voltage_kv", "spherical_aberration_mm", "amplitude_contrast")
_DOSE_PER_FRACTION = 1.0  # e/Å², about what movies of other cameras have a frame


def export_relion(
    files: HandedFiles,
    star: Location,
    *,
    acquisition: Acquisition | None = None,
    kind: str | None = None,
    pattern: str | None = None,
    directory: Location | None = None,
    project: Location | None = None,
    mtf: Location | None = None,
    optics_groups: str | None = None,
    beam_shift_groups: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Handed:
    r"""Write the STAR file by which RELION (3.1 to 5) takes images: movies, micrographs or particles.

    Each imageset of the entry becomes an optics group with its own pixel size. Paths are relative to the
    project. Files that lie outside it, or whose names RELION cannot take (spaces and other signs, ``.MRC``,
    particles in an ``.mrc``), are linked into a folder beside the STAR file, under safe names.

    Parameters
    ----------
    files
        What was downloaded: its folder, or what :func:`~empiarreader.download` returned; or any folder or
        paths of images; or files of an entry and, as ``directory``, where they lie or will lie.
    star
        Where to write, inside the project.
    acquisition
        What EMPIAR does not hold: voltage, spherical aberration, amplitude contrast; for movies the dose and
        the gain reference, which go into the command of the next step.
    kind
        ``"movies"``, ``"micrographs"`` or ``"particles"``. None takes what names and metadata say.
    pattern
        Of a folder, only the files whose path in it matches this glob.
    directory
        The folder that files of an entry are downloaded into.
    project
        Folder of the RELION project; None is the folder of the STAR file.
    mtf
        STAR file with the detector's modulation transfer function, as RELION's site has them.
    optics_groups
        Regular expression that finds, in the paths of images, what tells the optics groups of an imageset
        apart: ``r"_Data_(\d+)_"`` in names as EPU gives them, for the beam shift of each target in a hole.
    beam_shift_groups
        How many optics groups each imageset has by the beam shift of its images, which is read from EPU's XML
        files or SerialEM's ``.mdoc`` beside them. A note says how far apart the groups are.
    overwrite
        Replace a STAR file that is there.
    dry_run
        Write nothing; return what would be written.

    Returns
    -------
    Handed
        What was written, and what to do next.

    Raises
    ------
    InvalidRequestError
        If something that RELION needs is not known, or images of several kinds are there.
    UnsupportedFormatError
        If RELION does not read such files.
    LocalFileError
        If something is in the way.
    ArchiveFileNotFoundError
        If there is nothing to hand over.
    """
    target = Path(star).expanduser().absolute()
    folder = Path(project).expanduser().resolve() if project is not None else target.parent.resolve()
    where = RelionProject(folder=folder, links=_inside(target, folder).with_suffix(LINKS_SUFFIX))
    check_free(target, overwrite=overwrite or dry_run)
    known = acquisition or Acquisition()
    found = gather(files, directory=directory, pattern=pattern)
    told = kind is not None
    kind = kind or _only_kind(found)
    _check_kind(kind)
    chosen = choose(found, kind, _SUFFIXES[kind], program="RELION", told=told)
    tell, shift_note = _tell_groups(chosen.files, optics_groups, beam_shift_groups)
    groups = group_images(chosen.files, kind, known, program="RELION", needs=_NEEDS, tell=tell)
    gain = _gain(known.gain) if kind == "movies" else {}
    suffixes = chosen.suffixes | {file.path: suffix for file, suffix in gain.items()}
    names = where.name_all(suffixes, [*chosen.files, *gain])
    blocks = relion_blocks(groups, names, where, mtf)
    links = {name: path for path, name in names.items() if name != path}
    notes = (*_notes(kind, known, found), chosen.note, shift_note, *(group.note for group in groups))
    gain_names = [where.relative(names[file.path]) for file in gain]
    text = star_text(blocks)
    if not dry_run:
        make_links(links, overwrite=overwrite)
        write_whole(target, text.encode(), overwrite=overwrite, parents=True)
    return Handed(
        path=target,
        text=text,
        sets=tuple(HandedSet.of(group) for group in groups),
        links=links,
        notes=tuple(filter(None, notes)),
        next_steps=_next_steps(kind, where.relative(_inside(target, folder)), known, gain_names, suffixes),
    )


def _tell_groups(
    files: Sequence[HandedFile], part_of_name: str | None, beam_shifts: int | None
) -> tuple[Tell | None, str]:
    """Return what tells optics groups of an imageset apart, and a note on how well it does."""
    if part_of_name is not None and beam_shifts is not None:
        raise InvalidRequestError("optics groups are told by names or by beam shifts, not by both")
    if beam_shifts is not None:
        return by_beam_shift(files, beam_shifts)
    return (by_name(part_of_name) if part_of_name is not None else None), ""


def _inside(target: Path, folder: Path) -> Path:
    """Return where the STAR file will be in its project, whose links RELION would not follow back."""
    path = target.parent.resolve() / target.name
    if not path.is_relative_to(folder):
        raise InvalidRequestError(f"{target} is not in the project {folder}; RELION's paths begin there")
    if not is_safe(path.relative_to(folder).as_posix()):
        raise InvalidRequestError(f"{target} has signs in its name that RELION cannot take; choose another")
    return path


def _only_kind(files: Sequence[HandedFile]) -> str:
    kinds = {kind: count for kind, count in kinds_of(files).items() if kind in _SUFFIXES}
    if len(kinds) == 1:
        return next(iter(kinds))
    said = (
        " and ".join(describe_count(count, kind) for kind, count in kinds.items())
        or "images of no known kind"
    )
    raise InvalidRequestError(
        f"there are {said}; say which to hand over: --kind {', '.join(kinds or _SUFFIXES)} (kind= in Python)"
    )


def _check_kind(kind: str) -> None:
    if kind == "volumes":
        raise InvalidRequestError("RELION takes a volume as it is, in any job that asks for one")
    if kind == "tilt_series":
        raise InvalidRequestError("RELION 5 imports tilt series by their mdoc files (relion_tomo_import)")
    if kind not in _SUFFIXES:
        raise InvalidRequestError(f"RELION imports no {kind}; it takes {', '.join(_SUFFIXES)}")


def _gain(gain: Location | None) -> dict[HandedFile, str]:
    """Return the gain reference, and how its name must end."""
    if gain is None:
        return {}
    path = Path(gain).expanduser().resolve()
    suffix = path.suffix.lower()
    if suffix not in _GAIN_SUFFIXES:
        raise UnsupportedFormatError(
            f"RELION reads gain references in {', '.join(_GAIN_SUFFIXES)}, not {path.name}; convert it first"
        )
    if not path.is_file():
        raise ArchiveFileNotFoundError(f"there is no gain reference {path}")
    return {HandedFile(path=path, name=f"gain/{path.name}"): suffix}


def _notes(kind: str, known: Acquisition, found: Sequence[HandedFile]) -> list[str]:
    notes = []
    gains = [file.name for file in found if file.kind == "gains"]
    if kind == "movies" and known.gain is None and gains:
        notes.append(f"{gains[0]} may be the movies' gain reference: give it as --gain (gain= in Python)")
    is_eer = any(suffix_of(file.path.name) == ".eer" for file in found)
    if kind == "movies" and known.frame_dose_electrons_per_square_angstrom is None and is_eer:
        notes.append("give RELION an --eer_grouping that sums frames of EER movies to about 1 e/Å²")
    return notes


def _next_steps(
    kind: str, star: str, known: Acquisition, gains: Sequence[str], suffixes: Mapping[Path, str]
) -> tuple[str, ...]:
    """Return what to run in the project; the jobs of RELION's window ask for the same."""
    if kind == "particles":
        job = "Import/job001/"
        ofile = PurePosixPath(star).name
        return (f"mkdir -p {job}", f"relion_import --do_particles --i {star} --odir {job} --ofile {ofile}")
    if kind == "micrographs":
        return (f"relion_run_ctffind --i {star} --o CtfFind/",)
    words = ["relion_run_motioncorr", "--use_own", "--i", star, "--o", "MotionCorr/"]
    dose = known.frame_dose_electrons_per_square_angstrom
    if dose is not None and ".eer" in suffixes.values():
        # What RELION calls a frame of an EER movie is a sum of those in the file.
        grouping = max(1, round(_DOSE_PER_FRACTION / dose))
        words += ["--eer_grouping", str(grouping)]
        dose *= grouping
    if dose is not None:
        words += ["--dose_weighting", "--dose_per_frame", f"{dose:g}"]
    for gain in gains:
        way = known.gain_orientation
        turned = ["--gain_rot", str(way.quarter_turns % 4), "--gain_flip", str(FLIP_NUMBERS[way.flip])]
        words += ["--gainref", gain, *turned]
    return (shlex.join(words),)
