"""Header of an MRC file: 1024 bytes that say where the pixels are and what they mean.

Permissive where real writers are careless (no ``MAP ``, a machine stamp of zeros or a wrong one, no cell)
and strict where memory is at stake: nothing is believed that the size of the file contradicts. No pixel is
read here.

Sources: MRC2014 (doi:10.1016/j.jsb.2015.04.002, https://www.ccpem.ac.uk/mrc_format/mrc2014.php); for signed
bytes, 4 bits and the IMOD stamp, https://bio3d.colorado.edu/imod/doc/mrc_format.txt.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Literal

from empiarreader.errors import DamagedDataError
from empiarreader.images.fourbits import TITLE, is_half_a_camera
from empiarreader.images.raw import Packing, RawPixels
from empiarreader.voxels import VoxelSize

ByteOrder = Literal["<", ">"]

HEADER_BYTES = 1024
_IMOD_STAMP = 1146047817
_SIGNED_FLAG, _FOUR_BITS_FLAG = 1, 16
# Stored bits a value, and the type that values are read as, without byte order.
_MODES = {
    0: (8, "i1"),
    1: (16, "i2"),
    2: (32, "f4"),
    3: (32, "c8"),
    4: (64, "c8"),
    6: (16, "u2"),
    12: (16, "f2"),
    101: (4, "u1"),
}
_STORED = {3: "i2", 101: "u1"}  # where it is not the type that values are read as
_PACKINGS: dict[int, Packing] = {3: "short complex", 101: "four bits"}
_FIRST_VOLUME_STACK_SPACE_GROUP = 401
_ORDERS: tuple[ByteOrder, ...] = ("<", ">")
_AXES = {1: "x", 2: "y", 3: "z"}


@dataclass(frozen=True, kw_only=True)
class MrcHeader:
    """What an MRC header says, in array order and checked.

    Attributes
    ----------
    shape : tuple of int
        ``(y, x)`` for the single section of an image, ``(section, y, x)`` for a stack or volume, and
        ``(volume, z, y, x)`` for a stack of volumes. The same as mrcfile's.
    mode : int
        Mode word: 0, 1, 2, 3, 4, 6, 12 or 101; 101 also where bytes of mode 0 hold two values each, as
        SerialEM writes them.
    dtype : str
        Type of the values once read, in numpy's code and without byte order (``"f4"``).
    byte_order : {"<", ">"}
        Byte order of the file.
    data_offset : int
        Where the pixels begin: 1024 and the length of the extended header.
    row_bytes : int
        Bytes of one row. Rows of mode 101 end with a whole byte.
    voxel_size : VoxelSize
        Å along the cell's z, y and x; 0.0 where the header does not say.
    axis_order : tuple of str
        Which of the cell's axes the last three array axes lie along: ``("z", "y", "x")`` in nearly all files.
    is_volume : bool
        Whether the header calls it a volume. Many writers of stacks say so too; do not decide by it alone.
    extended_header : str
        Kind of the extended header (``"FEI2"``, ``"SERI"``), ``""`` where there is none.
    origin : tuple of float
        Origin in Å, ``(z, y, x)``.
    start : tuple of int
        First section, row and column in the unit cell, in array order.
    intervals : tuple of int
        Sampling intervals along the cell's z, y and x.
    density : tuple of float
        Minimum, maximum and mean as the writer left them.
    """

    shape: tuple[int, ...]
    mode: int
    dtype: str
    byte_order: ByteOrder
    data_offset: int
    row_bytes: int
    voxel_size: VoxelSize
    axis_order: tuple[str, str, str]
    is_volume: bool
    extended_header: str
    origin: tuple[float, float, float]
    start: tuple[int, int, int]
    intervals: tuple[int, int, int]
    density: tuple[float, float, float]

    @property
    def sections(self) -> int:
        """Number of planes ``(y, x)`` in the file."""
        return math.prod(self.shape[:-2])

    @property
    def section_bytes(self) -> int:
        """Bytes of one plane."""
        return self.shape[-2] * self.row_bytes

    @property
    def data_bytes(self) -> int:
        """Bytes of all pixels."""
        return self.sections * self.section_bytes

    @property
    def pixels(self) -> RawPixels:
        """Where the pixels are and how they are stored."""
        return RawPixels(
            shape=self.shape,
            stored=f"{self.byte_order}{_STORED.get(self.mode, self.dtype)}",
            offset=self.data_offset,
            row_bytes=self.row_bytes,
            section_bytes=self.section_bytes,
            packing=_PACKINGS.get(self.mode, "plain"),
        )


def parse_mrc_header(
    content: bytes, *, file_bytes: int, name: str = "MRC file", signed_bytes: bool | None = None
) -> MrcHeader:
    r"""Return the header that a file begins with.

    Parameters
    ----------
    content
        The first 1024 bytes of the file, or more.
    file_bytes
        Size of the whole file, uncompressed. Headers that promise more pixels than that are refused.
    name
        What to call the file in messages.
    signed_bytes
        Whether pixels of mode 0 are signed where the header does not carry IMOD's stamp, which says so. None
        takes them as signed then, as MRC2014 does, unless the header's own maximum is above 127.

    Raises
    ------
    DamagedDataError
        If this is no MRC header, or the file is too short for what it says.

    Examples
    --------
    >>> import struct
    >>> content = struct.pack("<10i3f", 4096, 4096, 40, 6, 0, 0, 0, 4096, 4096, 40, 4300.8, 4300.8, 42.0)
    >>> header = parse_mrc_header(content.ljust(1024, b"\0"), file_bytes=1024 + 40 * 4096 * 4096 * 2)
    >>> header.shape, header.dtype, round(header.voxel_size.x, 3)
    ((40, 4096, 4096), 'u2', 1.05)
    """
    if len(content) < HEADER_BYTES:
        raise DamagedDataError(
            f"{name} is no MRC file: it has {file_bytes} bytes, and the header alone has {HEADER_BYTES}"
        )
    headers = [header for order in _ORDERS if (header := _parse(content, order, signed_bytes)) is not None]
    fitting = [header for header in headers if header.data_offset + header.data_bytes <= file_bytes]
    if not fitting:
        raise DamagedDataError(_why_refused(content, headers, file_bytes, name))
    header = fitting[0]
    if len(fitting) > 1 and fitting[1].byte_order == _stamped_order(content):
        header = fitting[1]
    return header


def _parse(content: bytes, order: ByteOrder, signed_bytes: bool | None) -> MrcHeader | None:
    """Return the header as it reads in one byte order, None where that makes no sense."""
    nx, ny, nz, mode, *start, mx, my, mz = struct.unpack_from(f"{order}10i", content)
    lx, ly, lz = struct.unpack_from(f"{order}3f", content, 40)
    mapc, mapr, maps, *density, space_group, extended_bytes = struct.unpack_from(
        f"{order}3i3f2i", content, 64
    )
    if mode not in _MODES or min(nx, ny, nz) < 1 or extended_bytes < 0:
        return None
    if mode == 0 and _bytes_hold_two(content, order, ny, nx):
        mode, nx = 101, 2 * nx
        mx, lx = 2 * mx, 2 * lx
    bits, dtype = _MODES[mode]
    if mode == 0 and not _bytes_are_signed(content, order, density[0], density[1], signed_bytes):
        dtype = "u1"
    return MrcHeader(
        shape=_shape(nx, ny, nz, mz, space_group),
        mode=mode,
        dtype=dtype,
        byte_order=order,
        data_offset=HEADER_BYTES + extended_bytes,
        row_bytes=(nx * bits + 7) // 8,
        voxel_size=VoxelSize(z=_spacing(lz, mz), y=_spacing(ly, my), x=_spacing(lx, mx)),
        axis_order=_axis_order(mapc, mapr, maps),
        is_volume=space_group > 0,
        extended_header=_extended_kind(content) if extended_bytes else "",
        origin=struct.unpack_from(f"{order}3f", content, 196)[::-1],
        start=(start[2], start[1], start[0]),
        intervals=(mz, my, mx),
        density=(density[0], density[1], density[2]),
    )


def _shape(nx: int, ny: int, nz: int, mz: int, space_group: int) -> tuple[int, ...]:
    if space_group >= _FIRST_VOLUME_STACK_SPACE_GROUP and mz > 0 and nz % mz == 0:
        return nz // mz, mz, ny, nx
    if space_group == 0 and nz == 1:
        return ny, nx
    return nz, ny, nx


def _spacing(length: float, intervals: int) -> float:
    return length / intervals if intervals > 0 and math.isfinite(length) else 0.0


def _axis_order(mapc: int, mapr: int, maps: int) -> tuple[str, str, str]:
    if {mapc, mapr, maps} != {1, 2, 3}:
        return "z", "y", "x"  # left at zero by some writers, who mean the usual order
    return _AXES[maps], _AXES[mapr], _AXES[mapc]


def _bytes_are_signed(
    content: bytes, order: ByteOrder, low: float, high: float, unstamped: bool | None
) -> bool:
    stamp, flags = struct.unpack_from(f"{order}2i", content, 152)
    if stamp == _IMOD_STAMP:
        return bool(flags & _SIGNED_FLAG)
    if unstamped is not None:
        return unstamped
    return not (low >= 0 and 127 < high <= 255)


def _bytes_hold_two(content: bytes, order: ByteOrder, rows: int, columns: int) -> bool:
    stamp, flags, labels = (
        *struct.unpack_from(f"{order}2i", content, 152),
        *struct.unpack_from(f"{order}i", content, 220),
    )
    if stamp == _IMOD_STAMP and flags & _FOUR_BITS_FLAG:
        return True
    return labels == 1 and TITLE.encode() in content[224:304] and is_half_a_camera(rows, columns)


def _extended_kind(content: bytes) -> str:
    return content[104:108].decode("ascii", errors="replace").strip("\0 ")


def _stamped_order(content: bytes) -> str:
    return ">" if content[212:214] == b"\x11\x11" else "<"


def _why_refused(content: bytes, headers: list[MrcHeader], file_bytes: int, name: str) -> str:
    if content.lstrip()[:1] == b"<":
        return f"{name} is no MRC file but a web page or XML"
    if not headers:
        columns, rows, sections, mode = struct.unpack_from("<4i", content)
        return (
            f"{name} is no MRC file: its header says {sections} x {rows} x {columns} pixels of mode {mode}; "
            f"modes {', '.join(map(str, _MODES))} exist"
        )
    header = headers[0]
    return (
        f"{name} has {file_bytes} bytes, but its header promises {header.data_offset + header.data_bytes} "
        f"({' x '.join(map(str, header.shape))} of mode {header.mode}); it was cut short or is no MRC file"
    )
