"""Keys of work with several phases: checkouts and cancellations, killed, repeated and raced by processes."""

import multiprocessing
import os
import re
import signal
from collections import Counter

import pytest
from sqlalchemy import select, text

from shop.app import create_app
from shop.cart.models import CartItem
from shop.checkout.recovery_points import RecoveryPoint
from shop.database.transactions import OuterTransaction
from shop.orders.models import Order
from shop.patterns.idempotency.models import IdempotencyKey
from shop.wiring import build
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_user
from tests.support.guest_browsers import check_out
from tests.support.guest_carts import guest_with_cart

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["shop.app"])
TIMEOUT_S = 60
TRIES = 200


@pytest.fixture
def cart(database, simulator, product_on_shelf):
    """A guest's cart with two mugs in it."""
    product_on_shelf("mug", on_hand=50)
    return str(guest_with_cart(database, {"mug": 2}).guest_cart_id)


@pytest.fixture
def guest(client, cart):
    """The guest's browser, which knows only the cart."""
    return browser(client.application, cart)


def browser(app, cart):
    client = app.test_client()
    with client.session_transaction() as session:
        session["cart"] = cart
    return client


def replayed(answer):
    return answer.headers.get("Idempotency-Replayed") == "true"


def let_the_claims_run_out(database):
    with database.transaction() as session:
        for table in ("payments", "idempotency_keys"):
            session.execute(text(f"UPDATE {table} SET claimed_until = now() - interval '1 second'"))  # noqa: S608 - names of ours


def orders(database):
    with database.reading() as session:
        return dict(Counter(session.scalars(select(Order.status))))


def test_a_replay_is_identical_whatever_the_order_is_now(guest, database):
    first = check_out(guest)
    assert guest.post(f"{first.location}/cancel").status_code == 200
    second = check_out(guest)
    assert (second.status_code, second.data, second.location) == (201, first.data, first.location)
    assert (replayed(first), replayed(second)) == (False, True)


def test_a_replay_gives_access_to_its_order(guest, cart):
    check_out(guest)
    again = browser(guest.application, cart)
    location = check_out(again).location
    assert again.get(location).status_code == 200


def test_a_replayed_form_redirects_to_the_order(guest, cart):
    answers, lines = [], re.search(r'name="lines" value="(\w+)"', guest.get("/checkout").text)[1]
    for _ in range(2):
        form = {**DETAILS["address"], "email": DETAILS["email"], "token": "tok_ok", "key": "the-key", "lines": lines}
        answers.append(guest.post("/checkout", data=form))
        assert guest.get(answers[-1].location).status_code == 200
    assert answers[0].location == answers[1].location


def test_a_declined_card_is_replayed_identically(guest, database):
    declined = {"payment": {"token": "tok_declined"}}
    first, second = check_out(guest, **declined), check_out(guest, **declined)
    assert (first.status_code, second.status_code) == (402, 402)
    assert second.data == first.data
    assert replayed(second)
    assert orders(database) == {"cancelled": 1}


def test_an_undone_checkout_releases_its_key_for_another_card(guest, database):
    assert check_out(guest, payment={"token": "tok_error"}).status_code == 503
    with database.reading() as session:
        assert session.scalars(select(IdempotencyKey)).all() == []
    assert check_out(guest).status_code == 201


def test_a_repeated_cancellation_gets_the_same_response(guest):
    location = check_out(guest).location
    first, second = (
        guest.post(f"{location}/cancel", headers={"Idempotency-Key": "cancel-it"}) for _ in ("first", "second")
    )
    assert (first.status_code, first.json["status"]) == (200, "refunded")
    assert second.data == first.data
    assert replayed(second)


@pytest.mark.parametrize("point", RecoveryPoint)
def test_the_claim_of_a_killed_process_is_taken_over(guest, cart, settings, database, simulator, point):
    process = _processes.Process(target=_check_out_and_die, args=(settings, cart, point))
    process.start()
    process.join(TIMEOUT_S)
    assert process.exitcode == -signal.SIGKILL
    if point is RecoveryPoint.SETTLED:
        assert replayed(check_out(guest))  # the answer was committed with the work: there is nothing to wait for
        return
    waiting = check_out(guest)
    assert (waiting.status_code, waiting.headers["Retry-After"]) == (409, "2")
    assert check_out(guest, email="other@example.org").status_code == 422
    let_the_claims_run_out(database)
    assert check_out(guest).status_code == 201
    assert replayed(check_out(guest))
    assert orders(database) == {"paid": 1}
    with database.reading() as session:
        assert simulator.charges_of(session.scalar(select(Order.number))) == 1


def test_processes_repeating_one_checkout_get_one_response(settings, cart, database):
    answers = _all_at_once(_check_out_until_answered, settings, cart)
    assert len({body for _, body in answers}) == 1
    assert Counter(replayed for replayed, _ in answers) == {True: len(answers) - 1, False: 1}
    assert orders(database) == {"paid": 1}


def test_processes_repeating_one_change_make_it_once(settings, cart, database):
    answers = _all_at_once(_add_until_answered, settings, cart)
    assert Counter(replayed for replayed, _ in answers) == {True: len(answers) - 1, False: 1}
    with database.reading() as session:
        assert session.scalar(select(CartItem.quantity)) == 3


def test_a_process_killed_before_commit_leaves_no_claim(settings, cart, guest, database):
    process = _processes.Process(target=_add_and_die, args=(settings, cart))
    process.start()
    process.join(TIMEOUT_S)
    assert process.exitcode == -signal.SIGKILL
    with database.reading() as session:
        assert session.scalars(select(IdempotencyKey)).all() == []
        assert session.scalar(select(CartItem.quantity)) == 2
    assert add(guest).status_code == 200


def test_an_accounts_key_is_replayed_in_another_browser(client, database, runtime, cart):
    with database.transaction() as session:
        user = make_user(session)
    token = runtime.services().accounts.issue_token(user.id).token
    answers = []
    for _ in range(2):
        other = client.application.test_client()
        other.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        answers.append(add(other))
    assert [replayed(answer) for answer in answers] == [False, True]


def add(client, key="the-key"):
    headers = {"Idempotency-Key": key}
    return client.post("/api/v1/cart/items", json={"product": "mug"}, headers=headers)


def _all_at_once(work, settings, cart, count=4):
    barrier, ends = _processes.Barrier(count), _processes.Queue()
    processes = [_processes.Process(target=work, args=(settings, cart, barrier, ends)) for _ in range(count)]
    for process in processes:
        process.start()
    found = [ends.get(timeout=TIMEOUT_S) for _ in processes]
    for process in processes:
        process.join(TIMEOUT_S)
    return found


def _check_out_until_answered(settings, cart, barrier, ends):
    _until_answered(settings, cart, barrier, ends, check_out)


def _add_until_answered(settings, cart, barrier, ends):
    _until_answered(settings, cart, barrier, ends, add)


def _until_answered(settings, cart, barrier, ends, send):
    runtime = build(settings)
    client = browser(create_app(runtime), cart)
    barrier.wait(TIMEOUT_S)
    for _ in range(TRIES):
        answer = send(client)
        if answer.status_code != 409:
            break
    ends.put((replayed(answer), answer.data))
    runtime.close()


def _check_out_and_die(settings, cart, fatal):
    runtime = build(settings)
    client = browser(create_app(runtime), cart)
    runtime.services().checkout.on_recovery_point = lambda point: (
        point is fatal and os.kill(os.getpid(), signal.SIGKILL)
    )
    check_out(client)


def _add_and_die(settings, cart):
    client = browser(create_app(build(settings)), cart)
    OuterTransaction.commit = lambda self: os.kill(os.getpid(), signal.SIGKILL)
    add(client)
