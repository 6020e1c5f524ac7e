"""Prefetching in a browser: the pointer rests on a product's link, and the click needs no request."""

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Store
from tests.support.polling import let_pass, until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

RULES = "Speculation-Rules"
RESTED_S = 1.0
"""Five times as long as the pointer must rest on a link (``moderate``)."""
NAVIGATION = "performance.getEntriesByType('navigation')[0].deliveryType"


@pytest.fixture
def switched_on(store: Store) -> Iterator[None]:
    """The switch on, and off again; each ends when a page says so."""

    def set_switch(value: str) -> None:
        httpx.put(f"{store.url}/api/v1/switches/web.prefetch", json={"value": value}).raise_for_status()
        until(lambda: (RULES in httpx.get(f"{store.url}/").headers) == (value == "on"))

    set_switch("on")
    yield
    set_switch("off")


def requests_for(store: Store, path: str) -> list[str]:
    """Return the purpose of each request for a page, from the edge's log."""
    lines = (store.var / "log" / "edge.jsonl").read_text().splitlines()
    return [line["purpose"] for line in map(json.loads, lines) if line["path"] == path]


def rest_on_a_product(page: Page, number: int) -> str:
    """Rest the pointer on a product's link of the home page; return its path."""
    page.goto("/")
    link = page.locator(".product-card__link").nth(number)
    path = str(link.get_attribute("href"))
    link.scroll_into_view_if_needed()
    link.hover()
    return path


def test_click_after_a_rest_is_served_from_the_prefetch(page: Page, store: Store, switched_on: None) -> None:
    path = rest_on_a_product(page, 2)
    before = requests_for(store, path)
    until(lambda: requests_for(store, path)[len(before) :] == ["prefetch"])
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".product__price")).to_be_visible()
    assert page.evaluate(NAVIGATION) == "navigational-prefetch"
    assert requests_for(store, path)[len(before) :] == ["prefetch"]


def test_without_the_switch_nothing_is_prefetched(page: Page, store: Store) -> None:
    path = rest_on_a_product(page, 3)
    before = requests_for(store, path)
    let_pass(RESTED_S)
    assert requests_for(store, path) == before
    page.mouse.down()
    page.mouse.up()
    expect(page.locator(".product__price")).to_be_visible()
    assert page.evaluate(NAVIGATION) == ""
    until(lambda: requests_for(store, path)[len(before) :] == [""])  # nginx writes its log five times a second
