"""Sphinx configuration: Markdown pages by MyST, built without network (`make docs`)."""

import flancompile

project = "flancompile"
release = flancompile.__version__
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"flancompile {release}"
html_static_path: list[str] = []
exclude_patterns = ["_build"]
nitpicky = True
