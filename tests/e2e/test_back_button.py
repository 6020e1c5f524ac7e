"""The Back button in a browser that keeps pages whole (back-forward cache), as everybody's does.

Playwright switches that cache off, so these tests have a browser of their own.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PAGE_TIMEOUT_MS, Store, chromium
from tests.e2e.test_shopping import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

SWITCHED_OFF = "--disable-back-forward-cache"
"""By Playwright, unless told otherwise."""
NOTE = "addEventListener('pageshow', event => document.documentElement.dataset.restored = event.persisted)"


@pytest.fixture(scope="module")
def keeping(browser: Browser) -> Iterator[Browser]:
    """A browser that keeps the pages somebody has left."""
    kept = browser.browser_type.launch(**chromium(), ignore_default_args=[SWITCHED_OFF])
    yield kept
    kept.close()


@pytest.fixture
def page(keeping: Browser, store: Store) -> Iterator[Page]:
    """A page of a visitor who has never been here, on which each page says whether it was kept."""
    context = keeping.new_context(base_url=store.url)
    context.set_default_timeout(PAGE_TIMEOUT_MS)
    context.add_init_script(NOTE)
    yield context.new_page()
    context.close()


def go_back(page: Page, steps: int = 1) -> None:
    """Go back to a page that the browser has kept."""
    page.evaluate(f"void setTimeout(() => history.go(-{steps}))")
    expect(page.locator("html[data-restored=true]")).to_be_attached()


def some_product(store: Store, number: int) -> str:
    products = httpx.get(f"{store.url}/api/v1/products?limit=20&in_stock=true").json()["items"]
    return str(products[number]["slug"])


def test_back_after_adding_to_cart_shows_current_count(page: Page, store: Store) -> None:
    page.goto("/")
    page.goto(f"/p/{some_product(store, 10)}")
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("[data-cart-count]")).to_have_text("1")
    go_back(page)
    expect(page.locator("[data-cart-count]")).to_have_text("1")


def test_back_after_signing_out_names_nobody(page: Page) -> None:
    sign_in(page, "shopper@shop.test")
    page.goto("/search?q=mug")
    name = page.locator("[data-account-name]")
    expect(name).not_to_have_text("Account")
    page.goto("/logout")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: "/logout" not in url)
    go_back(page, 2)
    expect(page).to_have_url(re.compile("/search"))
    expect(name).to_have_text("Account")
    assert name.get_attribute("title") is None


@contextmanager
def changed(store: Store, slug: str, **fields: object) -> Iterator[None]:
    """Change a product for as long as the block runs."""
    with httpx.Client(base_url=f"{store.url}/api/v1") as admin:
        given = admin.post("/tokens", json={"email": "admin@shop.test", "password": "let-me-shop"}).json()
        admin.headers["Authorization"] = f"Bearer {given['token']}"
        record = admin.get(f"/admin/products/{slug}").json()
        admin.patch(f"/admin/products/{slug}", json=fields).raise_for_status()
        try:
            yield
        finally:
            before = {name: record[name] for name in fields}
            admin.patch(f"/admin/products/{slug}", json=before).raise_for_status()


def test_back_on_a_product_that_sold_out_meanwhile_says_so(page: Page, store: Store) -> None:
    slug = some_product(store, 11)
    page.goto(f"/p/{slug}")
    page.goto("/")
    with changed(store, slug, on_hand=0):
        go_back(page)
        expect(page.locator("[data-stock]")).to_have_text("Sold out")
        expect(page.get_by_role("button", name="Add to cart")).to_be_disabled()


def test_back_to_a_list_shows_current_stock_and_prices(page: Page, store: Store) -> None:
    slug = some_product(store, 13)
    title = httpx.get(f"{store.url}/api/v1/products/{slug}").json()["title"]
    price = {"amount": 1_234_500, "currency": "EUR"}
    page.goto(f"/search?{urlencode({'q': title})}")
    page.goto(f"/p/{slug}")
    page.goto("/cart")
    with changed(store, slug, on_hand=0, price=price):
        go_back(page)
        expect(page.locator(".product__price")).to_have_text("€12,345.00")
        page.evaluate("delete document.documentElement.dataset.restored")
        go_back(page)
        card = page.locator(".product-card").filter(has=page.locator(f'[href="/p/{slug}"]'))
        expect(card.locator(".product-card__foot")).to_have_text("€12,345.00 Sold out")


def test_back_to_a_private_page_shows_current_state(page: Page, store: Store) -> None:
    slug = some_product(store, 12)
    page.goto(f"/p/{slug}")
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("[data-cart-count]")).to_have_text("1")
    page.goto("/cart")
    page.goto(f"/p/{slug}")
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("[data-cart-count]")).to_have_text("2")
    page.evaluate("void setTimeout(() => history.back())")
    expect(page.get_by_label("Quantity", exact=False).first).to_have_value("2")
