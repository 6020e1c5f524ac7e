"""Two administrators change one product at once; neither overwrites the other's change silently."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update

from shop.catalog.editing import EditConflict, ProductChange
from shop.catalog.models import StockItem
from shop.errors import PreconditionFailed
from shop.web.preconditions import IfMatch
from tests.support.accounts import make_account, sign_in
from tests.support.factories import make_category, make_product
from tests.support.html_forms import form_fields
from tests.support.polling import until

FORM = "/admin/products/enamel-mug"
EDIT = "/api/v1/admin/products/enamel-mug"
TEXT = 'Line one.\n\nLine <two> & "three".'


@pytest.fixture
def mug(database):
    with database.transaction() as session:
        return make_product(
            session, make_category(session), "enamel-mug", title="Enamel Mug", price_amount=1450, description=TEXT
        )


@pytest.fixture
def admin(client, database, mug):
    with database.transaction() as session:
        make_account(session, "boss@shop.test", role="admin")
    sign_in(client, "boss@shop.test")
    return client


def opened(admin):
    return form_fields(admin.get(FORM).text, FORM)


def stored(admin):
    record = admin.get(EDIT).json
    return record["title"], record["price"]["amount"], record["description"], record["on_hand"]


def test_each_of_two_forms_writes_only_its_changes(admin):
    first, second = opened(admin), opened(admin)
    assert admin.post(FORM, data={**first, "price": "12.00"}).status_code == 303
    assert admin.post(FORM, data={**second, "title": "Better Mug"}).status_code == 303
    assert stored(admin) == ("Better Mug", 1200, TEXT, 10)


def test_unchanged_form_changes_nothing(admin):
    untouched = opened(admin)
    admin.patch(EDIT, json={"price": {"amount": 1}, "title": "T", "description": "D", "on_hand": 3})
    assert admin.post(FORM, data=untouched).status_code == 303
    assert stored(admin) == ("T", 1, "D", 3)


@pytest.mark.parametrize(
    ("field", "theirs", "mine", "stays"),
    [
        ("price", "12.00", "13.50", {"theirs": 1200, "mine": 1350}),
        ("title", "Their Mug", "My <Mug>", {"theirs": "Their Mug", "mine": "My <Mug>"}),
        ("description", "Theirs.\r\nAll.", "Mine.\r\nAll.", {"theirs": "Theirs.\nAll.", "mine": "Mine.\nAll."}),
        ("on_hand", "7", "20", {"theirs": 7, "mine": 20}),
    ],
)
@pytest.mark.parametrize("choice", ["theirs", "mine"])
def test_conflicting_field_shows_both_values_and_a_choice(admin, field, theirs, mine, stays, choice):
    first, second = opened(admin), opened(admin)
    admin.post(FORM, data={**first, field: theirs})
    refused = admin.post(FORM, data={**second, field: mine})
    assert refused.status_code == 409
    again = form_fields(refused.text, FORM)
    assert again[field] == mine
    assert f'name="choice_{field}"' in refused.text
    assert f'id="error-{field}"' in refused.text
    assert stored(admin)[["title", "price", "description", "on_hand"].index(field)] == stays["theirs"]
    assert admin.post(FORM, data={**again, f"choice_{field}": choice}).status_code == 303
    assert stored(admin)[["title", "price", "description", "on_hand"].index(field)] == stays[choice]


def test_refused_form_keeps_other_fields_without_overwriting_them(admin):
    first, second = opened(admin), opened(admin)
    admin.post(FORM, data={**first, "price": "12.00", "on_hand": "7"})
    refused = admin.post(FORM, data={**second, "price": "13.00", "title": "Better Mug"})
    again = form_fields(refused.text, FORM)
    assert (again["title"], again["on_hand"]) == ("Better Mug", "7")
    assert admin.post(FORM, data={**again, "choice_price": "theirs"}).status_code == 303
    assert stored(admin) == ("Better Mug", 1200, TEXT, 7)


def test_third_change_during_the_choice_is_shown_too(admin):
    first, second = opened(admin), opened(admin)
    admin.post(FORM, data={**first, "price": "12.00"})
    again = form_fields(admin.post(FORM, data={**second, "price": "13.00"}).text, FORM)
    admin.patch(EDIT, json={"price": {"amount": 1250}})
    refused = admin.post(FORM, data={**again, "choice_price": "mine"})
    assert refused.status_code == 409
    assert "12.50" in refused.text


def test_invalid_form_is_still_compared_with_first_shown_values(admin):
    mine = {**opened(admin), "price": "13.00", "title": ""}
    admin.patch(EDIT, json={"price": {"amount": 1200}})
    wrong = admin.post(FORM, data=mine)
    assert wrong.status_code == 422
    refused = admin.post(FORM, data={**form_fields(wrong.text, FORM), "title": "Enamel Mug"})
    assert refused.status_code == 409


def test_unchanged_empty_description_is_valid(admin, database):
    with database.transaction() as session:
        session.execute(text("UPDATE products SET description = ''"))
    assert admin.post(FORM, data={**opened(admin), "price": "12.00"}).status_code == 303


def etag(admin):
    answer = admin.get(EDIT)
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.headers["ETag"]


def patch(admin, if_match, **change):
    return admin.patch(EDIT, json=change or {"title": "Mine"}, headers={"If-Match": if_match})


def test_a_stale_if_match_is_412_and_changes_nothing(admin):
    seen = etag(admin)
    assert not seen.startswith("W/")
    answer = patch(admin, seen, price={"amount": 1200})
    assert answer.status_code == 200
    refused = patch(admin, seen)
    assert refused.status_code == 412
    assert refused.json["type"] == "/problems/precondition-failed"
    assert stored(admin)[:2] == ("Enamel Mug", 1200)
    assert answer.headers["ETag"] == etag(admin)
    assert patch(admin, answer.headers["ETag"]).status_code == 200


@pytest.mark.parametrize("change", ["price", "title", "description", "on_hand"])
def test_each_change_gives_another_etag(admin, change):
    before = etag(admin)
    admin.patch(EDIT, json={change: {"price": {"amount": 7}, "on_hand": 2}.get(change, "Other")})
    assert etag(admin) != before


def test_if_match_accepts_list_and_star_but_no_weak_tag(admin):
    seen = etag(admin)
    assert patch(admin, f"W/{seen}").status_code == 412
    assert patch(admin, '"other"').status_code == 412
    assert patch(admin, "not quoted").status_code == 400
    assert patch(admin, f'"other", {seen}').status_code == 200
    assert patch(admin, "*", title="Any").status_code == 200
    gone = admin.patch("/api/v1/admin/products/nothing", json={"title": "x"}, headers={"If-Match": "*"})
    assert (
        gone.status_code == 404
    )  # a condition applies only to a request that would succeed without it (RFC 9110, 13.2.1)


def test_sale_makes_a_stock_count_stale(admin, database):
    seen = etag(admin)
    with database.transaction() as session:
        session.execute(update(StockItem).values(on_hand=8))
    assert patch(admin, seen, on_hand=30).status_code == 412
    assert stored(admin)[3] == 8


def test_replayed_write_gets_stored_response_despite_stale_condition(admin):
    headers = {"If-Match": etag(admin), "Idempotency-Key": "once"}
    first = admin.patch(EDIT, json={"title": "Mine"}, headers=headers)
    again = admin.patch(EDIT, json={"title": "Mine"}, headers=headers)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_failed_condition_is_not_stored_under_the_key(admin):
    key = {"Idempotency-Key": "twice"}
    assert admin.patch(EDIT, json={"title": "Mine"}, headers={"If-Match": '"old"', **key}).status_code == 412
    assert admin.patch(EDIT, json={"title": "Mine"}, headers={"If-Match": etag(admin), **key}).status_code == 200


def test_only_administrators_read_the_record(client, database, mug):
    assert client.get(EDIT).status_code == 401
    with database.transaction() as session:
        make_account(session, "shopper@shop.test")
    sign_in(client, "shopper@shop.test")
    assert client.get(EDIT).status_code == 403


def outcomes(catalog, edits):
    """Run concurrent edits, and return the sorted names of their results."""
    together = threading.Barrier(len(edits))

    def run(edit):
        change, condition = edit
        together.wait()
        try:
            catalog.edit("enamel-mug", change, condition)
        except (PreconditionFailed, EditConflict) as refusal:
            return type(refusal).__name__
        return "written"

    with ThreadPoolExecutor(len(edits)) as pool:
        return sorted(pool.map(run, edits))


def test_one_of_concurrent_writes_with_one_etag_succeeds(admin, runtime):
    seen = IfMatch.parse(etag(admin))
    edits = [(ProductChange(title=f"Mug {number}"), seen) for number in range(6)]
    assert outcomes(runtime.services().catalog, edits) == ["PreconditionFailed"] * 5 + ["written"]


def test_one_of_concurrent_forms_with_one_state_succeeds(mug, runtime):
    edits = [(ProductChange(price=1000 + number, original={"price": 1450}), None) for number in range(6)]
    assert outcomes(runtime.services().catalog, edits) == ["EditConflict"] * 5 + ["written"]


@pytest.mark.parametrize(
    "count",
    [ProductChange(on_hand=50, original={"on_hand": 10}), ProductChange(on_hand=50)],
    ids=["form", "api"],
)
def test_stock_count_waits_for_running_sale_and_keeps_it(admin, runtime, database, count):
    condition = None if count.original else IfMatch.parse(etag(admin))
    with ThreadPoolExecutor(1) as pool:
        with database.engine.begin() as sale:
            sale.execute(text("UPDATE stock_items SET on_hand = on_hand - 2"))
            counted = pool.submit(runtime.services().catalog.edit, "enamel-mug", count, condition)
            until(lambda: _waits_for_a_lock(database))
        with pytest.raises((EditConflict, PreconditionFailed)):
            counted.result()
    assert stored(admin)[3] == 8


def _waits_for_a_lock(database):
    with database.engine.connect() as connection:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return connection.scalar(text(waiting)) > 0
