import random
import uuid

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy.exc import IntegrityError

from shop.errors import InvalidFields, StateConflict
from shop.money import Money
from shop.orders import ids, order_stream, queries
from shop.orders.events import CancellationCause, OrderCancelled, OrderedLine, OrderPlaced, PaymentCharged, serialize
from shop.orders.models import STREAMS, Order, OrderEventRow, OrderLine
from shop.orders.order_state import DeliverOrder, ShipOrder, fold
from shop.orders.order_stream import OrderStreams
from shop.orders.projection import UPSERT, InlineProjection, summary
from shop.orders.service import OrderViewer
from tests.support.accounts import CHEAP
from tests.support.factories import make_category, make_product, make_user

_random = random.Random(7)
STREAM = OrderStreams(InlineProjection())


def make_order(session, products, user=None, status="paid", events=("OrderPlaced", "PaymentCharged"), **fields):
    order = Order(
        public_id=ids.new_public_id(_random),
        number=ids.new_number(_random),
        user_id=user.id if user else None,
        email=fields.pop("email", "robin@example.org"),
        status=status,
        total_amount=1000 * len(products),
        address={
            "name": "Robin Fields",
            "line1": "Lindenweg 4",
            "postcode": "10115",
            "city": "Berlin",
            "country": "DE",
        },
        **fields,
    )
    session.add(order)
    session.flush()
    for position, product in enumerate(products, start=1):
        session.add(
            OrderLine(
                order_id=order.id,
                position=position,
                product_id=product.id,
                title=product.title,
                quantity=1,
                unit_price_amount=1000,
            )
        )
    lines = tuple(OrderedLine(product.id, product.title, 1, Money(1000)) for product in products)
    told = {
        "OrderPlaced": OrderPlaced(order.public_id, order.number, order.user_id, lines),
        "PaymentCharged": PaymentCharged("ch_1"),
        "OrderCancelled": OrderCancelled(CancellationCause.CUSTOMER),
    }
    stored = STREAMS.append(session, order.id, 0, [serialize(told[kind]) for kind in events])
    session.execute(UPSERT, [summary(order.id, fold(stored))])
    order.version = len(events)
    session.flush()
    return order


@pytest.fixture
def world(database):
    """Two customers and an admin, three products, and a session to add more in."""
    with database.transaction() as session:
        category = make_category(session)
        products = [make_product(session, category, slug) for slug in ("mug", "tray", "lamp")]
        hashed = CHEAP.hash("let-me-shop")
        ada, ben = (make_user(session, f"{name}@shop.test", password_hash=hashed) for name in ("ada", "ben"))
        admin = make_user(session, "admin@shop.test", password_hash=hashed, role="admin")
    return {"products": products, "ada": ada, "ben": ben, "admin": admin}


def sign_in(client, email):
    answer = client.post("/api/v1/session", json={"email": email, "password": "let-me-shop"})
    assert answer.status_code == 200
    return client


def place(database, world, who=None, **fields):
    with database.transaction() as session:
        return make_order(session, world["products"][:2], world.get(who), **fields).public_id


def be_guest(client):
    """Let a browser carry a guest's id."""
    guest = uuid.uuid4()
    with client.session_transaction() as session:
        session["cart"] = str(guest)
    return guest


def count_queries(runtime, work):
    seen = []

    def note(*args):
        seen.append(args[2])

    sa_event.listen(runtime.database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        sa_event.remove(runtime.database.engine, "before_cursor_execute", note)
    return len(seen)


def test_orders_are_ones_own_only(client, database, world):
    own, other = place(database, world, "ada"), place(database, world, "ben")
    sign_in(client, "ada@shop.test")
    listed = client.get("/api/v1/orders").json["items"]
    assert [order["id"] for order in listed] == [own]
    assert client.get(f"/api/v1/orders/{own}").headers["Cache-Control"] == "private, no-store"
    assert client.get(f"/api/v1/orders/{other}").status_code == 404


def test_a_passer_by_is_asked_to_sign_in(client):
    assert client.get("/api/v1/orders").status_code == 401


def test_a_strange_id_is_simply_not_there(client, database):
    assert client.get("/api/v1/orders/ord_nothing").status_code == 404
    assert client.get("/api/v1/orders/%00").status_code == 400


def test_pages_of_orders_follow_each_other_without_gap_or_repeat(client, database, world):
    placed = [place(database, world, "ada") for _ in range(5)]
    sign_in(client, "ada@shop.test")
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get("/api/v1/orders", query_string={"limit": 2, **({"cursor": cursor} if cursor else {})}).json
        seen += [order["id"] for order in page["items"]]
        place(database, world, "ada")  # what is placed meanwhile shifts nothing
        cursor = page["next_cursor"]
    assert seen == placed[::-1]


def test_a_guests_orders_have_pages_too(client, database, world):
    guest = be_guest(client)
    placed = [place(database, world, guest_id=guest) for _ in range(3)]
    first = client.get("/api/v1/orders?limit=2").json
    second = client.get(f"/api/v1/orders?limit=2&cursor={first['next_cursor']}").json
    assert [order["id"] for order in [*first["items"], *second["items"]]] == placed[::-1]
    assert second["next_cursor"] is None


def test_guest_order_moves_into_account_at_sign_in(client, database, world):
    guest = be_guest(client)
    hers = place(database, world, guest_id=guest, email="Ada@SHOP.test")
    bens = place(database, world, "ben", guest_id=guest, email="ada@shop.test")
    sign_in(client, "ada@shop.test")
    assert [order["id"] for order in client.get("/api/v1/orders").json["items"]] == [hers]
    client.delete("/api/v1/session")
    assert client.get(f"/api/v1/orders/{hers}").status_code == 404
    sign_in(client, "ada@shop.test")
    assert client.get(f"/api/v1/orders/{hers}").status_code == 200
    assert client.get(f"/api/v1/orders/{bens}").status_code == 404


def test_a_cursor_of_somebody_elses_order_is_refused(runtime, database, world):
    other = place(database, world, "ben")
    with pytest.raises(InvalidFields):
        runtime.services().orders.list_own(OrderViewer(user_id=world["ada"].id), other, 5)


def test_a_list_costs_the_same_queries_however_long_it_is(runtime, database, world):
    viewer = OrderViewer(user_id=world["ada"].id)
    orders = runtime.services().orders  # asked for once: who asks again may be the one who reads the switches afresh

    def listing():
        return orders.list_own(viewer, None, 50)

    place(database, world, "ada")
    short = count_queries(runtime, listing)
    for _ in range(20):
        place(database, world, "ada")
    assert count_queries(runtime, listing) == short <= 4


def test_only_an_admin_ships(client, database, world):
    order = place(database, world, "ada")
    assert client.post(f"/api/v1/admin/orders/{order}/ship").status_code == 401
    assert sign_in(client, "ada@shop.test").post(f"/api/v1/admin/orders/{order}/ship").status_code == 403
    answer = sign_in(client, "admin@shop.test").post(f"/api/v1/admin/orders/{order}/ship")
    assert (answer.status_code, answer.json["status"]) == (200, "shipped")
    assert client.post(f"/api/v1/admin/orders/{order}/ship").status_code == 409


def test_the_admin_page_ships_and_delivers(client, database, world):
    order = place(database, world)
    sign_in(client, "admin@shop.test")
    assert order in client.get("/admin/orders?status=paid").text
    assert order not in client.get("/admin/orders?status=shipped").text
    for step in ("ship", "deliver"):
        answer = client.post(f"/admin/orders/{order}/{step}", data={"next": "/admin/orders?status=paid"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/orders?status=paid")
    assert client.get(f"/api/v1/orders/{order}").json["status"] == "delivered"
    client.post(f"/admin/orders/{order}/ship")
    assert "delivered cannot be shipped" in client.get("/admin/orders").text


def test_admin_sees_next_step_and_list_link_on_order(client, database, world):
    order = place(database, world, "ada")
    page = sign_in(client, "admin@shop.test").get(f"/orders/{order}").text
    assert '<a href="/admin/orders">Orders</a>' in page
    assert "Your orders" not in page.split("<main")[1].split("</main>")[0]
    for step in ("ship", "deliver"):
        assert f'action="/admin/orders/{order}/{step}"' in client.get(f"/orders/{order}").text
        then = client.post(f"/admin/orders/{order}/{step}", data={"next": f"/orders/{order}"})
        assert (then.status_code, then.headers["Location"]) == (303, f"/orders/{order}")
    assert f"/admin/orders/{order}/" not in client.get(f"/orders/{order}").text


@pytest.mark.parametrize("who", ["ada", "admin"])
def test_own_order_of_admin_is_shown_as_own(client, database, world, who):
    order = place(database, world, who)
    page = sign_in(client, f"{who}@shop.test").get(f"/orders/{order}").text
    assert '<a href="/orders">Your orders</a>' in page
    assert "/admin/orders" not in page.split("<main")[1].split("</main>")[0]


def test_the_admin_page_is_for_admins(client, database, world):
    assert client.get("/admin/orders").status_code in (401, 303, 302)
    assert sign_in(client, "ada@shop.test").get("/admin/orders").status_code == 403


def test_the_page_of_an_order_tells_its_story(client, database, world):
    order = place(database, world, "ada")
    page = sign_in(client, "ada@shop.test").get(f"/orders/{order}")
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "private, no-store"
    for words in ("Order placed", "Payment received", "Germany", "Cancel this order", "/p/mug"):
        assert words in page.text
    assert client.get("/orders").status_code == 200


def test_two_writers_of_one_version_cannot_both_win(database, world):
    public_id = place(database, world)
    with database.transaction() as session:
        STREAM.change(session, order_stream.lock(session, public_id), ShipOrder())
    with database.reading() as session:
        order_id = queries.internal_id(session, public_id)
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(OrderEventRow(order_id=order_id, version=3, type="OrderDelivered"))


def test_an_impossible_step_changes_nothing(database, world):
    public_id = place(database, world)
    with pytest.raises(StateConflict), database.transaction() as session:
        STREAM.change(session, order_stream.lock(session, public_id), DeliverOrder())
    with database.reading() as session:
        view, _ = queries.find_order(session, public_id)
    assert (view.status, len(view.events)) == ("paid", 2)


def test_bought_together_follows_from_baskets(database, world):
    mug, tray, lamp = world["products"]
    with database.transaction() as session:
        for basket in ([mug, tray], [mug, tray], [mug, lamp], [lamp]):
            make_order(session, basket)
    with database.reading() as session:
        assert queries.bought_together(session, mug.id, 5) == [tray.id, lamp.id]
        assert queries.bought_together(session, mug.id, 1) == [tray.id]
        assert queries.bought_together(session, 0, 5) == []
