"""Search engines and link previews get absolute URLs, a picture, the sitemap and the rules of robots.txt."""

import re
import struct
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import pytest
from sqlalchemy import select, text

from shop.app import create_app
from shop.catalog import sitemap
from shop.catalog.models import SITEMAP_PART, Category
from tests.support.factories import make_category, make_product

ADDRESS = "https://shop.example"
NAMESPACE = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


@pytest.fixture
def client(runtime, database):
    """A client of a store with a public address; it sells two mugs, and a third one is withdrawn."""
    with database.transaction() as session:
        mugs = make_category(session, "mugs", make_category(session, "kitchen"))
        make_product(session, mugs, "blue-mug")
        make_product(session, mugs, "red-mug", id=SITEMAP_PART * 2 + 1)
        make_product(session, mugs, "old-mug", id=SITEMAP_PART * 5, withdrawn_at=runtime.clock.now())
    known = runtime.settings.model_copy(update={"public_address": ADDRESS})
    return create_app(replace(runtime, settings=known)).test_client()


def preview_of(page):
    """The page's canonical URL and its preview data."""
    (canonical,) = re.findall(r'<link rel="canonical" href="([^"]+)">', page)
    return canonical, dict(re.findall(r'<meta property="og:([\w:]+)" content="([^"]*)">', page))


def located(client, path):
    """The URLs in one file of the sitemap."""
    answer = client.get(path)
    assert answer.mimetype == "application/xml"
    root = ElementTree.fromstring(answer.data)  # noqa: S314 - our own
    return [one.text for one in root.iterfind(".//s:loc", NAMESPACE)]


@pytest.mark.parametrize("path", ["/", "/c/mugs", "/p/blue-mug"])
def test_pages_have_an_absolute_url_and_a_preview_picture(client, path):
    canonical, preview = preview_of(client.get(path, headers={"Host": "localhost"}).text)
    assert canonical == preview["url"] == ADDRESS + path
    assert preview["image"].startswith(ADDRESS)
    with client.get(urlsplit(preview["image"]).path) as picture:
        assert picture.mimetype == preview["image:type"] == "image/png"
        assert picture.data.startswith(b"\x89PNG\r\n\x1a\n")
        size = struct.unpack(">II", picture.data[16:24])  # in the header chunk (PNG, 11.2.2)
    assert size == (int(preview["image:width"]), int(preview["image:height"]))
    assert min(size) >= 600


@pytest.mark.parametrize("path", ["/p/blue-mug/reviews", "/departments"])
def test_pages_without_picture_have_an_absolute_url(client, path):
    assert f'<link rel="canonical" href="{ADDRESS}{path}">' in client.get(path).text


def test_preview_png_exists_only_for_products(client):
    assert client.get("/p/no-mug/preview.png").status_code == 404
    assert client.get("/p/old-mug/preview.png").status_code == 410


def test_robots_may_read_only_public_pages(client):
    answer = client.get("/robots.txt")
    assert answer.mimetype == "text/plain"
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    assert rules.site_maps() == [f"{ADDRESS}/sitemap.xml"]
    for path in ("/", "/c/mugs", "/p/blue-mug", "/p/blue-mug/preview.png", "/api/docs", "/sitemap-1.xml"):
        assert rules.can_fetch("anybody", ADDRESS + path), path
    for path in ("/cart", "/checkout", "/orders/link", "/account", "/admin/products", "/lab", "/search?q=mug"):
        assert not rules.can_fetch("anybody", ADDRESS + path), path


def test_sitemap_lists_exactly_the_products_on_sale(client):
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


# ---- when a page last changed ----

LONG_AGO = "2020-02-29T10:00:00+00:00"


@pytest.fixture
def unchanged(client, database):
    """A client of a store without recent changes."""
    with database.transaction() as session:
        session.execute(text("UPDATE products SET updated_at = :then"), {"then": LONG_AGO})
    return client


def last_changes(client, path):
    """The dates in one file of the sitemap, by path."""
    root = ElementTree.fromstring(client.get(path).data)  # noqa: S314 - our own
    entries = [[entry.findtext(f"s:{name}", None, NAMESPACE) for name in ("loc", "lastmod")] for entry in root]
    return {urlsplit(address).path: changed_at for address, changed_at in entries}


def mug_dates(client):
    """The date of the blue mug's part in the index, and the date of the mug in its part."""
    return last_changes(client, "/sitemap.xml")["/sitemap-1.xml"], last_changes(client, "/sitemap-1.xml")["/p/blue-mug"]


def write(database, statement):
    with database.transaction() as session:
        session.execute(text(statement))


@pytest.mark.parametrize(
    "change",
    [
        "title = 'Cup'",
        "brand = 'Tern'",
        "description = 'New.'",
        "price_amount = price_amount + 1",
        "category_id = (SELECT id FROM categories WHERE slug = 'kitchen')",
        "rating_count = 1, rating_sum = 5",
    ],
)
def test_sitemap_entry_has_date_of_last_page_change(unchanged, database, runtime, change):
    assert mug_dates(unchanged) == (LONG_AGO, LONG_AGO)
    before = datetime.now(UTC).replace(microsecond=0)
    write(database, f"UPDATE products SET {change} WHERE slug = 'blue-mug'")  # noqa: S608 - one of those above
    part, page = mug_dates(unchanged)
    assert part == page
    assert before <= datetime.fromisoformat(page) <= datetime.now(UTC)
    assert last_changes(unchanged, "/sitemap.xml")["/sitemap-3.xml"] == LONG_AGO


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE products SET popularity = popularity + 1",
        "UPDATE products SET title = title, price_amount = price_amount, description = description",
        "UPDATE stock_items SET on_hand = on_hand - 1",
    ],
)
def test_sitemap_date_changes_only_with_the_page(unchanged, database, statement):
    write(database, statement)
    assert mug_dates(unchanged) == (LONG_AGO, LONG_AGO)


def test_withdrawal_changes_the_date_of_its_sitemap_part(unchanged, database):
    with database.transaction() as session:
        make_product(session, session.scalars(select(Category)).first(), "green-mug", id=7, updated_at=LONG_AGO)
    assert mug_dates(unchanged) == (LONG_AGO, LONG_AGO)
    write(database, "UPDATE products SET withdrawn_at = now() WHERE slug = 'green-mug'")
    part, page = mug_dates(unchanged)
    assert (part > LONG_AGO, page) == (True, LONG_AGO)


def test_pages_without_known_change_have_no_date(client):
    assert set(last_changes(client, "/sitemap-0.xml").values()) == {None}
    assert last_changes(client, "/sitemap.xml")["/sitemap-0.xml"] is None


@pytest.mark.parametrize("path", ["/sitemap.xml", "/sitemap-1.xml"])
def test_unchanged_sitemap_file_is_not_sent_again(unchanged, database, path):
    etag = unchanged.get(path).headers["ETag"]
    known = unchanged.get(path, headers={"If-None-Match": etag})
    assert (known.status_code, known.data, known.headers["ETag"]) == (304, b"", etag)
    write(database, "UPDATE products SET price_amount = price_amount + 1 WHERE slug = 'blue-mug'")
    anew = unchanged.get(path, headers={"If-None-Match": etag})
    assert (anew.status_code, anew.headers["ETag"] != etag) == (200, True)


def test_large_sitemap_index_reads_few_entries_per_part(database):
    assert SITEMAP_PART <= 50_000  # the most URLs of one file
    with database.transaction() as session:
        # A small table makes other plans as cheap, depending on its last ANALYZE.
        for plan_node in ("seqscan", "bitmapscan", "sort"):
            session.execute(text(f"SET LOCAL enable_{plan_node} = off"))
        plan = "\n".join(session.scalars(text(f"EXPLAIN {sitemap.PARTS.text}")))
    assert plan.count("using ix_products_part_updated_at") == 2
    assert "Seq Scan" not in plan


def test_default_favicon_url_has_an_icon(client):
    with client.get("/favicon.ico") as answer:
        assert answer.status_code == 200
        assert struct.unpack("<HHH", answer.data[:6]) == (0, 1, 3)  # reserved, type icon, three sizes
    assert answer.headers["Cache-Control"] == "public, max-age=86400"
