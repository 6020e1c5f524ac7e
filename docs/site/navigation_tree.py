"""The navigation tree in the sidebar of each page, made once.

Sphinx makes the tree anew for each page, from copies of all its parts: half of the time of a build. But the trees of
two pages differ only in the mark on the current entry and in the relative addresses.
"""

import posixpath
import re
from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx

BEFORE_THEME = 400
"""Sphinx calls handlers in the order of this number; the theme's has 500."""
MARK = re.compile(r" current\b|\bcurrent ")
ENTRY = re.compile(r'(<a class="reference internal" href=")([^"]*)(">)')
STEP = re.compile(r'<li class="[^"]*(?=")|</li>|<a class="reference internal" href="([^"]*)')


class NavigationTree:
    """Remembers the tree that Sphinx made for one page, and adapts it to the others."""

    def __init__(self) -> None:
        self._html: str | None = None

    def adapt(self, pagename: str, make: Callable[..., str], **options: Any) -> str:
        """Return the tree for a page, as HTML.

        Args:
            pagename: the page, without its suffix.
            make: makes the tree for this page; called only once.
            options: what the theme asks of it, the same for each page.
        """
        if self._html is None:
            self._html = _for_root(MARK.sub("", make(**options)), pagename)
        folder = posixpath.dirname(pagename) or "."

        def relative(entry: re.Match[str]) -> str:
            start, page, end = entry.groups()
            return f"{start}{posixpath.relpath(page, folder)}{end}"

        return ENTRY.sub(relative, _mark_current(self._html, f"{pagename}.html"))


def install(app: Sphinx) -> None:
    """Let the theme use the remembered tree."""
    tree = NavigationTree()

    def use(_app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
        if make := context.get("toctree"):
            context["toctree"] = lambda **options: tree.adapt(pagename, make, **options)

    app.connect("html-page-context", use, priority=BEFORE_THEME)


def _for_root(html: str, pagename: str) -> str:
    """Return the tree with addresses relative to the site's root; ``#`` is the page itself."""
    folder = posixpath.dirname(pagename)

    def absolute(entry: re.Match[str]) -> str:
        start, page, end = entry.groups()
        path = f"{pagename}.html" if page == "#" else posixpath.normpath(posixpath.join(folder, page))
        return f"{start}{path}{end}"

    return ENTRY.sub(absolute, html)


def _mark_current(html: str, page: str) -> str:
    """Return the tree with a mark on the entry of a page and on the entries around it."""
    open_entries: list[int] = []
    for step in STEP.finditer(html):
        if step[0] == "</li>":
            open_entries.pop()
        elif step[1] is None:
            open_entries.append(step.end())
        elif step[1] == page:
            for end in reversed(open_entries):
                html = f"{html[:end]} current{html[end:]}"
            break
    return html
