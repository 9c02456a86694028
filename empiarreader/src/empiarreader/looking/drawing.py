"""Drawing what was seen: scale bars, rings of resolution, and the sheet around the pictures.

Rows of an image go down and columns to the right, as numpy and most programs for single particles show them
(IMOD and ChimeraX let rows go up). Names come from the archive and are drawn as they stand: nothing in them
is taken as a formula.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.looking.scale import bar_length, say_length
from empiarreader.looking.spectrum import PowerSpectrum, rings
from empiarreader.missing import import_extra
from empiarreader.printable import printable
from empiarreader.thumbnails import to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from empiarreader.looking.look import Look

_DPI = 100
_INK, _FAINT, _PAPER, _ACCENT = "#1c2128", "#6b7480", "#ffffff", "#ffb000"
_LONGEST_NAME = 96
_SIDE, _MARGIN, _BOTTOM = 5.4, 0.25, 1.55  # inches
_CELL, _GAP, _LABEL = 2.35, 0.18, 0.42  # of a sheet
_REASON, _MOST_LINES = 0.4, 7
_WIDE, _NARROW, _HIGH = 2 * _SIDE + 3 * _MARGIN, _SIDE + 2 * _MARGIN, _SIDE + 2.35


def draw_look(
    name: str, lines: Sequence[str], look: Look, pixel_size_angstrom: tuple[float, float] | None
) -> bytes:
    """Return the PNG file of a look at an image: its picture, and its power spectrum where there is one.

    Parameters
    ----------
    name, lines
        What stands above the picture: the name and the first line; and below it: the others.
    look
        What was seen.
    pixel_size_angstrom
        Of the image along y and x, None where nobody says.
    """
    spectrum, size = look.spectrum, pixel_size_angstrom
    figure = _figure(_WIDE if spectrum else _NARROW, _HIGH)
    wide, high = figure.get_size_inches()
    _text(figure, _MARGIN / wide, 1 - 0.38 / high, _short(name), size=13, color=_INK, weight="bold")
    _text(figure, _MARGIN / wide, 1 - 0.63 / high, lines[0], size=10, color=_FAINT)
    for number, line in enumerate(lines[1:]):
        place, colour = (1.22 - 0.23 * number) / high, _FAINT if number else _INK
        _text(figure, _MARGIN / wide, place, _capital(line), size=9.5, color=colour)

    def axes_at(left: float, bottom: float, width: float, height: float) -> Any:
        return figure.add_axes((left / wide, bottom / high, width / wide, height / high))

    height, width = look.picture.shape
    tall = _SIDE * min(1.0, height / width)
    if look.detail is None:
        _show_picture(axes_at(_MARGIN, _BOTTOM, _SIDE, _SIDE), look.picture, look.block, size)
    else:  # a band: its middle, larger, fills the space below
        top = _BOTTOM + _SIDE - tall
        _show_picture(axes_at(_MARGIN, top, _SIDE, tall), look.picture, look.block, size)
        left = _SIDE - tall - _MARGIN / 2
        _show_picture(axes_at(_MARGIN, _BOTTOM, _SIDE, left), look.detail, look.detail_block, size)
    if spectrum is not None:
        right = 2 * _MARGIN + _SIDE
        _show_spectrum(axes_at(right, _BOTTOM, _SIDE, _SIDE), spectrum)
        _show_curve(axes_at(right + 0.55, 0.5, _SIDE - 0.6, 0.9), spectrum)
    return _png(figure)


def draw_sheet(
    title: str, names: Sequence[str], pictures: Sequence[NDArray[Any] | None], notes: Sequence[str], foot: str
) -> bytes:
    """Return the PNG file of a contact sheet: pictures by rows, each with its name below it.

    Parameters
    ----------
    title, foot
        Above and below all of it.
    names
        Of the pictures.
    pictures
        ``(y, x)``; None where there is none.
    notes
        What stands below each name; where there is no picture, in its place, as the reason.
    """
    across = min(len(names), max(3, int(np.ceil(len(names) ** 0.5))))
    shares = [_share(picture) for picture in pictures]
    rows = [_CELL * max(shares[start : start + across]) for start in range(0, len(shares), across)]
    width, height = across * (_CELL + _GAP) + _GAP, sum(rows) + len(rows) * _LABEL + 1.05
    figure = _figure(width, height)
    above, below = _short(title, int(width * 9)), _short(foot, int(width * 13))
    _text(figure, _GAP / width, 1 - 0.42 / height, above, size=12, color=_INK, weight="bold")
    _text(figure, _GAP / width, 0.2 / height, below, size=8.5, color=_FAINT)
    bottom = height - 0.6
    for row, high in enumerate(rows):
        bottom -= high
        for column in range(min(across, len(names) - row * across)):
            number, left = row * across + column, _GAP + column * (_CELL + _GAP)
            axes = figure.add_axes((left / width, bottom / height, _CELL / width, high / height))
            picture, note = pictures[number], notes[number]
            if picture is None:
                _blank(axes, note)
            else:
                _image(axes, picture)
                _text(figure, left / width, (bottom - 0.3) / height, _short(note, 40), size=7, color=_FAINT)
            name = _short(names[number], 36)
            _text(figure, left / width, (bottom - 0.155) / height, name, size=8, color=_INK)
        bottom -= _LABEL
    return _png(figure)


def _share(picture: NDArray[Any] | None) -> float:
    """Return how much of the height of a square a picture takes that is as wide, or what a reason takes."""
    return _REASON if picture is None else min(1.0, picture.shape[0] / picture.shape[1])


def _figure(width: float, height: float) -> Any:
    figure_module = import_extra("matplotlib.figure", "plot", "this draws a picture", how="drawn")
    return figure_module.Figure(figsize=(width, height), dpi=_DPI, facecolor=_PAPER)


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _show_picture(
    axes: Any, picture: NDArray[Any], block: int, pixel_size: tuple[float, float] | None
) -> None:
    _image(axes, picture, aspect=pixel_size[0] / pixel_size[1] if pixel_size else 1.0)
    columns = picture.shape[1]
    across = pixel_size[1] if pixel_size else 1.0
    length = bar_length(columns * block * across)
    label = say_length(length) if pixel_size else f"{length:g} pixels"
    _bar(axes, length / (columns * block * across), label)


def _bar(axes: Any, part: float, label: str) -> None:
    from matplotlib.patches import Rectangle

    box = axes.get_position()
    wide, high = axes.figure.get_size_inches() * (box.width, box.height)
    style = {"transform": axes.transAxes, "linewidth": 0, "zorder": 3}

    def rectangle(left: float, bottom: float, width: float, height: float, **colours: Any) -> None:
        corner = (left / wide, bottom / high)
        axes.add_patch(Rectangle(corner, width / wide, height / high, **colours, **style))

    length = part * wide
    rectangle(0.1, 0.1, max(length, 0.6) + 0.16, 0.4, color="black", alpha=0.55)
    rectangle(0.18, 0.17, length, 0.055, color="white")
    axes.text(
        (0.18 + max(length, 0.6) / 2) / wide, 0.26 / high, label, transform=axes.transAxes, color="white",
        fontsize=9.5, ha="center", va="bottom", zorder=4, parse_math=False,
    )  # fmt: skip


def _show_spectrum(axes: Any, spectrum: PowerSpectrum) -> None:
    from matplotlib.patches import Ellipse
    from matplotlib.patheffects import withStroke

    axes.imshow(spectrum.shown(), cmap="gray", vmin=0, vmax=1, interpolation="antialiased", aspect="equal")
    n = len(spectrum.power)
    centre = n // 2
    for resolution, (height, width) in rings(spectrum):
        ellipse = Ellipse(
            (centre, centre), 2 * width, 2 * height, fill=False, edgecolor=_ACCENT, linewidth=0.8, alpha=0.8,
            linestyle=(0, (4, 3)),
        )  # fmt: skip
        axes.add_patch(ellipse)
        axes.text(
            centre + width * 0.7071, centre - height * 0.7071, f"{resolution:g} Å", color=_ACCENT,
            fontsize=9.5, ha="left", va="bottom", parse_math=False,
            path_effects=[withStroke(linewidth=2.2, foreground="black")],
        )  # fmt: skip
    _bare(axes)


def _show_curve(axes: Any, spectrum: PowerSpectrum) -> None:
    frequency, power = spectrum.radial()
    first = max(1, len(frequency) // 50)
    axes.plot(frequency[first:], np.log10(np.maximum(power[first:], 1e-300)), color="#1f6feb", linewidth=1.2)
    axes.set_xlim(0, frequency[-1])
    unit = "1/Å" if spectrum.pixel_size_angstrom else "cycles a pixel"
    axes.set_xlabel(f"spatial frequency ({unit}), up to Nyquist's", fontsize=8.5, color=_FAINT, labelpad=2)
    axes.set_ylabel("log₁₀ power", fontsize=8.5, color=_FAINT)
    axes.tick_params(labelsize=8, colors=_FAINT, length=2.5)
    axes.grid(axis="x", color="#e6e9ed", linewidth=0.7)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c5cbd3")
    for resolution, _ in rings(spectrum):
        axes.axvline(1 / resolution, color=_ACCENT, linewidth=0.9, linestyle=(0, (4, 3)))


def _image(axes: Any, picture: NDArray[Any], aspect: float = 1.0) -> None:
    grey = to_grey(picture)
    shown = np.ma.masked_array(grey, ~np.isfinite(picture))
    axes.set_facecolor("#e6e9ed")
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="antialiased", aspect=aspect)
    axes.set_anchor("NW")
    _bare(axes)


def _blank(axes: Any, reason: str) -> None:
    axes.set_facecolor("#f0f2f4")
    lines = textwrap.wrap(_drawable(reason), 38)
    shown = "\n".join(lines[:_MOST_LINES]) + (" …" if len(lines) > _MOST_LINES else "")
    axes.text(
        0.5, 0.5, shown, transform=axes.transAxes, color=_FAINT, fontsize=7, ha="center", va="center",
        parse_math=False,
    )  # fmt: skip
    _bare(axes)


def _bare(axes: Any) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _text(figure: Any, x: float, y: float, text: str, **style: Any) -> None:
    style["fontsize"] = style.pop("size")
    figure.text(x, y, _drawable(text), parse_math=False, **style)


def _drawable(text: str) -> str:
    """Return text that the font has letters for: matplotlib warns of every other one."""
    from matplotlib.font_manager import fontManager, get_font

    font = get_font(fontManager.findfont("DejaVu Sans"))
    return "".join(letter if font.get_char_index(ord(letter)) else "\ufffd" for letter in printable(text))


def _short(text: str, most: int = _LONGEST_NAME) -> str:
    """Return a text whose middle is left out where it is too long: names differ at their ends."""
    if len(text) <= most:
        return text
    head = most // 3
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]
