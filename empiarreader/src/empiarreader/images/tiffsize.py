"""How large the pixels of a TIFF file are, and what else programs wrote into its tags.

Each program has its own place for the pixel size; the most particular is believed first: OME-XML,
DigitalMicrograph's tags, those of FEI and Zeiss scanning microscopes, and last the resolution tags, which
IMOD and SerialEM use, and ImageJ with a unit of its own. Dots per inch or centimetre are also what printers
and scanners of film speak of (72 per inch; 4000 per inch, a step of 6 µm on the film): they are believed
for pixels below 1 µm only. What the tags of a microscope say is believed up to 10 µm, as RosettaSciIO does.

Sources: TIFF 6.0 tags 282, 283 and 296; OME-TIFF 6.0 (PhysicalSizeX); for private tags the readers of
DigitalMicrograph (65003 to 65011), FEI (34680, 34682) and Zeiss (34118) files in tifffile and RosettaSciIO.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tifffile import TiffPage

_ANGSTROM = {
    "m": 1e10, "cm": 1e8, "mm": 1e7, "µm": 1e4, "um": 1e4, "micron": 1e4, "micrometer": 1e4, "nm": 10.0,
    "nanometer": 10.0, "å": 1.0, "a": 1.0, "angstrom": 1.0, "pm": 0.01, "inch": 2.54e8, "in": 2.54e8,
}  # fmt: skip
_LARGEST_ANGSTROM = 1e5  # 10 µm
_LARGEST_OF_PAPER = 1e4  # 1 µm: beyond it, dots per inch speak of paper or film
_OME_SIZE = re.compile(r'PhysicalSize([XY])="([0-9.eE+-]{1,30})"')
_OME_UNIT = re.compile(r'PhysicalSize([XY])Unit="([^"]{1,16})"')
_IMAGEJ_UNIT = re.compile(r"^unit=(.{1,16})$", re.MULTILINE)
_OFFSETS = frozenset({273, 279, 324, 325, 347})
_LARGEST_VALUE = 64 * 1024


def page_pixel_size(page: TiffPage) -> tuple[float, float]:
    """Return the pixel size along y and x in Å, 0.0 where the page does not say."""
    for ask in (_by_ome, _by_digital_micrograph, _by_fei, _by_zeiss, _by_resolution):
        found = ask(page)
        if found is not None and all(math.isfinite(size) and 0 < size < _LARGEST_ANGSTROM for size in found):
            return found
    return 0.0, 0.0


def tag_metadata(page: TiffPage) -> dict[str, Any]:
    """Return the tags of a page by name, without those that say where pixels are."""
    found: dict[str, Any] = {}
    for tag in page.tags:
        if tag.code in _OFFSETS or tag.valuebytecount > _LARGEST_VALUE:
            continue
        value = tag.value
        found[tag.name] = (
            value.name if hasattr(value, "name") else np.array(value) if _is_long(value) else value
        )
    return found


def _is_long(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) > 16 and not isinstance(value[0], str)


def _angstrom(unit: Any) -> float:
    text = str(unit).strip().strip("\0").replace("\\u00B5", "µ").replace("μ", "µ").lower()
    return _ANGSTROM.get(text, math.nan)


def _by_ome(page: TiffPage) -> tuple[float, float] | None:
    text = page.description
    if "PhysicalSizeX" not in text:
        return None
    sizes, units = dict(_OME_SIZE.findall(text)), dict(_OME_UNIT.findall(text))
    y, x = (_number(sizes.get(axis)) * _angstrom(units.get(axis, "µm")) for axis in "YX")
    return y, x


def _by_digital_micrograph(page: TiffPage) -> tuple[float, float] | None:
    if 65009 not in page.tags or 65010 not in page.tags:
        return None
    x = _number(page.tags.valueof(65009)) * _angstrom(page.tags.valueof(65003))
    y = _number(page.tags.valueof(65010)) * _angstrom(page.tags.valueof(65004))
    return y, x


def _by_fei(page: TiffPage) -> tuple[float, float] | None:
    told = page.tags.valueof(34680) or page.tags.valueof(34682)
    if not isinstance(told, dict):
        return None
    for name in ("Scan", "EScan", "IScan"):
        part = told.get(name)
        if isinstance(part, dict) and "PixelWidth" in part:
            x, y = _number(part["PixelWidth"]) * 1e10, _number(part.get("PixelHeight")) * 1e10
            return y, x
    return None


def _by_zeiss(page: TiffPage) -> tuple[float, float] | None:
    told = page.tags.valueof(34118)
    if not isinstance(told, dict):
        return None
    for name in ("ap_image_pixel_size", "ap_pixel_size"):
        value = told.get(name)
        if isinstance(value, tuple) and len(value) == 3:
            size = _number(value[1]) * _angstrom(value[2])
            return size, size
    return None


def _by_resolution(page: TiffPage) -> tuple[float, float] | None:
    """Return what the resolution tags make; ImageJ counts them in the unit that its description names."""
    unit = int(page.tags.valueof(296, 2))
    if page.is_imagej:
        stated = _IMAGEJ_UNIT.search(page.description)
        angstrom = _angstrom(stated[1]) if stated else math.nan
    else:
        angstrom = {2: _ANGSTROM["inch"], 3: _ANGSTROM["cm"]}.get(unit, math.nan)
    y, x = (_inverse(page.tags.valueof(code)) * angstrom for code in (283, 282))
    return (y, x) if page.is_imagej or max(y, x) < _LARGEST_OF_PAPER else None


def _inverse(resolution: Any) -> float:
    if not isinstance(resolution, tuple) or len(resolution) != 2 or not resolution[0]:
        return math.nan
    return float(resolution[1]) / float(resolution[0])


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
