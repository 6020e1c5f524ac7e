"""The strip at the foot of every page in the lab profile."""

import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from shop.lab.store_client import StoreClient
from tests.e2e.conftest import Store

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]
STRIP = ".lab-strip"


def test_strip_names_the_layer_and_leads_to_the_request(page: Page) -> None:
    page.request.get("/departments")
    page.goto("/departments")
    expect(page.locator(STRIP)).to_contain_text(re.compile(r"Answered by: edge in \d+ ms, 0 queries"))
    page.locator(STRIP).get_by_role("link", name="request").click()
    expect(page.get_by_role("heading", name="Request timeline")).to_be_visible()


def test_hidden_strip_is_shown_again_in_the_lab(page: Page) -> None:
    page.goto("/cart")
    page.locator(STRIP).get_by_role("button", name="Hide").click()
    page.goto("/lab")
    shown_again = page.locator(STRIP).get_by_role("button", name="Show on every page")
    expect(shown_again).to_be_visible()
    page.goto("/cart")
    page.wait_for_load_state("networkidle")
    expect(page.locator(STRIP)).to_have_count(0)
    page.goto("/lab")
    shown_again.click()
    page.goto("/cart")
    expect(page.locator(STRIP)).to_be_visible()


@pytest.fixture
def halved_times(store: Store) -> Iterator[None]:
    """Entries live half as long, in every process."""
    with closing(StoreClient(store.url)) as lab:
        lab.set_parameter("lab.ttl_scale", 0.5)
        lab.wait_applied()
        yield
        lab.set_parameter("lab.ttl_scale", 1.0)
        lab.wait_applied()


def test_strip_shows_a_changed_parameter(page: Page, halved_times: None) -> None:
    page.goto("/cart")
    expect(page.locator(STRIP)).to_contain_text("lab.ttl_scale = 0.5")
