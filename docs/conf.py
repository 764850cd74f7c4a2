"""How the documentation is built: `uv run sphinx-build -W docs build/docs`. Reference pages are made from the code."""

import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(_ROOT))

from pipeline import __version__  # noqa: E402
from tools.docs import write_reference  # noqa: E402

project = "fintrends-tui"
author = "the fintrends-tui authors"
copyright = "the fintrends-tui authors, MIT licence"  # noqa: A001 - the name that Sphinx reads
version = release = __version__

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nitpicky = True
exclude_patterns = ["build"]
html_theme = "furo"
html_title = f"fintrends-tui {__version__}"
html_static_path: list[str] = []

write_reference(_ROOT)
