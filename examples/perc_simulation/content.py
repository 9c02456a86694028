"""The content that the examples, the tests and the documentation find in the embedded archive.

Structures and sequences of the four molecules, the two entries of particles simulated from them, and small
stand-ins for the entries that the published tutorials read (EMPIAR-10943 and EMPIAR-10934).
"""

from __future__ import annotations

import bz2
import hashlib
import io
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from perc_archive import Archive, ContentFolder

from .dataset import (
    SimulationOptions,
    entry_record,
    simulate_entries,
    simulate_micrograph,
    write_mrc,
)
from .imaging import Microscope, Projector, potential
from .molecules import MOLECULES

__all__ = [
    "add_particle_entries",
    "add_structures",
    "add_tutorial_entries",
    "make_content",
    "plain_structure",
]

Content = ContentFolder | Archive
"""Where content is added: a folder, or an archive that runs."""

TUTORIAL_SQUARE = "data/MotionCorr/job003/Tiff/EER/Images-Disc1/GridSquare_11149061/Data"
MOVIE_SQUARE = "data/CL44-1_20201106_111915/Images-Disc1/GridSquare_6089277/Data"

_VERSION = 4  # raised whenever the content changes


def make_content(cache: Path | None = None, *, progress: Callable[[str], None] | None = None) -> Path:
    """Make all of it once, and find it in the cache from then on.

    Parameters
    ----------
    cache
        Folder that keeps it; None for ``~/.cache/perc``.
    progress
        Called with one line a step.

    Returns
    -------
    pathlib.Path
        A content folder for :class:`perc_archive.Archive`, at most 40 MB.
    """
    progress = progress or (lambda line: None)
    cache = cache or Path.home() / ".cache" / "perc"
    folder = cache / f"content-{_VERSION}-{hashlib.sha256(repr(MOLECULES).encode()).hexdigest()[:12]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=cache, prefix=".unfinished-"))
    try:
        content = ContentFolder(scratch)
        progress("writing structures, sequences and predicted models of four molecules")
        add_structures(content)
        with tempfile.TemporaryDirectory() as plain:
            structures = {m.label: plain_structure(m.label, Path(plain)) for m in MOLECULES}
            entries = simulate_entries(structures, cache=cache / "simulations", progress=progress)
        add_particle_entries(content, entries)
        progress("simulating the micrographs of the tutorials")
        add_tutorial_entries(content)
        try:
            scratch.replace(folder)
        except OSError:
            if not folder.is_dir():  # another process may have been quicker
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def add_structures(content: Content) -> None:
    """Structures in the PDB, predicted models in AlphaFold DB, and entries in UniProt, of all molecules."""
    for molecule in MOLECULES:
        content.add_uniprot(molecule.accession, molecule.uniprot_record())
        cif, pdb = molecule.model()
        content.add_alphafold(molecule.accession, cif=cif, pdb=pdb, sequence=molecule.sequence)
        if molecule.pdb_id is not None:
            cif, pdb = molecule.entry()
            content.add_structure(
                molecule.pdb_id, cif=cif, pdb=pdb, accessions=[molecule.accession], title=molecule.title
            )
            # All chains of an entry belong together, so its one assembly is what was deposited.
            name = f"download/{molecule.pdb_id.upper()}"
            content.add_file("files.rcsb.org", f"{name}-assembly1.cif", cif)
            content.add_file("files.rcsb.org", f"{name}.pdb1", pdb)


def plain_structure(label: str, folder: Path) -> Path:
    """Structure of one molecule as gemmi cleans it: no signal peptide, hydrogens, waters, ligands."""
    import gemmi

    molecule = next(m for m in MOLECULES if m.label == label)
    cif, _ = molecule.model() if molecule.pdb_id is None else molecule.entry()
    structure = gemmi.make_structure_from_block(gemmi.cif.read_string(cif).sole_block())
    structure.remove_hydrogens()
    structure.remove_ligands_and_waters()
    if molecule.pdb_id is None:
        for chain in structure[0]:
            for index in reversed(range(len(chain))):
                if (chain[index].label_seq or 0) <= molecule.signal_length:
                    del chain[index]
    path = folder / f"{label}.cif"
    structure.make_mmcif_document().write_file(str(path))
    return path


def add_particle_entries(
    content: Content,
    entries: Mapping[int, Mapping[str, Path]],
    *,
    options: SimulationOptions | None = None,
) -> None:
    """Add the simulated particles as EMPIAR entries."""
    for entry, files in entries.items():
        stacks = sum(name.endswith(".mrcs") for name in files)
        content.add_entry(entry, files, entry_record(entry, options=options, stacks=stacks))


def add_tutorial_entries(content: Content) -> None:
    """Add small stand-ins for EMPIAR-10943 (12 micrographs) and EMPIAR-10934 (movies as compressed TIFF).

    Their folders, names and metadata are those of the real entries, as the published tutorials use them; the
    pixels are simulated.
    """
    generator = np.random.default_rng(10_943)
    with tempfile.TemporaryDirectory() as scratch:
        files = _motion_corrected_micrographs(Path(scratch), generator)
        content.add_entry(10943, files, _record_of_10943())
    content.add_entry(10934, _compressed_movies(generator), _record_of_10934())


def _motion_corrected_micrographs(scratch: Path, generator: np.random.Generator) -> dict[str, bytes | Path]:
    """Twelve micrographs and the notes that motion correction leaves beside each."""
    volume = potential(plain_structure("7qk5", scratch), box=64, pixel_size_angstrom=2.86)
    projector = Projector(volume)
    files: dict[str, bytes | Path] = {
        "data/Tiff/README": b"SYNTHETIC stand-in: the real folder holds 4000 movies.\n"
    }
    for number in range(12):
        image = simulate_micrograph(
            projector,
            size=384,
            pixel_size_angstrom=2.86,
            defocus_angstrom=float(generator.uniform(8_000, 20_000)),
            microscope=Microscope(),
            generator=generator,
        )
        stem = f"FoilHole_111{50000 + number}_Data_11149{700 + number}_20200917_1{number:05d}_EER"
        path = scratch / f"{stem}.mrc"
        write_mrc(path, image, 2.86, stack=False)
        files[f"{TUTORIAL_SQUARE}/{stem}.mrc"] = path.read_bytes()  # an archive may link to what it is given
        files[f"{TUTORIAL_SQUARE}/{stem}.star"] = b"data_general\n\n_rlnImageSizeX 384\n"
    return files


def _compressed_movies(generator: np.random.Generator) -> dict[str, bytes | Path]:
    """Two movies of four frames and a gain reference, as bz2 of LZW TIFF."""
    import tifffile

    files: dict[str, bytes | Path] = {}
    for number in range(2):
        stem = f"FoilHole_60895{10 + number}_Data_6088{900 + number}_20201106_1{number:05d}"
        for suffix, array in (
            ("fractions", generator.poisson(3.0, (4, 64, 96)).astype(np.uint8)),
            ("gain", generator.normal(1.0, 0.02, (64, 96)).astype(np.float32)),
        ):
            buffer = io.BytesIO()
            tifffile.imwrite(buffer, array, compression="lzw", photometric="minisblack", metadata=None)
            files[f"{MOVIE_SQUARE}/{stem}_{suffix}.tiff.bz2"] = bz2.compress(buffer.getvalue())
    return files


def _record_of_10943() -> dict[str, object]:
    """Image set as the real entry describes it: width and height are null there."""
    imageset = {
        "name": "Unaligned multi-frame movies in Tiff: Dataset 2",
        "directory": "data/Tiff",
        "category": "micrographs - multiframe",
        "header_format": "TIFF",
        "data_format": "TIFF",
        "num_images_or_tilt_series": 4000,
        "frames_per_image": 34,
        "frame_range_min": None,
        "frame_range_max": None,
        "voxel_type": "UNSIGNED BYTE",
        "pixel_width": 0.824,
        "pixel_height": 0.824,
        "details": "SYNTHETIC stand-in",
        "image_width": None,
        "image_height": None,
        "micrographs_file_pattern": "",
        "picked_particles_file_pattern": "",
        "picked_particles_directory": "",
        "segmentations": [],
    }
    return {
        "title": "SYNTHETIC stand-in for EMPIAR-10943",
        "imagesets": [imageset],
        "related_pdb_entries": ["7QK5"],
    }


def _record_of_10934() -> dict[str, object]:
    """Image set with the numbers of the real entry's metadata."""
    imageset = {
        "name": "SYNTHETIC stand-in for multiframe micrographs",
        "directory": "data/CL44-1_20201106_111915",
        "category": "micrographs - multiframe",
        "header_format": "TIFF",
        "data_format": "TIFF",
        "num_images_or_tilt_series": 3889,
        "frames_per_image": 45,
        "frame_range_min": None,
        "frame_range_max": None,
        "voxel_type": "UNSIGNED BYTE",
        "pixel_width": 0.543,
        "pixel_height": 0.543,
        "details": "",
        "image_width": "11520",
        "image_height": "8184",
        "micrographs_file_pattern": "",
        "picked_particles_file_pattern": "",
        "picked_particles_directory": "",
        "segmentations": [],
    }
    return {"title": "SYNTHETIC stand-in for EMPIAR-10934", "imagesets": [imageset], "dataset_size": "1.9 TB"}
