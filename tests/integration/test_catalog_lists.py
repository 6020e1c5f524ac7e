import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shop.catalog.editing import ProductChange
from shop.catalog.listing.facets import BAND_STARTS
from shop.catalog.models import Category
from tests.support.factories import make_category, make_product

SORTS = ["popularity", "price_asc", "price_desc", "rating", "newest"]
BRANDS = ["Alder", "Birch", "Cedar"]


@pytest.fixture
def shelf(database):
    """Forty products in two categories of a department, with many ties in every order."""
    chance = random.Random(7)
    rows = []
    with database.transaction() as session:
        department = make_category(session, "kitchen")
        categories = [make_category(session, slug, parent=department) for slug in ("mugs", "pans")]
        for number in range(40):
            count = chance.choice([0, 1, 2])
            rows.append(
                make_product(
                    session,
                    categories[number % 2],
                    f"thing-{number}",
                    title=f"Thing {number}",
                    brand=chance.choice(BRANDS),
                    price_amount=chance.choice([500, 999, 1000, 2499, 2500, 30000]),
                    popularity=chance.choice([0, 0, 5, 9]),
                    rating_count=count,
                    rating_sum=count * chance.choice([1, 3, 4, 5]),
                    created_at=datetime(2025, 1, 1 + chance.randrange(4), tzinfo=UTC) + timedelta(microseconds=3),
                    on_hand=chance.choice([0, 3]),
                )
            )
        for row in rows:
            session.refresh(row)
    return rows


def products(client, **query):
    answer = client.get("/api/v1/products", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def walk(client, **query):
    """Follow the cursors to the end and return all pages."""
    pages, cursor = [], None
    while True:
        page = products(client, **query, **({"cursor": cursor} if cursor else {}))
        pages.append(page)
        cursor = page["next_cursor"]
        if cursor is None:
            return pages


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("category", [None, "kitchen", "mugs"])
def test_pages_of_a_list_show_each_product_once(client, shelf, sort, category):
    query = {"sort": sort, **({"category": category} if category else {})}
    whole = [item["slug"] for item in products(client, **query, limit=100)["items"]]
    paged = [item["slug"] for page in walk(client, **query, limit=7) for item in page["items"]]
    assert paged == whole
    assert len(set(whole)) == len(whole) == (20 if category == "mugs" else 40)


@pytest.mark.parametrize("sort", SORTS)
def test_list_can_be_paged_backward(client, shelf, sort):
    pages = walk(client, sort=sort, limit=7)
    back = products(client, sort=sort, limit=7, cursor=pages[2]["prev_cursor"])
    assert back["items"] == pages[1]["items"]
    first = products(client, sort=sort, limit=7, cursor=back["prev_cursor"])
    assert first["items"] == pages[0]["items"]
    assert first["prev_cursor"] is None
    assert first["next_cursor"] is not None


def test_list_has_the_requested_order(client, shelf):
    def column(sort, read):
        return [read(item) for item in products(client, sort=sort, limit=100)["items"]]

    by_slug = {row.slug: row for row in shelf}
    cheap = column("price_asc", lambda item: item["price"]["amount"])
    assert cheap == sorted(cheap)
    dear = column("price_desc", lambda item: item["price"]["amount"])
    assert dear == sorted(dear, reverse=True)
    rated = column("rating", lambda item: item["rating"])
    assert rated == sorted(rated, reverse=True)
    new = column("newest", lambda item: by_slug[item["slug"]].created_at)
    assert new == sorted(new, reverse=True)
    popular = column("popularity", lambda item: by_slug[item["slug"]].popularity)
    assert popular == sorted(popular, reverse=True)


@pytest.mark.parametrize(("sort", "both_ways"), [("price_asc", True), ("newest", False)])
def test_only_a_moved_product_is_shown_twice_or_skipped(client, runtime, database, shelf, sort, both_ways):
    """Between two pages one product is withdrawn, one is added, and two change their prices to the ends."""
    whole = [item["slug"] for item in products(client, sort=sort, limit=100)["items"]]
    first = products(client, sort=sort, limit=20)
    seen, ahead = whole[0], whole[-1]
    edit = runtime.services().catalog.edit
    edit(whole[1], ProductChange(withdrawn=True))
    edit(seen, ProductChange(price=99_000))
    edit(ahead, ProductChange(price=1))
    with database.transaction() as session:
        make_product(session, session.get(Category, shelf[0].category_id), "new", price_amount=1)
    rest = products(client, sort=sort, limit=100, cursor=first["next_cursor"])
    shown = [item["slug"] for page in (first, rest) for item in page["items"]]
    kept = [slug for slug in whole if slug not in (seen, ahead)]
    assert [slug for slug in shown if slug in kept] == kept
    assert (shown.count(seen), shown.count(ahead)) == ((2, 0) if both_ways else (1, 1))


def test_a_product_added_before_the_cursor_moves_nothing(client, database, shelf):
    first = products(client, sort="price_asc", limit=7)
    rest = [item["slug"] for item in products(client, sort="price_asc", limit=100)["items"][7:]]
    with database.transaction() as session:
        make_product(session, make_category(session, "cheap"), "free-ish", price_amount=1)
    after = products(client, sort="price_asc", limit=100, cursor=first["next_cursor"])
    assert [item["slug"] for item in after["items"]] == rest


def filtered(rows, *, price=None, min_rating=None, brands=(), in_stock=False):
    low, high = price or (None, None)
    return [
        row
        for row in rows
        if (low is None or row.price_amount >= low)
        and (high is None or row.price_amount <= high)
        and (min_rating is None or row.rating >= min_rating)
        and (not brands or row.brand in brands)
        and (not in_stock or row.available > 0)
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    price=st.none() | st.tuples(st.sampled_from([0, 999, 1000]), st.none() | st.sampled_from([999, 2499, 30000])),
    min_rating=st.none() | st.integers(1, 5),
    brands=st.lists(st.sampled_from([*BRANDS, "Nobody"]), unique=True, max_size=3),
    in_stock=st.booleans(),
    category=st.sampled_from([None, "kitchen", "mugs"]),
)
def test_each_facet_counts_under_all_filters_but_its_own(
    client, database, shelf, price, min_rating, brands, in_stock, category
):
    from sqlalchemy import select

    from shop.catalog.models import Category, Product, StockItem

    with database.reading() as session:
        columns = (Product.slug, Product.price_amount, Product.rating, Product.brand, Category.slug.label("shelf"))
        available = (StockItem.on_hand - StockItem.reserved).label("available")
        everything = session.execute(select(*columns, available).join(Category).join(StockItem)).all()
    rows = [row for row in everything if category != "mugs" or row.shelf == "mugs"]
    chosen = {"price": price, "min_rating": min_rating, "brands": brands, "in_stock": in_stock}

    query = {"limit": 100, "brand": brands}
    query |= {"category": category} if category else {}
    query |= {"min_rating": min_rating} if min_rating else {}
    query |= {"in_stock": "true"} if in_stock else {}
    query |= {"min_price": price[0]} if price else {}
    query |= {"max_price": price[1]} if price and price[1] is not None else {}
    answer = products(client, **query)

    assert {item["slug"] for item in answer["items"]} == {row.slug for row in filtered(rows, **chosen)}
    facets = answer["facets"]
    assert facets["total"] == len(filtered(rows, **chosen))
    assert facets["exact"]
    but_price = filtered(rows, **chosen | {"price": None})
    starts = (0, *BAND_STARTS)
    assert [band["count"] for band in facets["price"]] == [
        sum(low <= row.price_amount < high for row in but_price)
        for low, high in zip(starts, (*BAND_STARTS, 10**9), strict=True)
    ]
    but_rating = filtered(rows, **chosen | {"min_rating": None})
    assert {facet["min"]: facet["count"] for facet in facets["rating"]} == {
        least: sum(row.rating >= least for row in but_rating) for least in (4, 3, 2, 1)
    }
    but_brand = filtered(rows, **chosen | {"brands": ()})
    counts = {brand: sum(row.brand == brand for row in but_brand) for brand in [*BRANDS, "Nobody"]}
    assert {facet["brand"]: facet["count"] for facet in facets["brand"]} == {
        brand: n for brand, n in counts.items() if n or brand in brands
    }
    assert facets["in_stock"] == len(filtered(rows, **chosen | {"in_stock": True}))


def test_facets_of_a_longer_list_are_marked_lower_bounds(database, shelf):
    from shop.catalog.listing.product_lister import ListQuery, ProductLister

    with database.reading() as session:
        cut = ProductLister(facet_depth=10).listing(session, ListQuery()).facets
        longer = ProductLister(facet_depth=30).listing(session, ListQuery()).facets
        whole = ProductLister(facet_depth=40).listing(session, ListQuery()).facets
    assert (cut.exact, whole.exact) == (False, True)
    assert whole.total == 40
    assert (longer.exact, longer.total) == (False, 30)
    assert cut.total == 24  # the products of its first page, although 11 were counted
    assert sum(band.count for band in cut.price) == 11


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"cursor": "garbage"}, 422),
        ({"limit": "101"}, 422),
        ({"limit": "0"}, 422),
        ({"sort": "upside-down"}, 422),
        ({"sort": "relevance"}, 422),
        ({"min_price": "cheap"}, 422),
        ({"min_price": "1.5"}, 422),
        ({"min_rating": "6"}, 422),
        ({"colour": "red"}, 422),
        ({"q": "x" * 201}, 422),
        ({"category": "nowhere"}, 404),
        ({"category": "No%00where"}, 404),
        ({"category": "", "q": "", "min_price": "", "sort": "", "cursor": "", "limit": ""}, 200),
        ({"min_price": "900", "max_price": "100"}, 200),
    ],
)
def test_invalid_list_query_is_refused(client, shelf, query, status):
    answer = client.get("/api/v1/products", query_string=query)
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert answer.mimetype == "application/problem+json"


def test_a_cursor_belongs_to_its_order(client, shelf):
    cursor = products(client, sort="price_asc", limit=7)["next_cursor"]
    assert client.get("/api/v1/products", query_string={"sort": "newest", "cursor": cursor}).status_code == 422


def test_the_tree_counts_a_departments_products_in_its_categories(client, shelf):
    (kitchen,) = client.get("/api/v1/categories").json["items"]
    assert (kitchen["slug"], kitchen["products"]) == ("kitchen", 40)
    assert {child["slug"]: child["products"] for child in kitchen["children"]} == {"mugs": 20, "pans": 20}


def test_the_category_page_links_filters_sorts_and_pages(client, shelf):
    page = client.get("/c/kitchen?in_stock=true&price=1000-2499&sort=price_desc")
    assert page.status_code == 200
    assert "€10 to €25" in page.text
    assert 'href="/c/kitchen?price=1000-2499&amp;sort=price_desc"' in page.text  # the URL without "in stock"
    first = client.get("/c/kitchen")
    assert 'rel="next"' in first.text
    assert "Set-Cookie" not in first.headers


def test_page_ignores_invalid_fields_of_its_url(client, shelf):
    assert client.get("/c/kitchen?cursor=garbage&min_rating=99&utm_source=x&brand=").status_code == 200
    assert client.get("/c/nowhere").status_code == 404
    assert client.get("/c/Not%20A%20Slug").status_code == 404


# ---- the menu of a store with thousands of categories ----

DEPARTMENTS = """
INSERT INTO categories (slug, name, position)
SELECT 'd' || number, 'Things of kind number ' || number, number FROM generate_series(1, :count) AS number
"""
CATEGORIES = """
INSERT INTO categories (slug, name, parent_id, position)
SELECT slug || '-' || number, 'Things of sort ' || number || ' of ' || slug, id, number
FROM categories, generate_series(1, :count) AS number
"""


@pytest.mark.parametrize(("departments", "categories"), [(2_100, 0), (60, 34), (2, 1_049)])
def test_menu_and_pages_do_not_grow_with_the_category_tree(client, database, departments, categories):
    with database.transaction() as session:
        session.execute(text(DEPARTMENTS), {"count": departments})
        session.execute(text(CATEGORIES), {"count": categories})
    for path in ("/cart", "/", "/login"):
        page = client.get(path)
        assert len(page.data) < 30_000, path
        assert len(re.findall('class="departments__link" href="/c/', page.text)) == min(departments, 12)
        assert ('href="/departments"' in page.text) == (departments > 12)
    if categories > 8:
        assert ">All in Things of kind number 1</a>" in page.text


def category_links(client, path):
    """Yield the category links of each page of a list, and check that each page is small."""
    while path:
        page = client.get(path)
        assert len(page.data) < 30_000, path
        assert re.search(f'<link rel="canonical" href="https?://[^/"]+{path}">', page.text)
        yield re.findall('class="tile" href="/c/([^"]+)"', page.text)
        path = next(iter(re.findall('rel="next" href="([^"]+)"', page.text)), "")


@pytest.mark.parametrize(("departments", "categories"), [(2_100, 0), (2, 1_049), (1, 2_100)])
def test_all_categories_are_listed_on_bounded_pages(client, database, departments, categories):
    with database.transaction() as session:
        session.execute(text(DEPARTMENTS), {"count": departments})
        session.execute(text(CATEGORIES), {"count": categories})
    found = [slug for page in category_links(client, "/departments") for slug in page]
    assert found == [f"d{number}" for number in range(1, departments + 1)]
    own = client.get("/c/d1")
    assert len(own.data) < 30_000
    if categories:
        assert len(re.findall('class="chip" href="/c/d1-', own.text)) == 24
        assert f'<a class="chip" href="/c/d1/categories">All {categories:,} categories</a>' in own.text
        found = [slug for page in category_links(client, "/c/d1/categories") for slug in page]
        assert found == [f"d1-{number}" for number in range(1, categories + 1)]


def test_few_categories_are_all_on_the_page_of_their_department(client, database):
    with database.transaction() as session:
        session.execute(text(DEPARTMENTS), {"count": 1})
        session.execute(text(CATEGORIES), {"count": 24})
    page = client.get("/c/d1").text
    assert len(re.findall('class="chip" href="/c/d1-', page)) == 24
    assert "/c/d1/categories" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/departments/1",
        "/departments/2",
        "/departments/999999999999",
        "/c/d1/categories/2",
        "/c/d1-1/categories",
        "/c/d2/categories",
    ],
)
def test_missing_category_page_is_not_found(client, database, path):
    with database.transaction() as session:
        session.execute(text(DEPARTMENTS), {"count": 1})
        session.execute(text(CATEGORIES), {"count": 1})
    assert client.get("/c/d1/categories").status_code == client.get("/departments").status_code == 200
    assert client.get(path).status_code == 404
