"""SerialEM's ``.mdoc``: what the microscope noted of each image of a series.

Parsed here and not by the mdocfile library, which refuses a whole file for one value that is not as its
model has it, or a header line with two equal signs; tilt series must open as archives hold them. The tests
compare the two.

Source: https://bio3d.colorado.edu/SerialEM/hlp/html/about_formats.htm.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from empiarreader.errors import DamagedDataError
from empiarreader.tables.content import as_text

if TYPE_CHECKING:
    import pandas

_SECTION = re.compile(r"\[\s*(ZValue|FrameSet|MontSection)\s*=\s*([^\]]*)\]")
_TITLE = re.compile(r"\[\s*T\s*=\s*(.*?)\s*\]\s*$")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
# Text even where it looks like a number.
_TEXT = frozenset({"SubFramePath", "ImageFile", "DateTime", "NavigatorLabel", "ChannelName", "Version"})


class Mdoc(NamedTuple):
    """What is said of a whole series, its titles, and what is said of each image."""

    general: dict[str, Any]
    titles: list[str]
    sections: list[dict[str, Any]]


def parse_mdoc(content: bytes, label: str) -> pandas.DataFrame:
    r"""Return one row an image, in the order of the file, with SerialEM's own column names.

    A value of several numbers is a tuple. Nothing is left out, and no value is checked. Units are
    SerialEM's: ``TiltAngle`` degrees, ``PixelSpacing`` Å, ``ExposureDose`` and ``PriorRecordDose`` e/Å²,
    ``Defocus`` and ``TargetDefocus`` µm (negative under focus), ``ExposureTime`` s, ``StagePosition`` µm.

    ``frame.attrs["global"]`` has what is said of the whole series, ``frame.attrs["titles"]`` the titles.

    Raises
    ------
    DamagedDataError
        If it describes no image.

    Examples
    --------
    >>> mdoc = b"PixelSpacing = 5.4\n\n[ZValue = 0]\nTiltAngle = -3.01\nStagePosition = 20.7 155.2\n"
    >>> frame = parse_mdoc(mdoc, "a.mdoc")
    >>> frame.TiltAngle[0], frame.StagePosition[0], frame.attrs["global"]
    (np.float64(-3.01), (20.7, 155.2), {'PixelSpacing': 5.4})
    """
    import pandas

    mdoc = read_mdoc(content, label)
    frame = pandas.DataFrame(mdoc.sections)
    frame.attrs.update({"global": mdoc.general, "titles": mdoc.titles})
    return frame


def read_mdoc(content: bytes, label: str) -> Mdoc:
    """Return what an mdoc says, as :func:`parse_mdoc` does, without a table.

    Raises
    ------
    DamagedDataError
        If it describes no image.
    """
    general: dict[str, Any] = {}
    titles: list[str] = []
    sections: list[dict[str, Any]] = []
    for line in as_text(content, label, "mdoc file").splitlines():
        line = line.strip()
        if section := _SECTION.match(line):
            sections.append({section[1]: _value(section[1], section[2].strip())})
        elif title := _TITLE.match(line):
            titles.append(title[1])
        elif "=" in line and not line.startswith("["):
            key, _, value = (part.strip() for part in line.partition("="))
            (sections[-1] if sections else general)[key] = _value(key, value)
    if not sections:
        raise DamagedDataError(f"{label} is no mdoc file: it has no section such as [ZValue = 0]")
    return Mdoc(general, titles, sections)


def _value(key: str, text: str) -> Any:
    words = text.split()
    if key in _TEXT or not words or not all(_NUMBER.fullmatch(word) for word in words):
        return text
    numbers = tuple(int(word) if _WHOLE.fullmatch(word) else float(word) for word in words)
    return numbers[0] if len(numbers) == 1 else numbers
