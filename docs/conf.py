"""The site: `make site` builds it into build/site/html."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bindings-python" / "python"))

project = "mailbearer"
html_title = "mailbearer"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["conf.py"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
html_theme = "furo"
html_static_path = []
# The header is C99 with attributes that the highlighter does not know; the types name our own aliases.
suppress_warnings = ["misc.highlighting_failure", "autodoc", "ref.python"]
nitpicky = False
