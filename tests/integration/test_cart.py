import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, select, update

from shop.app import create_app
from shop.cart.models import MAX_LINES, Cart, CartItem
from shop.cart.service import CartOwner
from shop.catalog.models import Product, StockItem
from shop.errors import StateConflict
from shop.patterns.idempotency.replay_rules import MAX_BODY
from tests.support.accounts import make_account, sign_in
from tests.support.factories import make_category, make_product

ANN, BEA = "ann@shop.test", "bea@shop.test"


@pytest.fixture
def mug_and_pot(database):
    """Two products, a mug at 12.99 and a pot at 30.00; and two accounts."""
    with database.transaction() as session:
        category = make_category(session)
        make_product(session, category, "mug", price_amount=1299, on_hand=10)
        make_product(session, category, "pot", price_amount=3000, on_hand=2)
        make_account(session, ANN)
        make_account(session, BEA)


@pytest.fixture
def browsers(runtime, mug_and_pot):
    """Makes browsers without common cookies."""
    return create_app(runtime).test_client


def add(browser, product="mug", quantity=1):
    answer = browser.post("/api/v1/cart/items", json={"product": product, "quantity": quantity})
    assert answer.status_code == 200, answer.text
    return answer.json


def cart(browser):
    return {item["product"]: item["quantity"] for item in browser.get("/api/v1/cart").json["items"]}


def session_cart(browser):
    with browser.session_transaction() as session:
        return session.get("cart")


def test_a_guest_fills_changes_and_empties_a_cart(browsers):
    guest = browsers()
    answer = add(guest, "mug", 2)
    assert answer["items"] == [
        {
            "product": "mug",
            "title": "Mug",
            "url": "/p/mug",
            "picture": answer["items"][0]["picture"],
            "quantity": 2,
            "unit_price": {"amount": 1299, "currency": "EUR"},
            "line_total": {"amount": 2598, "currency": "EUR"},
            "available": 10,
            "notes": [],
        }
    ]
    add(guest, "pot")
    assert guest.get("/api/v1/cart").json["total"] == {"amount": 5598, "currency": "EUR"}
    assert guest.patch("/api/v1/cart/items/mug", json={"quantity": 5}).json["count"] == 6
    assert guest.delete("/api/v1/cart/items/mug").json["count"] == 1
    assert cart(guest) == {"pot": 1}


def test_adding_same_product_adds_up_to_the_limit(browsers):
    guest = browsers()
    assert add(guest, "mug", 60)["note"] is None
    answer = add(guest, "mug", 60)
    assert answer["items"][0]["quantity"] == 99
    assert "99" in answer["note"]


@pytest.mark.parametrize("quantity", [0, -1, 100, 1.5, "many", None])
def test_a_quantity_out_of_range_is_refused(browsers, quantity):
    guest = browsers()
    add(guest)
    for answer in (
        guest.post("/api/v1/cart/items", json={"product": "mug", "quantity": quantity}),
        guest.patch("/api/v1/cart/items/mug", json={"quantity": quantity}),
    ):
        assert answer.status_code == 422
        assert list(answer.json["errors"]) == ["quantity"]


@pytest.mark.parametrize("slug", ["nothing", "No%20Slug", "a" * 150])
def test_a_product_that_does_not_exist_is_not_found(browsers, slug):
    guest = browsers()
    assert guest.post("/api/v1/cart/items", json={"product": slug}).status_code == 404
    assert guest.patch(f"/api/v1/cart/items/{slug}", json={"quantity": 1}).status_code == 404
    assert guest.delete(f"/api/v1/cart/items/{slug}").status_code == 404


def test_absent_line_cannot_be_changed_but_can_be_removed(browsers):
    guest = browsers()
    assert guest.patch("/api/v1/cart/items/mug", json={"quantity": 1}).status_code == 404
    assert guest.delete("/api/v1/cart/items/mug").status_code == 200


def test_visitor_without_cart_gets_no_cookie_and_no_cart(browsers, database):
    passer_by = browsers()
    for path in ("/api/v1/me", "/api/v1/cart", "/cart"):
        assert "Set-Cookie" not in passer_by.get(path).headers
    passer_by.delete("/api/v1/cart/items/mug")
    with database.reading() as session:
        assert session.scalars(select(Cart.id)).all() == []


def test_cart_shows_current_prices_and_notes_changes(browsers, database):
    guest = browsers()
    add(guest, "mug", 2)
    with database.transaction() as session:
        session.execute(update(Product).where(Product.slug == "mug").values(price_amount=1500))
    answer = guest.get("/api/v1/cart").json
    assert answer["total"]["amount"] == 3000
    assert answer["items"][0]["notes"] == ["The price has risen from €12.99 to €15.00 since you chose it."]
    guest.patch("/api/v1/cart/items/mug", json={"quantity": 1})
    assert guest.get("/api/v1/cart").json["items"][0]["notes"] == []


def test_missing_stock_is_a_note_on_the_line(browsers, database):
    guest = browsers()
    answer = add(guest, "pot", 3)
    assert answer["items"][0]["notes"] == ["Only 2 left. Lower the quantity to check out."]
    with database.transaction() as session:
        session.execute(update(StockItem).values(on_hand=0))
    assert "Sold out" in guest.get("/api/v1/cart").json["items"][0]["notes"][0]
    assert 'href="/checkout"' not in guest.get("/cart").text


def test_me_returns_user_and_cart_total(browsers):
    shopper = browsers()
    nothing = {"count": 0, "total": {"amount": 0, "currency": "EUR"}}
    assert shopper.get("/api/v1/me").json == {"user": None, "cart": nothing}
    add(shopper, "mug", 2)
    sign_in(shopper, ANN)
    answer = shopper.get("/api/v1/me")
    assert answer.json == {
        "user": {"name": "ann", "email": ANN, "role": "customer"},
        "cart": {"count": 2, "total": {"amount": 2598, "currency": "EUR"}},
    }
    assert answer.headers["Cache-Control"] == "private, no-store"


def query_count(answer):
    return int(answer.headers["Server-Timing"].split('desc="')[1].split()[0])


def test_cart_view_runs_same_queries_for_any_number_of_lines(browsers, database):
    guest, shopper = browsers(), browsers()
    with database.transaction() as session:
        category = make_category(session, "pans")
        slugs = [make_product(session, category).slug for _ in range(20)]
    sign_in(shopper, ANN)
    for slug in slugs:
        add(guest, slug)
        add(shopper, slug)
    assert query_count(browsers().get("/api/v1/me")) == 0
    assert query_count(guest.get("/api/v1/me")) == 1
    assert query_count(shopper.get("/api/v1/me")) == 2
    assert query_count(guest.get("/api/v1/cart")) == 2
    guest.get("/cart")  # fills the cache with the menu
    assert query_count(guest.get("/cart")) == 2
    assert query_count(shopper.get("/api/v1/cart")) == 3  # and one query for the account


def test_login_merges_guest_cart_and_reports_it(browsers):
    shopper = browsers()
    sign_in(shopper, ANN)
    add(shopper, "mug", 1)
    shopper.delete("/api/v1/session")
    add(shopper, "mug", 2)
    add(shopper, "pot", 1)
    assert sign_in(shopper, ANN).json["note"] == "3 items from your guest cart were added."
    assert cart(shopper) == {"mug": 3, "pot": 1}
    assert session_cart(shopper) is None


def test_the_page_shows_the_note_of_the_merge_once(browsers):
    shopper = browsers()
    add(shopper)
    answer = shopper.post("/login", data={"email": ANN, "password": "correct horse battery"})
    assert answer.location == "/cart"
    note = "1 item from your guest cart was added."
    assert note in shopper.get("/cart").text
    assert note not in shopper.get("/cart").text


def test_merge_reports_number_of_moved_pieces(browsers, runtime, database):
    shopper, carts = browsers(), runtime.services().carts
    sign_in(shopper, ANN)
    add(shopper, "mug", 98)
    guest = browsers()
    add(guest, "mug", 5)
    assert carts.merge(uuid.UUID(session_cart(guest)), 1) == "1 item from your guest cart was added."
    assert carts.merge(uuid.UUID(session_cart(guest)), 1) is None
    assert cart(shopper) == {"mug": 99}


def test_each_shopper_sees_only_their_own_cart(browsers):
    ann, bea, guest = browsers(), browsers(), browsers()
    sign_in(ann, ANN)
    sign_in(bea, BEA)
    add(ann, "mug", 1)
    add(bea, "mug", 2)
    add(guest, "mug", 3)
    bea.delete("/api/v1/cart/items/mug")
    guest.patch("/api/v1/cart/items/mug", json={"quantity": 4})
    assert (cart(ann), cart(bea), cart(guest)) == ({"mug": 1}, {}, {"mug": 4})


def test_id_of_account_cart_opens_nothing_for_a_guest(browsers, runtime, database):
    ann, thief = browsers(), browsers()
    sign_in(ann, ANN)
    add(ann, "mug", 1)
    with database.reading() as session:
        hers = session.scalars(select(Cart.id)).one()
    with thief.session_transaction() as session:
        session["cart"] = str(hers)
    assert cart(thief) == {}
    assert thief.get("/api/v1/me").json["cart"]["count"] == 0
    assert thief.patch("/api/v1/cart/items/mug", json={"quantity": 9}).status_code == 404
    thief.delete("/api/v1/cart/items/mug")
    add(thief, "pot", 1)
    assert runtime.services().carts.merge(hers, 2) is None
    assert (cart(ann), cart(thief)) == ({"mug": 1}, {"pot": 1})


def test_guest_cart_is_found_only_by_signed_cookie(browsers):
    guest, forger = browsers(), browsers()
    add(guest)
    forger.set_cookie("session", "eyJjYXJ0IjoiMDAwIn0.forged.signature")
    assert cart(forger) == {}


def test_cart_page_works_with_forms_only(browsers):
    guest = browsers()
    answer = guest.post("/cart/items", data={"product": "mug", "quantity": "2"})
    assert (answer.status_code, answer.location) == (303, "/cart")
    assert "Mug" in guest.get("/cart").text
    assert guest.post("/cart/items/mug", data={"quantity": "4"}).status_code == 303
    assert cart(guest) == {"mug": 4}
    assert guest.post("/cart/items/mug", data={"quantity": "4", "action": "remove"}).status_code == 303
    assert "Your cart is empty" in guest.get("/cart").text


@pytest.mark.parametrize("typed", ["", "abc", "-1", "100", "1.5", "9" * 5000, "²"])
def test_invalid_quantity_is_reported_beside_its_line(browsers, typed):
    guest = browsers()
    add(guest)
    answer = guest.post("/cart/items/mug", data={"quantity": typed})
    assert answer.status_code == 422
    assert 'id="error-mug"' in answer.text
    assert cart(guest) == {"mug": 1}


def test_add_form_redirects_back_on_this_site_only(browsers):
    guest = browsers()
    assert guest.post("/cart/items", data={"product": "mug", "next": "/p/mug"}).location == "/p/mug"
    assert guest.post("/cart/items", data={"product": "mug", "next": "//evil.example"}).location == "/cart"


@pytest.mark.parametrize("path", ["/cart", "/api/v1/cart", "/api/v1/me"])
def test_cart_responses_are_not_stored(browsers, path):
    assert browsers().get(path).headers["Cache-Control"] == "private, no-store"


def test_checkout_removes_bought_pieces_and_keeps_later_additions(browsers, runtime, database):
    guest = browsers()
    add(guest, "mug", 3)
    add(guest, "pot", 1)
    owner, carts = CartOwner(guest_cart_id=uuid.UUID(session_cart(guest))), runtime.services().carts
    with database.transaction() as session:
        bought = carts.quantities(session, owner)
    add(guest, "mug", 2)
    with database.transaction() as session:
        carts.remove_bought(session, owner, bought)
    assert cart(guest) == {"mug": 2}
    with database.transaction() as session:
        carts.remove_bought(session, owner, carts.quantities(session, owner))
    assert cart(guest) == {}


def test_cart_total_may_exceed_32_bits_of_cents(browsers, database):
    with database.transaction() as session:
        session.execute(update(Product).where(Product.slug == "mug").values(price_amount=100_000_000))
    guest = browsers()
    assert add(guest, "mug", 99)["total"]["amount"] == 9_900_000_000
    assert guest.get("/api/v1/me").json["cart"] == {"count": 99, "total": {"amount": 9_900_000_000, "currency": "EUR"}}


def fill(database, cart_id, lines, *, first=0):
    """Insert further products into a cart without the cart service."""
    with database.transaction() as session:
        category = make_category(session, f"more-{first}")
        for number in range(first, first + lines):
            product = make_product(session, category, f"thing-{number}")
            session.add(CartItem(cart_id=cart_id, product_id=product.id, quantity=1, seen_price_amount=1299))


def test_full_cart_accepts_only_products_it_has_already(browsers, database):
    guest = browsers()
    add(guest, "mug")
    fill(database, uuid.UUID(session_cart(guest)), MAX_LINES - 1)
    assert add(guest, "mug")["items"][0]["quantity"] == 2
    refused = guest.post("/api/v1/cart/items", json={"product": "pot"}, headers={"Idempotency-Key": "one"})
    assert (refused.status_code, "has 100 different products" in refused.json["detail"]) == (409, True)
    answer = guest.post("/cart/items", data={"product": "pot"}, follow_redirects=True)
    assert answer.status_code == 200
    assert "has 100 different products" in answer.text
    assert len(cart(guest)) == MAX_LINES
    guest.delete("/api/v1/cart/items/thing-0")
    again = guest.post("/api/v1/cart/items", json={"product": "pot"}, headers={"Idempotency-Key": "one"})
    assert again.status_code == 200


def test_response_of_a_full_cart_fits_the_key_store(browsers, database):
    guest = browsers()
    add(guest, "mug")
    fill(database, uuid.UUID(session_cart(guest)), MAX_LINES - 1)
    changed = guest.patch("/api/v1/cart/items/mug", json={"quantity": 2}, headers={"Idempotency-Key": "one"})
    assert (changed.status_code, len(changed.data) < MAX_BODY) == (200, True)


def test_only_one_concurrent_addition_takes_the_last_line(browsers, runtime, database):
    carts, owner = runtime.services().carts, CartOwner(guest_cart_id=uuid.uuid4())
    carts.add(owner, "mug", 1)
    fill(database, owner.guest_cart_id, MAX_LINES + 2)
    with database.transaction() as session:
        session.execute(delete(CartItem).where(CartItem.product_id > MAX_LINES))

    def add_one(number):
        try:
            carts.add(owner, f"thing-{MAX_LINES + 1 - number}", 1)
        except StateConflict:
            return "full"
        return "added"

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(add_one, range(4)))
    assert sorted(ends) == ["added", "full", "full", "full"]


def test_merge_fills_account_cart_and_reports_left_out_products(browsers, runtime, database):
    ann, guest, carts = browsers(), browsers(), runtime.services().carts
    sign_in(ann, ANN)
    add(ann, "mug")
    add(guest, "mug", 2)
    with database.reading() as session:
        hers = session.scalar(select(Cart.id).where(Cart.user_id == 1))
    fill(database, hers, MAX_LINES - 3)
    guests = uuid.UUID(session_cart(guest))
    fill(database, guests, 4, first=1_000)
    assert carts.merge(guests, 1) == (
        "4 items from your guest cart were added. "
        "2 products were not added: a cart can have at most 100 different products."
    )
    held = cart(ann)
    assert (len(held), held["mug"]) == (MAX_LINES, 3)
    assert {"thing-1002", "thing-1003"} <= held.keys()  # added last
