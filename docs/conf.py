"""Sphinx configuration."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "PERC"
author = "The PERC developers"
project_copyright = "2026, The PERC developers"
release = installed_version("profet")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
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

html_theme = "furo"
html_title = "PERC"
# Commands are copied without their prompt and without what they print.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
