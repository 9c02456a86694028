"""Records of entries: shaped like the real ones, different for each number, and of any shape at all."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

MOLECULES = (
    "human 80S ribosome", "E. coli 70S ribosome", "apoferritin", "beta-galactosidase", "20S proteasome",
    "SARS-CoV-2 spike glycoprotein", "beta-2 adrenergic receptor", "TRPV1 ion channel", "tau filaments",
    "tobacco mosaic virus", "nucleosome", "spliceosome", "GroEL", "gamma-secretase", "ATP synthase",
    "HIV-1 capsid", "microtubules", "axonemes of cilia", "nuclear pore complex", "photosystem II",
)  # fmt: skip
FORMATS = ("TIFF", "MRC", "EER", "MRCS", "DM4")
_METHODS = ("EMDB", "EMDB", "EMDB", "EMDB", "FIB-SEM", "SBF-SEM", "ssET", "MicroED")
_NAMES = ("Müller", "Smith", "Wang", "García", "Nguyen", "Okafor", "Ivanova", "Tanaka", "Rossi", "Kowalski")
_DETAILS = (
    "Movies were recorded on a Titan Krios at 300 kV with a K3 detector in counting mode at a nominal "
    "magnification of 105,000, fractionated into 40 frames with a total dose of 50 e/A2, and corrected for "
    "beam-induced motion. A gain reference is in the same directory. "
)


def entry_record(number: int) -> dict[str, Any]:
    """Return the record of an entry, always the same for a number; some 6 kB of JSON."""
    draw = random.Random(number)
    molecule, method = draw.choice(MOLECULES), draw.choice(_METHODS)
    people = [f"{draw.choice(_NAMES)} {chr(65 + draw.randrange(26))}" for _ in range(9)]
    authors = [{"author": {"name": name}} for name in people]
    day = f"{1 + draw.randrange(12):02d}-{1 + draw.randrange(28):02d}"
    imagesets: list[dict[str, Any]] = [
        {
            "name": f"{kind} of {molecule}",
            "directory": f"data/{kind}",
            "category": f"micrographs - {kind}",
            "header_format": "MRC",
            "data_format": draw.choice(FORMATS),
            "num_images_or_tilt_series": draw.randrange(100, 9000),
            "frames_per_image": draw.choice((1, 40, 50)),
            "voxel_type": "UNSIGNED BYTE",
            "pixel_width": round(draw.uniform(0.5, 2.0), 3),
            "pixel_height": None,
            "details": _DETAILS * draw.randrange(1, 4),
            "image_width": "4096",
            "image_height": "4096",
            "micrographs_file_pattern": "",
            "picked_particles_file_pattern": "",
            "picked_particles_directory": "",
            "segmentations": [],
        }
        for kind in ("multiframe", "single frame")
    ]
    return {
        "title": f"Cryo-EM structure of {molecule} in state {number}",
        "status": "OBS" if number % 97 == 0 else "REL",
        "deposition_date": "2019-01-01",
        "release_date": f"20{15 + draw.randrange(11)}-{day}",
        "update_date": "2025-01-01",
        "dataset_size": f"{draw.uniform(1, 900):.1f} {draw.choice(['GB', 'TB'])}",
        "experiment_type": method,
        "scale": "cell" if method.endswith("SEM") else "molecule",
        "entry_doi": f"10.6019/EMPIAR-{number}",
        "authors": authors,
        "corresponding_author": authors[-1],
        "principal_investigator": [authors[-1]],
        "cross_references": [f"EMD-{number}", {"name": f"EMD-{number + 20_000}"}],
        "related_pdb_entries": [{"name": f"{number % 9 + 1}a{chr(97 + number % 26)}b"}],
        "citation": [
            {
                "title": f"Structural basis of the function of {molecule}",
                "journal": "Nature",
                "year": "2024",
                "doi": f"10.1000/{number}",
                "authors": [{"name": name} for name in people],
            }
        ],
        "imagesets": imagesets,
    }


def odd_records() -> st.SearchStrategy[dict[str, Any]]:
    """Return records whose fields have names of real ones and hold anything that JSON can."""
    numbers = st.integers() | st.floats() | st.integers(10**14, 10**15).map(lambda number: f"{number} PB")
    values = st.recursive(
        st.none() | st.booleans() | numbers | st.text(st.characters(), max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
    real = entry_record(10_002)
    inner_names = sorted(
        {name for field in ("imagesets", "citation") for name in real[field][0]} | {"name", "author"}
    )
    inner = st.dictionaries(st.sampled_from(inner_names), values)
    names = [*real, "grant_references", "version_history", "workflows", "workflow_file", "empiar_references"]
    return st.dictionaries(st.sampled_from(names), values | st.lists(inner, max_size=2))
