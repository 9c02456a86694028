"""Tables in STAR files, by address or path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from empiarreader.errors import PartitionIndexError
from empiarreader.mrcsource import Location, expand_locations
from empiarreader.tables.content import read_content
from empiarreader.tables.star import parse_star

if TYPE_CHECKING:
    import pandas
    import xarray


class StarSource:
    """STAR files as partitions of one source; parsed by the starfile library.

    Parameters
    ----------
    urlpath
        Address or path of a file, a local glob, or a list of them.
    metadata
        Anything to keep with the source.

    Raises
    ------
    ArchiveFileNotFoundError
        If a local glob matches nothing.
    """

    name = "starfile"

    def __init__(
        self, urlpath: Location | Iterable[Location], metadata: Mapping[str, Any] | None = None
    ) -> None:
        self.metadata = dict(metadata or {})
        self._locations = expand_locations(urlpath)

    def __repr__(self) -> str:
        return f"StarSource({list(self._locations)!r})"

    def __len__(self) -> int:
        return len(self._locations)

    @property
    def npartitions(self) -> int:
        """Number of files."""
        return len(self)

    @property
    def names(self) -> Sequence[str]:
        """Addresses or paths of the files."""
        return self._locations

    def tables(self, i: int = 0) -> dict[str, pandas.DataFrame]:
        """Return the data blocks of file ``i`` by name; the whole file moves.

        A block without a loop becomes a table of one row.

        Raises
        ------
        PartitionIndexError
            If there is no such file.
        DamagedDataError
            If it holds no STAR table.
        ArchiveFileNotFoundError, ServiceError
            If it is not there, or cannot be had.
        """
        if not -len(self) <= i < len(self):
            raise PartitionIndexError(f"there is no partition {i}; there are {len(self)}, counted from 0")
        location = self._locations[i]
        return parse_star(read_content(location), location)

    def read_partition(self, i: int = 0) -> xarray.Dataset:
        """Return the tables of file ``i`` as a dataset, with the attribute ``filename``.

        Every column is a variable of the dimensions ``(frame, index)``: a frame is a data block, whose name
        is in the coordinate ``block``, and an index one of its rows. Where blocks differ in columns or
        length, the gaps are NaN; :meth:`tables` gives each block as it is.
        """
        import pandas
        import xarray

        tables = self.tables(i)
        blocks = [_as_dataset(table) for table in tables.values()]
        joined = xarray.concat(
            blocks, dim=pandas.RangeIndex(len(blocks), name="frame"), data_vars="all", join="outer"
        )
        return joined.assign_coords(block=("frame", list(tables))).assign_attrs(filename=self._locations[i])

    def read(self) -> xarray.Dataset:
        """Return the tables of all files, with their addresses or paths in the variable ``filename``.

        For several files the dimension ``partition`` comes first.
        """
        import xarray

        parts = [self.read_partition(i) for i in range(len(self))]
        joined = parts[0]
        if len(parts) > 1:
            bare = [part.drop_vars("block") for part in parts]
            joined = xarray.concat(bare, dim="partition", data_vars="all", join="outer", combine_attrs="drop")
        return joined.drop_attrs().assign(filename=("partition", list(self._locations)))


def _as_dataset(table: pandas.DataFrame) -> xarray.Dataset:
    dataset: xarray.Dataset = table.reset_index(drop=True).to_xarray()
    return dataset
