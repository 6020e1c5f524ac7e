"""An administrator adds, renames and withdraws products."""

import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shop.cart.service import CartOwner, CartService
from shop.catalog import offers
from shop.catalog.adding import NewProduct
from shop.catalog.editing import ProductChange
from shop.catalog.models import Category
from shop.errors import StateConflict
from tests.support.accounts import make_account, sign_in
from tests.support.factories import make_category, make_product
from tests.support.html_forms import form_fields

ADMIN = "/api/v1/admin/products"
NEW = {"title": "Blue Étagère", "category": "mugs", "price": {"amount": 4500}, "description": "Holds zwieback."}
PRODUCT = [
    "/p/{}",
    "/p/{}/reviews",
    "/p/{}/review",
    "/api/v1/products/{}",
    "/api/v1/products/{}/stock",
    "/api/v1/products/{}/rating",
    "/api/v1/products/{}/related",
    "/api/v1/products/{}/reviews",
    "/api/v1/screens/product/{}",
]
LISTS = [
    "/",
    "/c/mugs",
    "/c/kitchen",
    "/c/mugs?sort=newest",
    "/c/mugs?min_price=1",
    "/api/v1/products",
    "/search?q=mug",
]


@pytest.fixture
def mugs(database):
    with database.transaction() as session:
        return make_category(session, "mugs", parent=make_category(session, "kitchen"), picture="mug")


@pytest.fixture
def mug(database, mugs):
    with database.transaction() as session:
        return make_product(session, mugs, "enamel-mug", title="Enamel Mug")


@pytest.fixture
def admin(client, database, mugs):
    with database.transaction() as session:
        make_account(session, "boss@shop.test", role="admin")
    sign_in(client, "boss@shop.test")
    return client


def queries_of(answer):
    return int(re.search(r'desc="(\d+) quer', answer.headers["Server-Timing"])[1])


def counted(client):
    return client.get("/api/v1/categories").json["items"][0]["products"]


# ---- adding ----------------------------------------------------------------------------------------------------------


def test_added_product_is_in_every_list_at_once(admin, mug):
    seen = [*LISTS, "/search?q=zwieback"]
    for path in (*seen, "/p/blue-etagere", "/api/v1/categories"):
        admin.get(path)
    answer = admin.post(ADMIN, json={**NEW, "on_hand": 4})
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{ADMIN}/blue-etagere")
    assert (answer.json["brand"], answer.json["url"]) == ("Unbranded", "/p/blue-etagere")
    assert answer.headers["ETag"] == admin.get(answer.headers["Location"]).headers["ETag"]
    assert [path for path in seen if "search" not in path and "blue-etagere" not in admin.get(path).text] == []
    assert "blue-etagere" in admin.get("/search?q=zwieback").text
    assert admin.get("/p/blue-etagere").status_code == 200
    assert admin.get("/api/v1/products/blue-etagere/stock").json["available"] == 4
    assert counted(admin) == 2
    assert admin.get(answer.json["picture"]).mimetype == "image/svg+xml"
    mended = admin.get("/api/v1/products?q=etagerre").json
    assert (mended["showing_results_for"], [item["slug"] for item in mended["items"]]) == ("etagere", ["blue-etagere"])


def test_words_of_an_added_product_are_not_corrected(admin):
    admin.post(ADMIN, json={**NEW, "title": "Zwieback Holder"})
    assert admin.get("/api/v1/products?q=zwiebak").json["showing_results_for"] == "zwieback"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "日本"}, "slug"),
        ({"title": "New"}, "slug"),
        ({"slug": "Not A Slug"}, "slug"),
        ({"slug": "new"}, "slug"),
        ({"slug": "a\n"}, "slug"),
        ({"category": "nothing"}, "category"),
        ({"category": "kitchen"}, "category"),
        ({"price": {"amount": 0}}, "price.amount"),
        ({"price": {"amount": 1, "currency": "USD"}}, "price.currency"),
        ({"on_hand": -1}, "on_hand"),
        ({"brand": ""}, "brand"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_invalid_product_is_refused_by_field(admin, change, field):
    answer = admin.post(ADMIN, json={**NEW, **change})
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field]


def test_only_administrators_add_and_withdraw(client, database, mug):
    calls = [
        lambda: client.post(ADMIN, json=NEW),
        lambda: client.delete(f"{ADMIN}/enamel-mug"),
        lambda: client.post("/admin/products/new", data=NEW),
        lambda: client.post("/admin/products/enamel-mug/withdraw"),
    ]
    assert [call().status_code for call in calls] == [401, 401, 303, 303]
    with database.transaction() as session:
        make_account(session, "shopper@shop.test")
    sign_in(client, "shopper@shop.test")
    assert [call().status_code for call in calls] == [403] * 4


def test_taken_slug_is_a_conflict_if_sent_or_generated(admin, mug):
    assert admin.post(ADMIN, json={**NEW, "title": "Enamel  mug!"}).status_code == 409
    taken = admin.post(ADMIN, json={**NEW, "slug": "enamel-mug"})
    assert taken.status_code == 409
    assert "slug" in taken.json["errors"]
    assert admin.post(ADMIN, json={**NEW, "title": "Enamel Mug", "slug": "enamel-mug-2"}).status_code == 201


def test_repeated_addition_with_one_key_adds_once(admin):
    key = {"Idempotency-Key": "add"}
    first, again = (admin.post(ADMIN, json=NEW, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.headers["Idempotency-Replayed"], again.headers["Location"]) == ("true", first.headers["Location"])


def run_concurrently(calls):
    """Make concurrent calls; return their sorted results."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        try:
            call()
        except StateConflict:
            return "conflict"
        return "done"

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(run, calls))


def new(slug):
    return NewProduct(slug, "Blue Mug", "Northwind", "mugs", "", 1000, 1)


def test_one_of_concurrent_additions_gets_the_slug(runtime, mugs):
    catalog = runtime.services().catalog
    assert run_concurrently([lambda: catalog.add(new("blue-mug"))] * 6) == ["conflict"] * 5 + ["done"]


def test_new_product_form_adds_or_redisplays_input(admin, mug):
    page = admin.get("/admin/products/new")
    blank = form_fields(page.text, "/admin/products/new")
    assert 'value="mugs"' in page.text
    assert 'value="kitchen"' not in page.text
    filled = {**blank, "title": "Tea Cup", "category": "mugs", "price": "12,50", "on_hand": "3"}
    wrong = admin.post("/admin/products/new", data={**filled, "price": "cheap"})
    assert wrong.status_code == 422
    assert "error-price" in wrong.text
    again = form_fields(wrong.text, "/admin/products/new")
    assert (again["title"], again["category"]) == ("Tea Cup", "mugs")
    nothing_right = {"title": "", "category": "", "price": "2000000", "on_hand": "-1", "slug": "Not A Slug"}
    everything = admin.post("/admin/products/new", data={**again, **nothing_right})
    fields = ["title", "category", "price", "on_hand", "slug"]  # all errors at once, in the order of the page
    assert re.findall(r'href="#field-(\w+)"', everything.text) == fields
    taken = admin.post("/admin/products/new", data={**again, "price": "12.50", "slug": "enamel-mug"})
    assert taken.status_code == 409
    assert "error-slug" in taken.text
    added = admin.post("/admin/products/new", data={**filled, "key": "another"})
    assert (added.status_code, added.location) == (303, "/admin/products/tea-cup")
    assert "Added" in admin.get(added.location).text
    assert admin.get("/api/v1/products/tea-cup").json["price"]["amount"] == 1250


# ---- renaming --------------------------------------------------------------------------------------------------------


def rename(admin, old, slug):
    return admin.patch(f"{ADMIN}/{old}", json={"slug": slug})


def test_former_slug_redirects_everywhere(admin, mug):
    for path in PRODUCT:
        assert admin.get(path.format("enamel-mug")).status_code == 200
    answer = rename(admin, "enamel-mug", "steel-mug")
    assert (answer.status_code, answer.json["slug"]) == (200, "steel-mug")
    for path in (*PRODUCT, ADMIN + "/{}", "/admin/products/{}"):
        moved = admin.get(path.format("enamel-mug") + "?cursor=")
        assert (moved.status_code, moved.location) == (301, path.format("steel-mug") + "?cursor="), path
        assert admin.get(path.format("steel-mug")).status_code == 200, path
    assert admin.get("/api/v1/products/enamel-mug").json["type"] == "/problems/product-renamed"
    assert [path for path in LISTS if "enamel-mug" in admin.get(path).text] == []


def test_redirect_of_a_write_keeps_its_method(admin, mug):
    rename(admin, "enamel-mug", "steel-mug")
    for moved in (
        admin.post("/api/v1/products/enamel-mug/reviews", json={"rating": 4, "body": "Good."}),
        admin.patch(f"{ADMIN}/enamel-mug", json={"title": "T"}, headers={"Idempotency-Key": "k"}),
        admin.post("/p/enamel-mug/review", data={"rating": "4", "body": "Good."}),
    ):
        assert moved.status_code == 308
        assert "steel-mug" in moved.location
    assert admin.patch(f"{ADMIN}/steel-mug", json={"title": "T"}, headers={"Idempotency-Key": "k"}).status_code == 200


def test_each_former_slug_redirects_to_current_slug_in_one_step(admin, mug):
    for old, slug in (("enamel-mug", "a"), ("a", "b"), ("b", "c")):
        assert admin.get("/p/enamel-mug").status_code in (200, 301)  # fills every cache
        assert rename(admin, old, slug).status_code == 200
    for old in ("enamel-mug", "a", "b"):
        assert admin.get(f"/p/{old}").location == "/p/c"
    assert rename(admin, "c", "a").status_code == 200  # a product may take back its own former slug
    assert admin.get("/p/a").status_code == 200
    assert {admin.get(f"/p/{old}").location for old in ("enamel-mug", "b", "c")} == {"/p/a"}


def test_former_slug_cannot_be_taken_by_another_product(admin, database, mug, mugs):
    rename(admin, "enamel-mug", "steel-mug")
    assert admin.post(ADMIN, json={**NEW, "slug": "enamel-mug"}).status_code == 409
    admin.post(ADMIN, json={**NEW, "slug": "other"})
    assert rename(admin, "other", "enamel-mug").status_code == 409
    assert rename(admin, "other", "steel-mug").status_code == 409
    with pytest.raises(IntegrityError, match="another product's"), database.transaction() as session:
        make_product(session, mugs, "enamel-mug")
    with pytest.raises(IntegrityError, match="another product's"), database.transaction() as session:
        session.execute(text("UPDATE products SET slug = 'enamel-mug' WHERE slug = 'other'"))


def test_product_added_during_rename_does_not_get_former_slug(runtime, database, mug):
    catalog = runtime.services().catalog
    with ThreadPoolExecutor(1) as pool:
        with database.engine.begin() as renaming:
            renaming.execute(text("UPDATE products SET slug = 'steel-mug'"))
            renaming.execute(
                text("INSERT INTO former_slugs (slug, product_id) VALUES ('enamel-mug', :id)"), {"id": mug.id}
            )
            # after the check of the slugs, which finds none, the insert waits at the unique index
            added = pool.submit(_insert, database, mug.category_id)
        with pytest.raises(IntegrityError, match="another product's"):
            added.result()
    assert catalog.record("steel-mug").slug == "steel-mug"


def _insert(database, category_id):
    with database.transaction() as session:
        make_product(session, session.get(Category, category_id), "enamel-mug")


def test_one_of_concurrent_renames_and_additions_gets_the_slug(runtime, database, mugs):
    with database.transaction() as session:
        for number in range(3):
            make_product(session, mugs, f"mug-{number}")
    catalog = runtime.services().catalog
    renames = [
        lambda number=number: catalog.edit(f"mug-{number}", ProductChange(slug="best-mug")) for number in range(3)
    ]
    assert run_concurrently([*renames, *[lambda: catalog.add(new("best-mug"))] * 3]) == ["conflict"] * 5 + ["done"]


def test_form_renames_and_reports_a_taken_slug(admin, mug):
    admin.post(ADMIN, json={**NEW, "slug": "other"})
    form = form_fields(admin.get("/admin/products/enamel-mug").text, "/admin/products/enamel-mug")
    taken = admin.post("/admin/products/enamel-mug", data={**form, "slug": "other"})
    assert taken.status_code == 409
    assert "error-slug" in taken.text
    assert admin.post("/admin/products/enamel-mug", data={**form, "slug": "Steel Mug"}).status_code == 422
    saved = admin.post("/admin/products/enamel-mug", data={**form, "slug": "steel-mug", "key": "k2"})
    assert (saved.status_code, saved.location) == (303, "/admin/products/steel-mug")


def test_old_page_with_former_slug_still_fills_the_cart(admin, client, mug):
    admin.post("/api/v1/cart/items", json={"product": "enamel-mug"})
    rename(admin, "enamel-mug", "steel-mug")
    assert client.post("/api/v1/cart/items", json={"product": "enamel-mug"}).json["items"][0]["quantity"] == 2
    line = client.patch("/api/v1/cart/items/enamel-mug", json={"quantity": 5}).json["items"][0]
    assert (line["product"], line["quantity"]) == ("steel-mug", 5)
    assert client.delete("/api/v1/cart/items/enamel-mug").json["items"] == []


# ---- withdrawing -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(database, mug, mugs):
    """Two products that shoppers buy together."""
    from tests.integration.test_catalog_product import basket

    with database.transaction() as session:
        cup = make_product(session, mugs, "tea-cup", title="Tea Cup")
        basket(session, mug, cup)
    return mug, cup


def test_withdrawn_product_leaves_every_list_and_can_come_back(admin, pair):
    seen = [
        *LISTS,
        "/search?q=enamel",
        "/p/tea-cup",
        "/api/v1/products/tea-cup/related",
        "/api/v1/screens/product/tea-cup",
    ]
    assert [path for path in seen if "enamel-mug" not in admin.get(path).text] == []
    assert counted(admin) == 2
    assert admin.delete(f"{ADMIN}/enamel-mug").status_code == 204
    for path in PRODUCT:
        answer = admin.get(path.format("enamel-mug"))
        assert answer.status_code == 410, path
        assert "no longer sold" in answer.text
    assert admin.get("/api/v1/products/enamel-mug").json["type"] == "/problems/product-withdrawn"
    assert [path for path in seen if "enamel-mug" in admin.get(path).text] == []
    facets = admin.get("/api/v1/products?category=mugs").json["facets"]
    assert (facets["total"], facets["in_stock"], facets["brand"][0]["count"], counted(admin)) == (1, 1, 1, 1)
    assert admin.delete(f"{ADMIN}/enamel-mug").status_code == 204
    assert admin.get(f"{ADMIN}/enamel-mug").json["withdrawn"] is True
    assert admin.patch(f"{ADMIN}/enamel-mug", json={"withdrawn": False}).json["withdrawn"] is False
    assert [path for path in seen if "enamel-mug" not in admin.get(path).text] == []
    assert admin.get("/p/enamel-mug").status_code == 200
    assert counted(admin) == 2


def test_former_slug_of_withdrawn_product_redirects_to_its_410(admin, mug):
    rename(admin, "enamel-mug", "steel-mug")
    admin.delete(f"{ADMIN}/steel-mug")
    assert admin.get("/p/enamel-mug").status_code == 301
    assert admin.get("/p/enamel-mug", follow_redirects=True).status_code == 410


def test_a_stale_condition_withdraws_nothing(admin, mug):
    assert admin.delete(f"{ADMIN}/enamel-mug", headers={"If-Match": '"old"'}).status_code == 412
    assert admin.get("/p/enamel-mug").status_code == 200
    assert admin.delete(f"{ADMIN}/nothing").status_code == 404


def test_repeated_withdrawal_with_one_key_is_done_once(admin, mug):
    key = {"Idempotency-Key": "go"}
    assert admin.delete(f"{ADMIN}/enamel-mug", headers=key).status_code == 204
    admin.patch(f"{ADMIN}/enamel-mug", json={"withdrawn": False})
    again = admin.delete(f"{ADMIN}/enamel-mug", headers=key)
    assert (again.status_code, again.data, again.headers["Idempotency-Replayed"]) == (204, b"", "true")
    assert admin.get("/p/enamel-mug").status_code == 200


def test_words_of_withdrawn_product_are_no_longer_suggested(admin, mug, mugs, database):
    admin.post(ADMIN, json={**NEW, "title": "Zwieback Mug"})
    admin.patch(f"{ADMIN}/enamel-mug", json={"title": "Enamel Mug"})  # adds its words to the known ones
    admin.delete(f"{ADMIN}/zwieback-mug")
    assert admin.get("/api/v1/products?q=zwiebak").json["showing_results_for"] is None
    assert admin.get("/api/v1/products?q=mugg").json["showing_results_for"] == "mug"
    admin.patch(f"{ADMIN}/zwieback-mug", json={"withdrawn": False})
    assert admin.get("/api/v1/products?q=zwiebak").json["showing_results_for"] == "zwieback"


def test_also_bought_skips_withdrawn_products(admin, database, mug, mugs):
    from tests.integration.test_catalog_product import basket

    with database.transaction() as session:
        others = [make_product(session, mugs, f"other-{number:02}") for number in range(12)]
        for times, other in enumerate(others):
            for _ in range(12 - times):
                basket(session, mug, other)
        session.execute(text("UPDATE products SET withdrawn_at = now() WHERE slug < 'other-05' AND slug > 'other'"))
    related = admin.get("/api/v1/products/enamel-mug/related").json["items"]
    assert [card["slug"] for card in related] == [f"other-{number:02}" for number in range(5, 11)]


def test_admin_pages_withdraw_find_and_sell_again(admin, mug):
    page = admin.get("/admin/products/enamel-mug").text
    action = "/admin/products/enamel-mug/withdraw"
    assert admin.post(action, data=form_fields(page, action)).status_code == 303
    assert "enamel-mug" not in admin.get("/admin/products").text
    assert "enamel-mug" not in admin.get("/admin/products?stock=low").text
    assert "enamel-mug" in admin.get("/admin/products?stock=withdrawn").text
    assert "Withdrawn" in admin.get("/admin/products?find=enamel").text
    page = admin.get("/admin/products/enamel-mug").text
    action = "/admin/products/enamel-mug/offer"
    assert admin.post(action, data=form_fields(page, action)).status_code == 303
    assert "enamel-mug" in admin.get("/admin/products").text


@pytest.fixture
def shopper(client, database, mug, mugs, simulator, runtime):
    """A guest with a mug and a cup in the cart, and an order of a mug; the mug is then withdrawn."""
    from tests.integration.test_checkout_pages import send

    carts, owner = CartService(database, offers), CartOwner(guest_cart_id=uuid.uuid4())
    with database.transaction() as session:
        make_product(session, mugs, "tea-cup", title="Tea Cup", price_amount=700)
    with client.session_transaction() as session:
        session["cart"] = str(owner.guest_cart_id)
    carts.add(owner, "enamel-mug", 1)
    bought = send(client, client.get("/checkout"))
    assert bought.status_code == 303
    for slug in ("enamel-mug", "tea-cup"):
        carts.add(owner, slug, 1)
    client.order = bought.location
    client.form = client.get("/checkout")
    runtime.services().catalog.edit("enamel-mug", ProductChange(withdrawn=True))
    return client


PAYLOAD = {
    "email": "robin@example.org",
    "address": {"name": "R", "line1": "L 4", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}


def test_cart_names_withdrawn_line_and_refuses_checkout(shopper):
    from tests.integration.test_checkout_pages import send

    lines = {line["product"]: line for line in shopper.get("/api/v1/cart").json["items"]}
    assert lines["enamel-mug"]["notes"] == ["This is no longer sold. Remove it to check out."]
    assert (lines["enamel-mug"]["available"], lines["tea-cup"]["notes"]) == (0, [])
    assert "no longer sold" in shopper.get("/cart").text
    refused = shopper.post("/api/v1/checkout", json=PAYLOAD, headers={"Idempotency-Key": "k"})
    assert (refused.status_code, refused.json["errors"]) == (409, {"enamel-mug": "no longer sold"})
    form = send(shopper, shopper.form)
    assert (form.status_code, form.location) == (303, "/cart")
    assert shopper.patch("/api/v1/cart/items/enamel-mug", json={"quantity": 2}).status_code == 410
    assert shopper.post("/cart/items/enamel-mug", data={"quantity": "2"}).status_code == 410
    assert shopper.post("/api/v1/cart/items", json={"product": "enamel-mug"}).status_code == 410
    assert [line["product"] for line in shopper.delete("/api/v1/cart/items/enamel-mug").json["items"]] == ["tea-cup"]
    assert shopper.post("/api/v1/checkout", json=PAYLOAD, headers={"Idempotency-Key": "k"}).status_code == 201


def test_order_of_withdrawn_product_shows_it_and_can_be_cancelled(shopper):
    assert "Enamel Mug" in shopper.get(shopper.order).text
    assert shopper.get(f"/api/v1{shopper.order}").json["lines"][0]["product"] == "enamel-mug"
    assert shopper.post(f"/api/v1{shopper.order}/cancel").status_code == 200


# ---- what caches keep of it ------------------------------------------------------------------------------------------


def test_redirect_and_withdrawal_are_cached_until_next_change(admin, mug):
    rename(admin, "enamel-mug", "steel-mug")
    paths = ["/p/enamel-mug", "/p/enamel-mug/reviews", "/api/v1/products/enamel-mug"]
    assert queries_of(admin.get(paths[0])) > 0
    assert [(admin.get(path).status_code, queries_of(admin.get(path))) for path in paths] == [(301, 0)] * 3
    rename(admin, "steel-mug", "tin-mug")
    assert {admin.get(path).location.split("/")[-1] for path in paths} == {"tin-mug", "reviews"}
    admin.delete(f"{ADMIN}/tin-mug")
    admin.get("/p/tin-mug")
    again = admin.get("/p/tin-mug")
    assert (again.status_code, queries_of(again)) == (410, 0)
    assert "no longer sold" in again.text


def test_uncached_absence_gets_same_response_each_time(admin, runtime, mug):
    runtime.switch_store.set("cache.negative", "off")
    runtime.switch_poller.refresh()
    rename(admin, "enamel-mug", "steel-mug")
    for _ in range(2):
        moved = admin.get("/p/enamel-mug")
        assert (moved.status_code, moved.location) == (301, "/p/steel-mug")
        assert queries_of(moved) > 0
    assert admin.get("/p/enamel-mug/reviews").status_code == 301
