"""The documentation site, built once: a warning is an error, and the store's CSP refuses nothing on a page."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from os.path import normpath
from urllib.parse import unquote, urlsplit

import pytest

from shop.settings import PROJECT_ROOT

DOCS = PROJECT_ROOT / "docs"
BUILDER = DOCS / "site" / "build_site.py"
LOADING = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src"), ("use", "href")}
pytestmark = pytest.mark.xdist_group("docs_site")


class PageReader(HTMLParser):
    """Collects the ids, links and loaded files of a page, and what the CSP or axe refuses."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.loaded = set(), set(), set()
        self.inline, self.inaccessible = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        if (given.get("role") == "heading" and "aria-level" not in given) or (
            (tag == "pre" or "table-wrapper" in (given.get("class") or "")) and "tabindex" not in given
        ):
            self.inaccessible.append(self.get_starttag_text())
        if tag == "a" and given.get("href"):
            self.links.add(given["href"])
        self.loaded |= {given[name] for name in given if (tag, name) in LOADING}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run([sys.executable, BUILDER, folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Each page of the site by its path."""
    return {page: PageReader(page.read_text()) for page in site.rglob("*.html")}


def test_site_has_every_page_but_no_hint_and_no_solution(pages, site):
    named = {page.relative_to(site).with_suffix(".md").as_posix() for page in pages}
    sources = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    left_out = {name for name in sources if name.startswith("exercises/") and not name.endswith("/README.md")}
    assert {"exercises/03-cache-aside/why.md", "exercises/03-cache-aside/hints.md"} <= left_out
    assert named & sources == sources - left_out


def test_no_page_has_inline_code_or_loads_from_elsewhere(pages):
    assert {page.name: reader.inline for page, reader in pages.items() if reader.inline} == {}
    assert {url for reader in pages.values() for url in reader.loaded if urlsplit(url).netloc} == set()


def test_headings_have_levels_and_wide_parts_scroll_by_keyboard(pages):
    assert {page.name: reader.inaccessible for page, reader in pages.items() if reader.inaccessible} == {}


def test_every_link_on_the_site_leads_somewhere(pages, site):
    ids = {str(page): reader.ids for page, reader in pages.items()}
    files = {str(path) for path in site.rglob("*") if path.is_file()}
    broken = set()
    for page, reader in pages.items():
        for url in reader.links | reader.loaded:
            address = urlsplit(url)
            target = normpath(page.parent / unquote(address.path)) if address.path else str(page)
            found = target in files and (not address.fragment or unquote(address.fragment) in ids.get(target, ()))
            if not address.scheme and not found:
                broken.add((page.name, url))
    assert broken == set()


def test_site_can_be_searched_without_a_network(site):
    index = (site / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex(")
    assert re.search(r'"?stamped"?:', index)  # the stem of stampede
    assert 'src="searchindex.js' in (site / "search.html").read_text()


def test_navigation_lists_every_section_of_the_index(site):
    page = (site / "patterns" / "stock.html").read_text()
    captions = re.findall(r'<span class="caption-text">(.*?)</span>', page)
    titles = re.findall(r"^## (.*)$", (DOCS / "README.md").read_text(), re.MULTILINE)
    assert captions == [title for title in titles if title != "Update generated parts"]
    assert re.search(r'current-page"><a class="reference internal" href="stock.html"', page)
