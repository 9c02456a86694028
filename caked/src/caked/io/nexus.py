"""Tilt series that Parakeet simulated, in NeXus files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from caked.errors import RefusedFileError
from caked.io.containers import open_hdf5_file
from caked.io.series import Series

__all__ = ["series_of_nexus"]


def series_of_nexus(paths: Sequence[str]) -> list[Series]:
    """Read what Parakeet's NeXus files say of their tilt series: angles, doses, pixel sizes.

    Parakeet writes an NXtomo entry whose group ``data`` holds, beside the images, an array for each fact:
    ``tilt_alpha`` in degrees, ``dose`` of each image in e⁻/Å², ``pixel_size_x`` in Å.
    """
    found, start = [], 0
    for path in paths:
        with open_hdf5_file(path) as file:
            data = file.get("entry/data")
            if data is None or "data" not in data or getattr(data["data"], "ndim", 0) != 3:
                raise RefusedFileError(f"{path} has no tilt series entry/data/data as NXtomo has.", path=path)
            count = int(data["data"].shape[0])
            facts = {
                key: np.asarray(data[key][()], dtype=np.float64)
                for key in ("tilt_alpha", "dose", "pixel_size_x", "energy", "c_30")
                if key in data and data[key].shape == (count,)
            }
        own = facts.get("dose")
        pixel_size = facts.get("pixel_size_x")
        found.append(
            Series(
                name=Path(path).name,
                members=np.arange(start, start + count),
                angles_degrees=facts.get("tilt_alpha"),
                dose=np.cumsum(own) - own if own is not None and own.any() else None,
                pixel_size_angstrom=0.0 if pixel_size is None else float(pixel_size[0]),
            )
        )
        start += count
    return found
