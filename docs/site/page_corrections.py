"""Corrects the written pages: the theme's pages break the store's Content-Security-Policy and two rules of axe.

The theme writes one script and one style into each page, and style attributes on its icons. The same content becomes
one file, named by its hash. The captions of the navigation get a level, and code and tables that scroll can be reached
by keyboard.
"""

import re
import shutil
from hashlib import sha256
from pathlib import Path

from sphinx.application import Sphinx

FOLDER = "_static"
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
ATTRIBUTE = re.compile(r' style="([^"]*)"')
"""In a tag: in text and code, Sphinx escapes the quotation marks."""
ACCESSIBLE = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper ', '<div tabindex="0" class="table-wrapper '),
)
"""Tags, and their corrected forms (WCAG 2.1, 4.1.2 and 2.1.1)."""


class SiteFiles:
    """Collects the files of a site whose content stood in its pages."""

    def __init__(self) -> None:
        self.contents: dict[str, str] = {}

    def externalise(self, html: str, to_root: str) -> str:
        """Return a page without scripts and styles.

        Args:
            html: the page.
            to_root: the relative address of the site's root, such as ``../``.
        """
        rules: dict[str, str] = {}

        def script(found: re.Match[str]) -> str:
            return f'<script src="{to_root}{self._add(found[1], "js")}"></script>'

        def style(found: re.Match[str]) -> str:
            return f'<link rel="stylesheet" href="{to_root}{self._add(found[1], "css")}">'

        def attribute(found: re.Match[str]) -> str:
            name = _digest(found[1])
            rules[name] = found[1]
            return f' data-style="{name}"'

        html = STYLE.sub(style, SCRIPT.sub(script, ATTRIBUTE.sub(attribute, html)))
        if rules:
            text = "\n".join(f'[data-style="{name}"] {{ {rule} }}' for name, rule in sorted(rules.items()))
            link = f'<link rel="stylesheet" href="{to_root}{self._add(text, "css")}">'
            html = html.replace("</head>", f"{link}\n</head>", 1)
        return html

    def _add(self, content: str, suffix: str) -> str:
        path = f"{FOLDER}/{_digest(content)}.{suffix}"
        self.contents[path] = content
        return path


def install(app: Sphinx) -> None:
    """Work on the pages after they are written."""
    app.connect("build-finished", _externalise_site)


def _externalise_site(app: Sphinx, error: Exception | None) -> None:
    if error is not None:
        return
    site, files = Path(app.outdir), SiteFiles()
    for page in sorted(site.rglob("*.html")):
        to_root = "../" * (len(page.relative_to(site).parts) - 1)
        html = files.externalise(page.read_text(encoding="utf-8"), to_root)
        for tag, corrected in ACCESSIBLE:
            html = html.replace(tag, corrected)
        page.write_text(html, encoding="utf-8")
    for path, content in files.contents.items():
        (site / path).write_text(content, encoding="utf-8")
    shutil.copyfile(site / f"{app.config.root_doc}.html", site / "index.html")


def _digest(content: str) -> str:
    return sha256(content.encode()).hexdigest()[:12]
