"""What search engines and link previews are told: whole addresses, a picture they show, what to read and what not."""

import re
import struct
from dataclasses import replace
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import pytest

from shop.app import create_app
from shop.catalog import sitemap
from tests.factories import make_category, make_product

ADDRESS = "https://shop.example"
NAMESPACE = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


@pytest.fixture
def client(runtime, database):
    """A client of a store with an address of its own, which sells two mugs and no longer a third."""
    with database.transaction() as session:
        mugs = make_category(session, "mugs", make_category(session, "kitchen"))
        make_product(session, mugs, "blue-mug")
        make_product(session, mugs, "red-mug", id=sitemap.PART * 2 + 1)
        make_product(session, mugs, "old-mug", id=sitemap.PART * 5, withdrawn_at=runtime.clock.now())
    known = runtime.settings.model_copy(update={"public_address": ADDRESS})
    return create_app(replace(runtime, settings=known)).test_client()


def told(page):
    """The page's canonical address and what it tells a preview."""
    (canonical,) = re.findall(r'<link rel="canonical" href="([^"]+)">', page)
    return canonical, dict(re.findall(r'<meta property="og:([\w:]+)" content="([^"]*)">', page))


def located(client, path):
    """The addresses of one file of the sitemap."""
    answer = client.get(path)
    assert answer.mimetype == "application/xml"
    root = ElementTree.fromstring(answer.data)  # noqa: S314 - our own
    return [one.text for one in root.iterfind(".//s:loc", NAMESPACE)]


@pytest.mark.parametrize("path", ["/", "/c/mugs", "/p/blue-mug"])
def test_pages_tell_their_whole_address_and_a_picture_that_previews_show(client, path):
    canonical, preview = told(client.get(path, headers={"Host": "localhost"}).text)
    assert canonical == preview["url"] == ADDRESS + path
    assert preview["image"].startswith(ADDRESS)
    with client.get(urlsplit(preview["image"]).path) as picture:
        assert picture.mimetype == preview["image:type"] == "image/png"
        assert picture.data.startswith(b"\x89PNG\r\n\x1a\n")
        size = struct.unpack(">II", picture.data[16:24])  # of the header chunk, PNG 11.2.2
    assert size == (int(preview["image:width"]), int(preview["image:height"]))
    assert min(size) >= 600


@pytest.mark.parametrize("path", ["/p/blue-mug/reviews", "/departments"])
def test_pages_without_a_picture_tell_their_whole_address(client, path):
    assert f'<link rel="canonical" href="{ADDRESS}{path}">' in client.get(path).text


def test_only_what_is_or_was_sold_is_drawn_as_png(client):
    assert client.get("/p/no-mug/preview.png").status_code == 404
    assert client.get("/p/old-mug/preview.png").status_code == 410


def test_robots_may_read_what_is_the_same_for_everybody_and_nothing_else(client):
    answer = client.get("/robots.txt")
    assert answer.mimetype == "text/plain"
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    assert rules.site_maps() == [f"{ADDRESS}/sitemap.xml"]
    for path in ("/", "/c/mugs", "/p/blue-mug", "/p/blue-mug/preview.png", "/api/docs", "/sitemap-1.xml"):
        assert rules.can_fetch("anybody", ADDRESS + path), path
    for path in ("/cart", "/checkout", "/orders/link", "/account", "/admin/products", "/lab", "/search?q=mug"):
        assert not rules.can_fetch("anybody", ADDRESS + path), path


def test_the_sitemap_lists_all_that_is_sold_and_nothing_else(client):
    files = located(client, "/sitemap.xml")
    assert files == [f"{ADDRESS}/sitemap-{number}.xml" for number in (0, 1, 3)]
    listed = [located(client, urlsplit(file).path) for file in files]
    assert listed == [
        [f"{ADDRESS}/", f"{ADDRESS}/departments", f"{ADDRESS}/c/kitchen", f"{ADDRESS}/c/mugs"],
        [f"{ADDRESS}/p/blue-mug"],
        [f"{ADDRESS}/p/red-mug"],
    ]
    assert all(client.get(urlsplit(address).path).status_code == 200 for part in listed for address in part)
    assert client.get("/sitemap-2.xml").status_code == 404
    assert client.get("/sitemap-99999999999999999999.xml").status_code == 404


def test_a_browser_that_asks_unseen_finds_an_icon(client):
    with client.get("/favicon.ico") as answer:
        assert answer.status_code == 200
        assert struct.unpack("<HHH", answer.data[:6]) == (0, 1, 3)  # reserved, an icon, of three sizes
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
