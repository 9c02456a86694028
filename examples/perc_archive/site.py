"""What every service may look at: the content, the faults that concern listings, the style of listings."""

from __future__ import annotations

from dataclasses import dataclass

from perc_archive.faults import FaultBook
from perc_archive.tree import Tree


@dataclass(kw_only=True)
class Site:
    """One archive's state, as its services see it."""

    tree: Tree
    faults: FaultBook
    listing_style: str = "table"
