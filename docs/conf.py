"""Sphinx configuration."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "PERC"
author = "The PERC developers"
project_copyright = "2026, The PERC developers"
release = installed_version("profet")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The libraries have names in common (ServiceError, ReadableSource) that a short reference cannot tell apart.
suppress_warnings = ["ref.python"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "alabaster"
html_theme_options = {"description": "profet, empiarreader and caked: from ids to training batches"}
