"""Sphinx configuration; `make docs` builds the site into docs/_build/html."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "surefoot"
author = "the surefoot authors"
copyright = author
version = release = installed_version("surefoot")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "surefoot_docs",
]
html_theme = "basic"
if not tags.has("plain"):  # noqa: F821  # of sphinx; the test of the site leaves out its looks
    extensions.append("sphinx.ext.viewcode")
    html_theme = "furo"
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_use_type_comments = False  # there are none to look for
autodoc_type_aliases = {  # written as in the source, not spelled out
    name: name
    for name in ("npt.ArrayLike", "Floats", "Names", "Choice", "Groups", "BySeed", "Rewards")
}
napoleon_use_ivar = True  # attributes stand in the class, not a second time below it
suppress_warnings = ["ref.python"]  # `labels`, `mean`: names that several modules have

html_math_renderer = "mathml"  # drawn by the browser: the site opens without a network
html_static_path = ["_static"]
html_css_files = ["surefoot.css"]
html_title = "surefoot"
html_show_sphinx = False
html_copy_source = False
