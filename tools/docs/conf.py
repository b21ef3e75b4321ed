"""What Sphinx is told about the site; `python -m tools.docs` gives it the folder with all pages."""

from __future__ import annotations

from darknet_py.version import VERSION

project = "darknet-py"
release = version = VERSION
copyright = "the authors of darknet-py, MIT licence"  # noqa: A001 - Sphinx's name for it
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns: list[str] = []
myst_heading_anchors = 4  # so that [text](page.md#heading) leads there
highlight_language = "none"  # of blocks that name no language
smartquotes = False  # they would make one dash of the two of an option
default_role = "code"  # docstrings have `single` backticks
autodoc_typehints = "description"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = f"darknet-py {VERSION}"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
