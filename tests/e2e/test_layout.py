"""What is meant to be seen is in sight, on a phone and at a desk, whatever the names and however wide the letters."""

import csv
import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shop.cli.reference import load_runs
from shop.datasets.importing.entry import MAX_NAME, MAX_TITLE
from shop.lab import report
from tests.e2e.conftest import Store, best_seller
from tests.e2e.test_accessibility import TWO_FRAMES, faults
from tests.e2e.test_shopping import put_in_cart, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

PHONE, DESKS = 390, (768, 1280, 1440)
OUT_OF_SIGHT = """selector => [...document.querySelectorAll(selector)].filter(one => {
  scrollTo({top: scrollY + one.getBoundingClientRect().top - innerHeight / 2, behavior: "instant"});
  const {left, right, top, bottom} = one.getBoundingClientRect();
  const seen = [[left + 2, (top + bottom) / 2], [right - 2, (top + bottom) / 2]];
  return !seen.every(([x, y]) => one.contains(document.elementFromPoint(x, y)));
}).map(one => one.textContent.trim())"""
"""The elements of which either end is cut off or covered."""
LIGHTNESS = """([selector, of]) => {
  const [red, green, blue] = getComputedStyle(document.querySelector(selector))[of].match(/\\d+/g).map(Number);
  return red + green + blue;
}"""
LOST = """() => [...document.querySelectorAll("svg text")].filter(one => one.checkVisibility())
 .filter((one, _, all) => {
  const {left, right, top, bottom, height} = one.getBoundingClientRect();
  const box = one.closest("section").getBoundingClientRect();
  const on = other => {
    const rect = other.getBoundingClientRect();
    return rect.left < right && rect.right > left && rect.top + 3 < bottom && rect.bottom - 3 > top;
  };
  return left < box.left || right > Math.min(box.right, innerWidth) || height < 12
    || all.some(other => other !== one && on(other));
}).map(one => one.textContent)"""
"""The words of charts that are cut off, too small to read, or one over another."""


@pytest.mark.parametrize("font", ["", "Courier New, monospace"], ids=["own font", "wide font"])
def test_every_department_is_in_sight(page: Page, font: str):
    page.goto("/")
    page.evaluate("font => document.documentElement.style.setProperty('--font', font)", font)
    for width in DESKS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".departments__link").count() >= 12
        assert page.evaluate(OUT_OF_SIGHT, ".departments__link") == []


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_lab_shows_request_id_and_copies_it(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/lab")
    page.reload()  # now there is one
    assert page.locator(".table__id").count() > 0
    assert page.evaluate(OUT_OF_SIGHT, ".table__id") == []


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_each_cell_of_a_hundred_requests_is_in_sight(page: Page, width: int):
    for number in range(100):
        page.request.get(f"/search?q=a-rather-long-word-for-a-phone-{number}")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/lab/requests")
    expect(page.locator(".table--stacked tbody tr")).to_have_count(100)
    assert page.evaluate(OUT_OF_SIGHT, ".table--stacked td") == []


def test_each_cell_of_an_exercise_is_in_sight_on_phone(page: Page):
    page.set_viewport_size({"width": PHONE, "height": 900})
    page.goto("/lab/exercises")
    assert page.locator(".table--stacked tbody tr").count() > 40
    assert page.evaluate(OUT_OF_SIGHT, ".table--stacked :is(th[scope=row], td)") == []


def test_staff_order_list_on_phone_shows_status_and_next_step(page: Page):
    sign_in(page, "admin@shop.test")
    page.set_viewport_size({"width": PHONE, "height": 900})
    page.goto("/admin/orders?status=paid")
    assert page.locator("tbody .button").count() > 0
    assert page.evaluate(OUT_OF_SIGHT, "tbody :is(.badge, .button)") == []


def test_api_page_follows_dark_mode_and_links_to_store(page: Page):
    page.emulate_media(color_scheme="dark")
    page.goto("/api/docs")
    for scheme, is_dark in (("dark", True), ("light", False), ("dark", True)):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(TWO_FRAMES)
        letters = page.evaluate(LIGHTNESS, [".call__path", "color"])
        ground = page.evaluate(LIGHTNESS, ["body", "backgroundColor"])
        assert (letters - ground if is_dark else ground - letters) > 3 * 128, f"{scheme}: {letters} on {ground}"
    page.get_by_role("link", name="shop, home").click()
    page.wait_for_url("**/")


SHIFTS = """new Promise(done => new PerformanceObserver((list, observer) => {
  observer.disconnect();
  done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0));
}).observe({type: "layout-shift", buffered: true}) || setTimeout(done, 200, 0))"""
"""How far what was seen has moved: the layout-shift entries of the page so far, of which there may be none."""


@pytest.mark.parametrize("path", ["/", "/api/docs", "/api/docs#checkout"])
def test_layout_does_not_shift_after_first_paint(page: Page, path: str):
    page.goto("about:blank")
    page.goto(path, wait_until="networkidle")
    page.evaluate(TWO_FRAMES)
    assert page.evaluate(SHIFTS) < 0.1


def test_a_call_can_be_tried_from_the_api_s_page(page: Page):
    page.goto("/api/docs#get_product")
    call = page.locator("#get_product")
    expect(call).to_have_attribute("open", "")
    call.get_by_role("textbox", name="slug").fill(str(best_seller(page)["slug"]))
    call.get_by_role("button", name="Send GET").click()
    expect(call.get_by_role("status")).to_contain_text("200")
    expect(call.get_by_label("The answer")).to_contain_text('"price"')
    page.evaluate("document.querySelectorAll('#checkout, #schema-OrderSchema').forEach(one => { one.open = true; })")
    assert faults(page) == []


@pytest.mark.parametrize("experiment", ["cache-layers", "cache-hot-set", "slow-payments"])
def test_report_charts_are_readable_on_phone_and_desktop(page: Page, experiment: str):
    page.goto("about:blank")  # the report has its own styles, which no page of the store may
    page.set_content(report.render_report(load_runs()[experiment]))
    for width in (PHONE, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator("section.wide svg:visible").count() >= 2
        assert page.evaluate(LOST) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_one_very_long_word_does_not_widen_the_page(page: Page, store: Store, tmp_path: Path):
    department, category, brand = (letter * MAX_NAME for letter in "DCB")
    with (tmp_path / "long.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["slug", "title", "brand", "category", "price", "on_hand"])
        rows.writerow(["endless", "T" * MAX_TITLE, brand, f"{department} > {category}", "9.99", "9"])
    assert store.shop("import", "products", str(tmp_path / "long.csv")).returncode == 0
    shelf = next(
        one for one in json.loads(page.request.get("/api/v1/categories").text())["items"] if one["name"] == department
    )
    put_in_cart(page, "endless")
    for path in (
        "/",
        shelf["url"],
        shelf["children"][0]["url"],
        "/p/endless",
        "/search?q=endless",
        "/cart",
        "/checkout",
    ):
        page.goto(path)
        page.evaluate("() => document.querySelectorAll('details.menu').forEach(menu => { menu.open = true; })")
        for width in (PHONE, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
