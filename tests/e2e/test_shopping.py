import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Store, best_seller

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]

ADDRESS = {
    "Email": "guest@shop.test",
    "Name": "A Guest",
    "Street and number": "1 Harbour Street",
    "Postcode": "1000",
    "Town or city": "Brussels",
}


def put_in_cart(page: Page, slug: str, quantity: int = 1) -> None:
    page.goto(f"/p/{slug}")
    page.get_by_label("Quantity", exact=False).first.fill(str(quantity))
    page.get_by_role("button", name="Add to cart").click()
    added = page.locator("[data-cart-count]").filter(has_text=re.compile(r"\d"))
    expect(added.or_(page.get_by_role("link", name="Go to checkout")).first).to_be_visible()


def check_out(page: Page, card: str = "tok_ok") -> None:
    page.goto("/checkout")
    for label, value in ADDRESS.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Country", exact=True).select_option("BE")
    page.locator(f"input[name=token][value={card}]").check()
    pay(page)


def pay(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Pay")).click()


def sign_in(page: Page, email: str) -> None:
    page.goto("/login")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill("let-me-shop")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def test_guest_finds_and_buys_a_product_then_cancels(page: Page):
    product = best_seller(page)
    page.goto("/")
    page.get_by_role("searchbox").fill(str(product["title"]))
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("link", name=str(product["title"])).first.click()
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("[data-cart-count]")).to_have_text("1")

    check_out(page)

    expect(page.get_by_role("heading", level=1)).to_contain_text("Order")
    expect(page.locator(".timeline")).to_contain_text("Payment received")
    page.get_by_role("button", name="Cancel this order").click()
    expect(page.locator("main")).to_contain_text("efunded")
    page.goto("/cart")
    expect(page.locator("main")).to_contain_text("Your cart is empty")


def test_guest_cancels_order_by_its_link_in_another_browser(page: Page, browser: Browser):
    put_in_cart(page, str(best_seller(page)["slug"]))
    check_out(page)
    link = page.get_by_role("link", name="This link").get_attribute("href")
    order = page.url
    with browser.new_context(base_url=order.partition("/orders/")[0]) as context:
        device = context.new_page()
        device.goto(str(link))
        expect(device).to_have_url(order)  # without the token
        assert device.evaluate("document.referrer") == ""
        device.get_by_role("button", name="Cancel this order").click()
        expect(device.locator("main")).to_contain_text("efunded")
        expect(device).to_have_url(order)


def test_a_declined_card_keeps_the_cart_and_says_why(page: Page):
    product = best_seller(page)
    put_in_cart(page, str(product["slug"]))
    check_out(page, "tok_declined")
    expect(page.locator("main")).to_contain_text("declined")
    page.goto("/cart")
    expect(page.locator("main")).to_contain_text(str(product["title"]))


def test_form_errors_stand_beside_their_fields(page: Page):
    put_in_cart(page, str(best_seller(page)["slug"]))
    page.goto("/checkout")
    page.get_by_label("Email", exact=True).fill("not an address")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    email = page.get_by_label("Email", exact=True)
    expect(email).to_have_attribute("aria-invalid", "true")
    described = str(email.get_attribute("aria-describedby")).split()
    assert any(page.locator(f"#{name}").inner_text().strip() for name in described)


def test_a_guest_cart_joins_the_account_at_log_in(page: Page):
    product = best_seller(page)
    put_in_cart(page, str(product["slug"]))
    expect(page.locator("[data-cart-count]")).to_have_text("1")
    sign_in(page, "shopper@shop.test")
    page.goto("/cart")
    expect(page.locator("main")).to_contain_text(str(product["title"]))
    expect(page.locator("[data-account-name]")).not_to_have_text("Account")
    page.get_by_role("button", name=re.compile(f"^Remove {re.escape(str(product['title']))}")).click()


def test_an_admin_edits_a_price_and_the_store_shows_it(page: Page, browser: Browser):
    slug = best_seller(page)["slug"]
    page.goto(f"/p/{slug}")
    before = page.locator(".product__price").inner_text()
    sign_in(page, "admin@shop.test")
    page.goto(f"/admin/products/{slug}")
    price = page.get_by_label("Price in euros")
    euros = float(price.input_value()) + 1.5
    price.fill(f"{euros:.2f}")
    page.get_by_role("button", name="Save").click()
    stranger = browser.new_context(base_url=page.url.split("/admin")[0]).new_page()
    stranger.goto(f"/p/{slug}")
    expect(stranger.locator(".product__price")).to_contain_text(f"{euros:,.2f}")
    assert stranger.locator(".product__price").inner_text() != before
    stranger.context.close()


def test_everything_up_to_the_order_works_without_javascript(browser: Browser, store: Store):
    context = browser.new_context(base_url=store.url, java_script_enabled=False)
    page = context.new_page()
    product = best_seller(page)
    put_in_cart(page, str(product["slug"]), 2)
    page.goto("/cart")
    expect(page.locator("main")).to_contain_text(str(product["title"]))
    check_out(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order")
    context.close()


def test_the_keyboard_alone_reaches_the_main_content_and_the_cart(page: Page):
    page.goto(f"/p/{best_seller(page)['slug']}")
    page.keyboard.press("Tab")
    assert "Skip" in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Add to cart":
            break
    page.keyboard.press("Enter")
    expect(page.locator("[data-cart-count]")).to_have_text("1")
