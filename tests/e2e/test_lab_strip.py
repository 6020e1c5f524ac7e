"""The strip at the foot of every page in the lab profile."""

import re

import pytest
from playwright.sync_api import Page, expect

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


def test_strip_shows_a_changed_parameter(page: Page) -> None:
    page.request.put("/api/v1/lab/knobs/lab.ttl_scale", data={"value": 0.5})
    page.goto("/cart")
    expect(page.locator(STRIP)).to_contain_text("lab.ttl_scale = 0.5")
    page.request.put("/api/v1/lab/knobs/lab.ttl_scale", data={"value": 1.0})
