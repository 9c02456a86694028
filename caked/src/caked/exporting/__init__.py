"""Write a processed data set: images, and beside them all that is known of each sample."""

from __future__ import annotations

from caked.exporting.run import Exported, ExportFormat, export

__all__ = ["ExportFormat", "Exported", "export"]
