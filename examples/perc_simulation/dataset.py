"""Two EMPIAR entries of particle images, simulated from structure files.

Every molecule gives the same number of stacks to both entries, named ``<label>_<micrograph>.mrcs``: one
stack holds the particles of one (notional) micrograph, so that data can be split by micrograph. Beside them
lie a RELION STAR file with the true poses, shifts and defocus, and a few whole micrographs. All of it follows
from structures, options and seed; it is made once and kept in a cache folder under the hash of these.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .imaging import Microscope, Projector, Real, contrast_transfer, noise_sigma, potential, random_rotations

__all__ = [
    "ENTRIES",
    "SimulationOptions",
    "entry_record",
    "simulate_entries",
    "simulate_micrograph",
    "write_mrc",
]

ENTRIES = (11924, 12002)
"""Entry numbers under which the two halves of the data stand."""

_VERSION = 2  # raised whenever the same options would give other pixels


@dataclass(frozen=True, kw_only=True)
class SimulationOptions:
    """How the particles are imaged; the defaults are the ones of the examples."""

    images_per_class: int = 150
    particles_per_micrograph: int = 15
    box: int = 128
    pixel_size_angstrom: float = 1.43
    signal_to_noise: float = 0.05
    defocus_angstrom: tuple[float, float] = (10_000.0, 25_000.0)
    largest_shift_pixels: float = 4.0
    micrographs_per_entry: int = 2
    micrograph_size: int = 1024
    seed: int = 20_250_611
    microscope: Microscope = field(default_factory=Microscope)


def simulate_entries(
    structures: Mapping[str, Path],
    *,
    options: SimulationOptions | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict[int, dict[str, Path]]:
    """Simulate the two entries, or find them in the cache.

    Parameters
    ----------
    structures
        Structure file (mmCIF or PDB) of each class label.
    options
        How they are imaged; None for the defaults.
    cache
        Folder that keeps the images; None for ``~/.cache/perc/simulations``.
    progress
        Called with one line a molecule.

    Returns
    -------
    dict
        For each entry number the files, by path within the entry (``data/Particles/ring_001.mrcs``).
    """
    options = options or SimulationOptions()
    cache = cache or Path.home() / ".cache" / "perc" / "simulations"
    folder = cache / _key(structures, options)
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".unfinished-"))
        try:
            _write_entries(structures, scratch, options, progress or (lambda line: None))
            scratch.replace(folder)
        except OSError:
            if not folder.is_dir():  # another process may have been quicker
                raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return {
        entry: {
            path.relative_to(folder / str(entry)).as_posix(): path
            for path in sorted((folder / str(entry)).rglob("*"))
            if path.is_file()
        }
        for entry in ENTRIES
    }


def _key(structures: Mapping[str, Path], options: SimulationOptions) -> str:
    """Hash of all that decides the pixels."""
    digest = hashlib.sha256(json.dumps([_VERSION, asdict(options)], sort_keys=True).encode())
    for label in sorted(structures):
        digest.update(label.encode() + b"\0" + structures[label].read_bytes())
    return digest.hexdigest()[:24]


@dataclass(frozen=True)
class _Particles:
    """Noiseless images of one molecule, ``(n, y, x)``, with how each was taken."""

    images: Real
    rotations: NDArray[np.float64]
    shifts_pixels: NDArray[np.float64]  # (n, yx)
    defocus_angstrom: NDArray[np.float64]


def _image_molecule(
    projector: Projector, options: SimulationOptions, generator: np.random.Generator
) -> _Particles:
    """Projections at random orientations, shifted, with the contrast transfer of a random defocus."""
    count, edge = options.images_per_class, options.box
    rotations = random_rotations(count, generator=generator)
    shifts = generator.uniform(-1, 1, (count, 2)) * options.largest_shift_pixels
    defocus = generator.uniform(*options.defocus_angstrom, count)
    ky, kx = scipy.fft.fftfreq(edge)[:, None], scipy.fft.rfftfreq(edge)[None, :]
    images = np.empty((count, edge, edge), np.float32)
    for i in range(count):
        transfer = contrast_transfer(
            edge,
            pixel_size_angstrom=options.pixel_size_angstrom,
            defocus_angstrom=defocus[i],
            microscope=options.microscope,
        )
        ramp = np.exp(-2j * np.pi * (ky * shifts[i, 0] + kx * shifts[i, 1]))
        images[i] = projector.image(projector.project(rotations[i]) * ramp * transfer)
    return _Particles(images, rotations, shifts, defocus)


def _write_entries(
    structures: Mapping[str, Path], folder: Path, options: SimulationOptions, progress: Callable[[str], None]
) -> None:
    """Simulate all molecules, then write the stacks, STAR files and micrographs of both entries."""
    generator = np.random.default_rng(options.seed)
    projectors, particles = {}, {}
    for label in sorted(structures):
        progress(f"projecting {label} in {options.images_per_class} random orientations")
        volume = potential(
            structures[label], box=options.box, pixel_size_angstrom=options.pixel_size_angstrom
        )
        projectors[label] = Projector(volume)
        particles[label] = _image_molecule(projectors[label], options, generator)
    rows: dict[int, list[dict[str, Any]]] = {entry: [] for entry in ENTRIES}
    for label, images in particles.items():
        # Divided by its noise, every molecule has the same ratio and level; only its shape tells it apart.
        noisy = images.images / noise_sigma(images.images, options.signal_to_noise)
        noisy += generator.standard_normal(noisy.shape, dtype=np.float32)
        for number, start in enumerate(range(0, len(noisy), options.particles_per_micrograph)):
            chosen = slice(start, start + options.particles_per_micrograph)
            entry = ENTRIES[number % len(ENTRIES)]
            name = f"{label}_{number + 1:03d}.mrcs"
            path = folder / str(entry) / "data" / "Particles" / name
            write_mrc(path, noisy[chosen].astype(np.float16), options.pixel_size_angstrom, stack=True)
            rows[entry] += _star_rows(name, images, chosen, options)
    for entry in ENTRIES:
        _write_star(folder / str(entry) / "data" / "Particles" / "particles.star", rows[entry], options)
        for number in range(options.micrographs_per_entry):
            label = sorted(structures)[(2 * ENTRIES.index(entry) + number) % len(structures)]
            image = simulate_micrograph(
                projectors[label],
                size=options.micrograph_size,
                pixel_size_angstrom=options.pixel_size_angstrom,
                defocus_angstrom=float(generator.uniform(*options.defocus_angstrom)),
                microscope=options.microscope,
                generator=generator,
            )
            path = folder / str(entry) / "data" / "Micrographs" / f"{label}_{number + 1:03d}.mrc"
            write_mrc(path, image.astype(np.float16), options.pixel_size_angstrom, stack=False)


def simulate_micrograph(
    projector: Projector,
    *,
    size: int,
    pixel_size_angstrom: float,
    defocus_angstrom: float,
    microscope: Microscope,
    generator: np.random.Generator,
) -> Real:
    """Field of randomly oriented molecules in ice: dark on grey, as a microscope records it.

    Returns
    -------
    numpy.ndarray
        ``(size, size)``, float32, mean 0 and standard deviation 1. Molecules and ice pass through the
        contrast transfer function, the camera's noise does not; so the power spectrum shows Thon rings.
    """
    edge = projector.volume.shape[0]
    field_ = np.zeros((size, size), np.float32)
    jitter = edge // 6
    rows = range(0, size - edge - jitter, int(0.8 * edge))
    for y in rows:
        for x in rows:
            top, left = y + int(generator.integers(jitter)), x + int(generator.integers(jitter))
            rotation = random_rotations(1, generator=generator)[0]
            field_[top : top + edge, left : left + edge] += projector.image(projector.project(rotation))
    ice = generator.normal(0.0, 1.2 * field_.std(), field_.shape)
    transfer = contrast_transfer(
        size,
        pixel_size_angstrom=pixel_size_angstrom,
        defocus_angstrom=defocus_angstrom,
        microscope=microscope,
    )
    envelope = np.exp(-0.25 * 40.0 * _frequency_squared(size, pixel_size_angstrom))  # B factor of 40 Å²
    exit_wave = scipy.fft.rfft2(field_ + ice) * transfer * envelope
    recorded = -scipy.fft.irfft2(exit_wave, s=field_.shape)
    recorded += generator.normal(0.0, 1.5 * recorded.std(), recorded.shape)
    return np.asarray((recorded - recorded.mean()) / recorded.std(), np.float32)


def _frequency_squared(size: int, pixel_size_angstrom: float) -> NDArray[np.float64]:
    """Squared spatial frequency, 1/Å², on the half transform of an image."""
    ky = scipy.fft.fftfreq(size, pixel_size_angstrom)[:, None]
    kx = scipy.fft.rfftfreq(size, pixel_size_angstrom)[None, :]
    return np.asarray(ky**2 + kx**2)


def write_mrc(path: Path, data: NDArray[Any], pixel_size_angstrom: float, *, stack: bool) -> None:
    """Write an image ``(y, x)``, or a stack of images ``(n, y, x)``; the same data gives the same bytes."""
    import mrcfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(data)
        if stack:
            mrc.set_image_stack()
        mrc.voxel_size = pixel_size_angstrom
        # The writer puts the time of day here.
        mrc.header.label[0] = b"SYNTHETIC: simulated for the PERC examples".ljust(80)


def _star_rows(
    name: str, particles: _Particles, chosen: slice, options: SimulationOptions
) -> list[dict[str, Any]]:
    """RELION 3.1 rows of one stack. RELION's matrix takes (x, y, z) of the particle to those of the lab."""
    rows = []
    for section, i in enumerate(range(len(particles.images))[chosen], start=1):
        matrix = particles.rotations[i][::-1, ::-1]
        rows.append(
            {
                "rlnImageName": f"{section:06d}@{name}",
                "rlnMicrographName": name.replace(".mrcs", ".mrc"),
                "rlnOpticsGroup": 1,
                "rlnAngleRot": float(np.degrees(np.arctan2(matrix[2, 1], matrix[2, 0]))),
                "rlnAngleTilt": float(np.degrees(np.arccos(np.clip(matrix[2, 2], -1, 1)))),
                "rlnAnglePsi": float(np.degrees(np.arctan2(matrix[1, 2], -matrix[0, 2]))),
                # RELION keeps the shift that brings the particle back to the middle.
                "rlnOriginXAngst": float(-particles.shifts_pixels[i, 1] * options.pixel_size_angstrom),
                "rlnOriginYAngst": float(-particles.shifts_pixels[i, 0] * options.pixel_size_angstrom),
                "rlnDefocusU": float(particles.defocus_angstrom[i]),
                "rlnDefocusV": float(particles.defocus_angstrom[i]),
                "rlnDefocusAngle": 0.0,
                "rlnRandomSubset": 1 + section % 2,
                "rlnClassNumber": 1,
            }
        )
    return rows


def _write_star(path: Path, rows: list[dict[str, Any]], options: SimulationOptions) -> None:
    import pandas
    import starfile

    optics = pandas.DataFrame(
        [
            {
                "rlnOpticsGroup": 1,
                "rlnOpticsGroupName": "simulated",
                "rlnVoltage": options.microscope.voltage_kilovolt,
                "rlnSphericalAberration": options.microscope.spherical_aberration_millimetre,
                "rlnAmplitudeContrast": options.microscope.amplitude_contrast,
                "rlnImagePixelSize": options.pixel_size_angstrom,
                "rlnImageSize": options.box,
                "rlnImageDimensionality": 2,
            }
        ]
    )
    starfile.write({"optics": optics, "particles": pandas.DataFrame(rows)}, path, float_format="%.6f")
    _, _, rows_only = path.read_text().partition("\n")  # the writer's first line is the time of day
    path.write_text(rows_only)


def entry_record(entry: int, *, options: SimulationOptions | None = None, stacks: int) -> dict[str, object]:
    """The entry as EMPIAR's API gives it, as far as the examples need it.

    Parameters
    ----------
    entry
        One of :data:`ENTRIES`.
    options
        The options it was simulated with; None for the defaults.
    stacks
        Number of particle stacks in it.
    """
    options = options or SimulationOptions()
    common: dict[str, object] = {
        "header_format": "MRC",
        "data_format": "MRCS",
        "frame_range_min": None,
        "frame_range_max": None,
        "voxel_type": "16 BIT FLOAT",
        "pixel_width": options.pixel_size_angstrom,
        "pixel_height": options.pixel_size_angstrom,
        "micrographs_file_pattern": "",
        "picked_particles_file_pattern": "",
        "picked_particles_directory": "",
        "segmentations": [],
    }
    half = ENTRIES.index(entry) + 1 if entry in ENTRIES else 1
    return {
        "title": f"SYNTHETIC particles of example molecules, part {half} of {len(ENTRIES)}",
        "experiment_type": "INSILICO",
        "status": "REL",
        "imagesets": [
            {
                **common,
                "name": "Simulated particle stacks, one for each micrograph",
                "directory": "data/Particles",
                "category": "picked particles - single frame - unprocessed",
                "num_images_or_tilt_series": stacks,
                "frames_per_image": options.particles_per_micrograph,
                "image_width": str(options.box),
                "image_height": str(options.box),
                "details": f"White noise at a signal-to-noise ratio of {options.signal_to_noise:g}",
            },
            {
                **common,
                "name": "Simulated micrographs",
                "directory": "data/Micrographs",
                "category": "micrographs - single frame",
                "data_format": "MRC",
                "num_images_or_tilt_series": options.micrographs_per_entry,
                "frames_per_image": 1,
                "image_width": str(options.micrograph_size),
                "image_height": str(options.micrograph_size),
                "details": "",
            },
        ],
    }
