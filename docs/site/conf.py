"""Settings of the documentation site: Sphinx reads the Markdown of ``docs`` as it is.

``make docs`` builds the site (:mod:`build_site`). The index page ``docs/README.md`` is also the navigation
(:mod:`navigation`, :mod:`navigation_tree`). A link to a source file leads to a page with its code
(:mod:`source_pages`). No page contains a script or a style (:mod:`page_corrections`).
"""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

import navigation
import navigation_tree
import page_corrections
import source_pages

project = "shop"
html_title = "shop: documentation"
root_doc = "README"
extensions = ["myst_parser"]
exclude_patterns = ["exercises/*/[!R]*.md"]
"""The hints and the solution of an exercise are for ``bin/shop exercise``; the forms for answers are not pages."""
myst_heading_anchors = 4
html_theme = "furo"
html_copy_source = False
html_use_index = False


def setup(app: Sphinx) -> None:
    """Install the parts of the site that Sphinx does not bring."""
    navigation.install(app)
    navigation_tree.install(app)
    source_pages.install(app)
    page_corrections.install(app)
