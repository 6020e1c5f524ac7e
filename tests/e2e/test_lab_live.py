"""The lab's page in a browser: live figures, flips, and large type."""

import json
import re
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from shop.lab.store_client import StoreClient
from tests.e2e.conftest import Store, best_seller
from tests.support.polling import until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]


def value_of(switch: str, page: Page) -> str:
    """Return the value of a switch, as the API says it."""
    answer = page.request.get("/api/v1/switches")
    return {str(one["name"]): str(one["value"]) for one in json.loads(answer.text())["items"]}[switch]


@pytest.fixture
def lab(page: Page, store: Store):
    """The page at a desk of 1280 by 800; everything is put back afterwards."""
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto("/lab")
    yield page
    page.request.post("/lab/restore", headers={"Origin": store.url})
    with closing(StoreClient(store.url)) as client:
        client.wait_applied()


def test_figures_bar_and_first_switches_are_on_the_first_screen(lab: Page):
    seen = ("[data-figure=waiting]", ".lab__live .answers", "[data-rate=shop-shared]")
    for selector in (*seen, ".lab__load .button", "[data-switch='cache.local']"):
        box = lab.locator(selector).first.bounding_box()
        assert box is not None, selector
        assert box["y"] + box["height"] <= 800, selector


def test_charts_and_bar_follow_requests(lab: Page):
    path = f"/p/{best_seller(lab)['slug']}"
    for _ in range(3):
        lab.request.get(path)
    expect(lab.locator("[data-share=edge]")).to_have_text(re.compile(r"\d+ %"))
    chart = lab.locator("[data-figure=requests] .spark__line")
    expect(chart).to_have_attribute("d", re.compile("M.*L"))
    table = lab.locator("[data-figure=requests] table")
    assert table.locator("tbody tr").count() >= 1


def test_flip_elsewhere_is_shown_and_put_back_with_one_click(lab: Page):
    lab.request.put("/api/v1/switches/checkout.stock", data=json.dumps({"value": "naive"}), headers=JSON)
    changed = lab.locator(".changed")
    expect(changed).to_contain_text("checkout.stock = naive")
    changed.get_by_role("button", name="Put back checkout.stock").click()
    expect(changed).to_have_count(0)
    until(lambda: value_of("checkout.stock", lab) == "conditional")  # another process answers, up to a second behind


def test_keyboard_and_typed_numbers_stay_through_a_refresh(lab: Page):
    rate = lab.locator(".lab__load input[name=rate]")
    rate.fill("77")
    button = lab.locator("[data-switch='cache.local'] button[value=off]")
    button.focus()
    lab.request.put("/api/v1/switches/checkout.stock", data=json.dumps({"value": "naive"}), headers=JSON)
    expect(lab.locator(".changed")).to_contain_text("checkout.stock = naive")
    expect(button).to_be_focused()
    expect(rate).to_have_value("77")


def test_folded_parts_stay_folded_and_open_for_a_change(lab: Page):
    lab.locator("[data-fold=Speed] summary").click()
    lab.request.put("/api/v1/switches/cache.jitter", data=json.dumps({"value": "off"}), headers=JSON)
    expect(lab.locator("[data-fold=Correctness]")).to_have_attribute("open", "")
    expect(lab.locator("[data-fold=Correctness] summary")).to_contain_text("1 changed")
    expect(lab.locator("[data-fold=Speed]")).not_to_have_attribute("open", "")


def test_phone_needs_three_screens_and_keeps_figures_in_sight(lab: Page):
    lab.set_viewport_size({"width": 390, "height": 844})
    lab.reload()
    assert lab.evaluate("document.documentElement.scrollHeight") <= 3 * 844
    lab.locator("[data-fold=Speed] summary").click()
    lab.locator("[data-switch='cache.negative'] [value=off]").scroll_into_view_if_needed()
    expect(lab.locator("[data-brief=queries]")).to_be_in_viewport()


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
    box = page.locator(".lab__live .answers").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 800


JSON = {"Content-Type": "application/json"}
