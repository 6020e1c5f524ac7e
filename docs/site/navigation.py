"""The navigation of the site: the links of the index page, and of the action plan, in their order.

Sphinx wants a page's children as a ``toctree``. On a forge, such a block would be noise. So each section of the index
becomes a hidden one while Sphinx reads the page, and a new page needs only its link there.
"""

import posixpath
import re
from itertools import zip_longest

from sphinx.application import Sphinx

INDEX = "README"
ACTION_PLAN = "action-plan/README"
SECTION = re.compile(r"^## (.+?)$\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
TABLE_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
PAGE_LINK = re.compile(r"\]\(([\w./-]+\.md)\)")
MATERIAL = re.compile(r"^\.\./[a-z]\w*/README\.md$")
"""A link from an exercise to the page of a folder without a number: its material, such as the service it is about."""


def install(app: Sphinx) -> None:
    """Give the index, the action plan and the exercises their children."""
    app.connect("source-read", _add_children)


def index_children(text: str) -> dict[str, list[str]]:
    """Return the pages of each section of the index, each page once; a table is read column by column.

    Args:
        text: the index, as Markdown.
    """
    seen: set[str] = set()
    children = {}
    for title, section in SECTION.findall(text):
        pages = [page for page in PAGE_LINK.findall(_by_column(section)) if page not in seen]
        seen.update(pages)
        if pages:
            children[title] = list(dict.fromkeys(pages))
    return children


def exercise_pages(text: str) -> list[str]:
    """Return the exercises that the action plan links, in their order."""
    return list(dict.fromkeys(page for page in PAGE_LINK.findall(text) if "/exercises/" in page))


def _by_column(section: str) -> str:
    rows = [row.strip("|").split("|") for row in TABLE_ROW.findall(section)]
    columns = zip_longest(*rows, fillvalue="")
    return "\n".join(cell for column in columns for cell in column) + TABLE_ROW.sub("", section)


def _add_children(_app: Sphinx, docname: str, source: list[str]) -> None:
    if docname == INDEX:
        trees = [_toctree(docname, pages, title) for title, pages in index_children(source[0]).items()]
        source[0] += "".join(trees)
    if docname == ACTION_PLAN:
        source[0] += _toctree(docname, exercise_pages(source[0]))
    if docname.startswith("exercises/"):
        source[0] += _toctree(docname, [page for page in PAGE_LINK.findall(source[0]) if MATERIAL.match(page)])


def _toctree(docname: str, pages: list[str], caption: str = "") -> str:
    if not pages:
        return ""
    folder = posixpath.dirname(docname)
    names = [posixpath.normpath(posixpath.join("/", folder, page)).removesuffix(".md") for page in pages]
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n```{toctree}\n" + "\n".join([*options, "", *names]) + "\n```\n"
