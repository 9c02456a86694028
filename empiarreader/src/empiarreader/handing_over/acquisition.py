"""What programs must know of how images were taken, and what EMPIAR does not hold of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from empiarreader.errors import InvalidRequestError
from empiarreader.gainfactor import GainOrientation

# What each value is called in words, as an option of the command, and the most that it can be.
_VALUES: dict[str, tuple[str, str, float]] = {
    "voltage_kv": ("the voltage in kV", "--voltage", 3000.0),
    "spherical_aberration_mm": ("the spherical aberration in mm", "--cs", 100.0),
    "amplitude_contrast": ("the amplitude contrast", "--amplitude-contrast", 1.0),
    "pixel_size_angstrom": ("the pixel size in Å", "--pixel-size", 1e5),
    "frame_dose_electrons_per_square_angstrom": ("the dose of a frame in e/Å²", "--dose-per-frame", 1000.0),
}
_MAY_BE_ZERO = frozenset({"spherical_aberration_mm", "amplitude_contrast"})


@dataclass(frozen=True, kw_only=True)
class Acquisition:
    """How images were taken; None for what is not known.

    Attributes
    ----------
    voltage_kv, spherical_aberration_mm, amplitude_contrast : float or None
        Of the microscope, and of the specimen in it (0.1 is usual for proteins in ice, 0.07 for some
        cameras). EMPIAR holds none of the three.
    pixel_size_angstrom : float or None
        Å a pixel of the files as they are; None takes what the entry says of each imageset.
    frame_dose_electrons_per_square_angstrom : float or None
        Dose of one frame of a movie, as it is in the file.
    gain : path or None
        Gain reference of the movies, on this disk.
    gain_orientation : GainOrientation
        How the reference is turned before it is laid on a movie.

    Raises
    ------
    InvalidRequestError
        If a value makes no sense: 300000 V are 300 kV.

    Examples
    --------
    >>> Acquisition(voltage_kv=300, spherical_aberration_mm=2.7, amplitude_contrast=0.1).voltage_kv
    300
    """

    voltage_kv: float | None = None
    spherical_aberration_mm: float | None = None
    amplitude_contrast: float | None = None
    pixel_size_angstrom: float | None = None
    frame_dose_electrons_per_square_angstrom: float | None = None
    gain: str | os.PathLike[str] | None = None
    gain_orientation: GainOrientation = field(default_factory=GainOrientation)

    def __post_init__(self) -> None:
        for name, (words, _, most) in _VALUES.items():
            value = getattr(self, name)
            if value is None or 0 < value <= most or (value == 0 and name in _MAY_BE_ZERO):
                continue
            raise InvalidRequestError(f"{words} is {value}; it must be above 0 and at most {most:g}")


def require(acquisition: Acquisition, names: tuple[str, ...], *, program: str, hint: str = "") -> None:
    """Ask, in one sentence, for what a program needs and nobody has said.

    Raises
    ------
    InvalidRequestError
        If any of the values is None.
    """
    missing = [name for name in names if getattr(acquisition, name) is None]
    if not missing:
        return
    words = [_VALUES[name][0] for name in missing]
    said = words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
    how = ", ".join(f"{_VALUES[name][1]} ({name}= in Python)" for name in missing)
    raise InvalidRequestError(f"{program} needs {said}, which EMPIAR does not say{hint}: give {how}")
