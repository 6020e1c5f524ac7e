"""Pages with the source files that the documentation links: the site is complete without the checkout."""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "code"
"""Of the site, for these pages."""


class SourceLinks(SphinxTransform):
    """Turns each link to a file that is no page into a link to the page with its source."""

    default_priority = 500

    def apply(self, **_options: Any) -> None:
        """Change the links of one page."""
        for node in list(self.document.findall(addnodes.download_reference)):
            target = (ROOT / "docs" / self.env.docname).parent / node["reftarget"]
            path = target.resolve().relative_to(ROOT).as_posix()
            _linked(self.app).add(path)
            page = posixpath.relpath(f"{FOLDER}/{path}.html", posixpath.dirname(self.env.docname) or ".")
            node.replace_self(nodes.reference("", "", *node.children, internal=True, refuri=page))


def install(app: Sphinx) -> None:
    """Link source files, and write a page for each that is linked."""
    app.add_transform(SourceLinks)
    app.connect("html-collect-pages", _pages)


def language(path: Path) -> str:
    """Return the name of the highlighter for a file, ``text`` if there is none."""
    name = path.name.removesuffix(".template")
    try:
        return str(get_lexer_for_filename(name).aliases[0])
    except ClassNotFound:
        return "text"


def _linked(app: Sphinx) -> set[str]:
    env: Any = app.env
    if not hasattr(env, "linked_sources"):
        env.linked_sources = set[str]()
    linked: set[str] = env.linked_sources
    return linked


def _pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    builder: Any = app.builder
    for name in sorted(_linked(app)):
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        code = builder.highlighter.highlight_block(text, language(path), linenos="inline")
        yield f"{FOLDER}/{name}", {"title": name, "body": f"<h1>{name}</h1>\n{code}"}, "page.html"
