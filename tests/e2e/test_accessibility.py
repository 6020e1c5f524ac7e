import shutil
from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from shop.settings import PROJECT_ROOT
from tests.e2e.conftest import Store, best_seller
from tests.e2e.test_shopping import check_out, put_in_cart, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

SERIOUS = ("serious", "critical")
LOOKS = ((390, "light"), (1280, "dark"))
"""A phone by day and a desk by night: both widths and both schemes."""
AXE = "() => axe.run(document, {resultTypes: ['violations']})"
"""Every rule; only of what breaks one are all the details wanted."""
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def faults(page: Page) -> list[str]:
    """Return the serious faults axe finds in the page as it stands."""
    found = []
    page.evaluate(AXE_SCRIPT)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(TWO_FRAMES)  # the new colours are a frame away
        found.extend(
            f"{width} {scheme} {fault['id']}: {fault['nodes'][0]['html'][:120]}"
            for fault in page.evaluate(AXE)["violations"]
            if fault["impact"] in SERIOUS
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"scrolls sideways at {width}"
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/departments",
        "/c/beauty-care/categories",
        "/search?q=lamp",
        "/search?q=zzzzqqq",
        "/cart",
        "/login",
        "/register",
        "/forgotten",
        "/reset",
        "/lab",
        "/lab?wall=1",
        "/lab/exercises",
        "/lab/experiments",
        "/lab/mail",
        "/api/docs",
        "/nothing-here",
        "/orders",
        "/orders/link",
        "/orders/open?token=none",
    ],
)
def test_axe_finds_nothing_serious(page: Page, path: str):
    page.goto(path)
    assert faults(page) == []


@pytest.fixture
def runs(store: Store) -> Iterator[list[str]]:
    """The names of two stored runs."""
    homes = [store.var / "lab" / name for name in ("first-run", "second-run")]
    for home in homes:
        home.mkdir(parents=True)
        shutil.copy(PROJECT_ROOT / "docs" / "figures" / "cache-aside.json", home / "result.json")
    yield [home.name for home in homes]
    for home in homes:
        shutil.rmtree(home)


@pytest.mark.long  # axe takes seconds for each page, and these share the base template with those above
def test_axe_finds_nothing_serious_on_stored_runs(page: Page, runs: list[str]):
    page.goto(f"/lab/experiments/runs/{runs[0]}")
    assert faults(page) == []
    page.goto("/lab/experiments")
    page.get_by_label("First run").select_option(runs[0])
    page.get_by_label("Second run").select_option(runs[1])
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Two runs side by side")).to_be_visible()
    assert faults(page) == []


@pytest.mark.long  # axe takes seconds for each page, and these share the base template with those above
def test_axe_finds_nothing_serious_on_an_account_and_its_faults(page: Page):
    sign_in(page, "shopper@shop.test")
    page.goto("/account")
    assert faults(page) == []
    page.get_by_label("Current password").fill("not my password")
    page.get_by_label("New password").fill("seven quiet rivers")
    page.get_by_role("button", name="Change password").click()
    assert page.get_by_text("This is not your current password.").count() == 2  # in the summary, and beside the field
    assert faults(page) == []


def test_axe_finds_nothing_serious_on_a_category_and_a_product(page: Page):
    product = best_seller(page)
    page.goto(f"/p/{product['slug']}")
    assert faults(page) == []
    page.locator(".breadcrumbs a").last.click()
    assert faults(page) == []


def test_axe_finds_nothing_serious_from_the_cart_to_the_order(page: Page):
    put_in_cart(page, str(best_seller(page)["slug"]))
    page.goto("/cart")
    assert faults(page) == []
    page.goto("/checkout")
    page.get_by_label("Email", exact=True).fill("not an address")
    page.get_by_role("button", name="Pay").click()
    assert faults(page) == []
    check_out(page)
    assert faults(page) == []


@pytest.mark.long  # axe takes seconds for each page, and these share the base template with those above
def test_axe_finds_nothing_serious_in_the_back_office(page: Page):
    sign_in(page, "admin@shop.test")
    slug = best_seller(page)["slug"]
    for path in ("/admin", "/admin/products", "/admin/products/new", f"/admin/products/{slug}", "/admin/orders"):
        page.goto(path)
        assert faults(page) == [], path
    page.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order ")
    assert faults(page) == [], "a customer's order"


@pytest.mark.long  # as above
def test_edit_conflict_page_has_no_serious_axe_violation(page: Page):
    slug = best_seller(page)["slug"]
    sign_in(page, "admin@shop.test")
    page.goto(f"/admin/products/{slug}")
    price = page.get_by_label("Price in euros")
    mine, theirs = float(price.input_value()) + 2, round(float(price.input_value()) * 100) + 100
    page.request.patch(f"/api/v1/admin/products/{slug}", data={"price": {"amount": theirs}})
    price.fill(f"{mine:.2f}")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Someone else has changed this product")
    assert faults(page) == []
    page.get_by_label("The saved version").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved. The store shows the change")).to_be_visible()
    expect(price).to_have_value(f"{theirs / 100:.2f}")
