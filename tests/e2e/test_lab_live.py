"""The lab's page in a browser: live figures, flips, and large type."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import PAGE_TIMEOUT_MS, Store, best_seller

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]


@pytest.fixture
def lab(page: Page, store: Store):
    """The page at a desk of 1280 by 800; everything is put back afterwards."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/lab")
    yield page
    page.request.post("/lab/restore", headers={"Origin": store.url})


def test_figures_bar_and_first_switches_are_on_the_first_screen(lab: Page):
    for selector in ("[data-figure=waiting]", ".answers", "[data-rate=shop-shared]", "[data-switch='cache.local']"):
        box = lab.locator(selector).first.bounding_box()
        assert box is not None, selector
        assert box["y"] + box["height"] <= 800, selector


def test_charts_and_bar_follow_requests(lab: Page):
    path = f"/p/{best_seller(lab)['slug']}"
    for _ in range(3):
        lab.request.get(path)
    expect(lab.locator("[data-share=edge]")).to_have_text(re.compile(r"\d+ %"), timeout=PAGE_TIMEOUT_MS)
    chart = lab.locator("[data-figure=requests] .spark__line")
    expect(chart).to_have_attribute("d", re.compile("M.*L"), timeout=PAGE_TIMEOUT_MS)
    table = lab.locator("[data-figure=requests] table")
    assert table.locator("tbody tr").count() >= 1


def test_flip_elsewhere_is_shown_and_put_back_with_one_click(lab: Page):
    lab.request.put("/api/v1/switches/checkout.stock", data=json.dumps({"value": "naive"}), headers=JSON)
    changed = lab.locator(".changed")
    expect(changed).to_contain_text("checkout.stock = naive")
    changed.get_by_role("button", name="Put back checkout.stock").click()
    expect(changed).to_have_count(0)
    answer = lab.request.get("/api/v1/switches")
    values = {one["name"]: one["value"] for one in json.loads(answer.text())["items"]}
    assert values["checkout.stock"] == "conditional"


def test_pause_stops_polling(lab: Page):
    lab.get_by_role("button", name="Pause").click()
    lab.evaluate("performance.clearResourceTimings()")
    lab.wait_for_timeout(1500)
    assert (
        lab.evaluate("performance.getEntriesByType('resource').filter(one => one.name.endsWith('/lab/live')).length")
        <= 1
    )


def test_wall_is_larger_and_fits(page: Page):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/lab?wall=1")
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") > 18
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    box = page.locator(".answers").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 800


JSON = {"Content-Type": "application/json"}
