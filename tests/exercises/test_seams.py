"""The model answer of each build exercise takes the place of the store's own code, and the store works with it."""

import re
import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from shop import queue_wiring
from shop.app import create_app
from shop.catalog.models import StockItem
from shop.catalog.stock import STRATEGIES
from shop.checkout.confirmation import TOPIC
from shop.errors import ServiceUnavailable
from shop.exercises.in_store import process_guards
from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.in_store.seams import has_seam
from shop.exercises.store_slot import offer_attempt
from shop.patterns.observability.correlation import REQUEST_ID_HEADER
from shop.patterns.outbox.messages import QueueMessage, enqueue
from shop.patterns.queue.inbox import ConsumerInbox
from shop.switches.attempt_notes import latest_notes
from shop.switches.attempt_slots import AttemptSlots
from shop.wiring import build
from tests.exercises.answers import BUILD, model_answer
from tests.support.factories import make_category, make_product

SCREEN = "/api/v1/screens/product/blue-mug"
IN_STORE = [exercise for exercise in BUILD if has_seam(exercise.slug)]


class StoreWithAttempt:
    """A store in this process, and the calls that it makes to an attempt."""

    def __init__(self, runtime, slots, calls):
        self.runtime, self.slots, self.calls = runtime, slots, calls
        self.client = create_app(runtime).test_client()

    def choose(self, switch, default):
        return self.runtime.current_seams().choose(switch, default)

    def notes(self, exercise):
        return latest_notes(self.slots, self.slots.load()[exercise.build.switch])

    def get(self, path=SCREEN, **headers):
        return self.client.get(path, headers=headers)


@pytest.fixture
def blue_mug(database):
    with database.transaction() as session:
        return make_product(session, make_category(session), "blue-mug", on_hand=3)


@pytest.fixture
def start_store(settings, database, cache_client, blue_mug, tmp_path, monkeypatch):
    """Return a function that starts a store with an attempt in force."""
    monkeypatch.setattr(process_guards, "HANG_S", 600)  # it would end the tests on a machine that stands still
    calls, runtimes = Counter(), []
    call = LoadedAttempt.call

    def count(attempt, words, *arguments, **named):
        calls[words.partition("(")[0]] += 1
        return call(attempt, words, *arguments, **named)

    monkeypatch.setattr(LoadedAttempt, "call", count)

    def start(exercise, text, **switches):
        path = tmp_path / "attempt.py"
        path.write_text(text)
        offer_attempt(exercise, path, tmp_path)
        process = exercise.build.processes[0]
        runtime = build(settings.model_copy(update={"var_dir": tmp_path}), process=process)
        runtimes.append(runtime)
        for name, value in {exercise.build.switch: "attempt", **switches}.items():
            runtime.switch_store.set(name, value)
        runtime.start()
        return StoreWithAttempt(runtime, AttemptSlots(tmp_path), calls)

    yield start
    for runtime in runtimes:
        runtime.close()


def look_at_products(store):
    for _ in range(3):
        assert store.get().status_code == 200
    assert store.get("/api/v1/screens/product/no-such-mug").status_code == 404


def change_a_product(store):
    look_at_products(store)
    store.runtime.services().cache.on_write(["product:blue-mug"])
    look_at_products(store)


def reserve_all_pieces(store):
    stock = store.choose("checkout.stock", STRATEGIES["conditional"])()
    with store.runtime.database.transaction() as session:
        item = session.scalar(select(StockItem))
        assert stock.reserve(session, {item.product_id: 3}) == {item.product_id}


def call_the_provider(store):
    outcome = store.runtime.services().payments.find_charge("nothing")  # nobody listens there
    assert outcome == outcome_of_the_store(store)


def outcome_of_the_store(store):
    store.runtime.switch_store.reset()
    store.runtime.switch_poller.refresh()
    return store.runtime.services().payments.find_charge("nothing")


def add_twice_with_one_key(store):
    store.client.post("/api/v1/cart/items", json={"product": "blue-mug"})
    key = {"Idempotency-Key": "one-and-the-same"}
    for _ in range(2):
        answer = store.client.post("/api/v1/cart/items", json={"product": "blue-mug"}, headers=key)
        assert answer.status_code < 300, answer.json
    assert answer.json["count"] == 2
    assert answer.headers["Idempotency-Replayed"] == "true"


def send_a_request_id(store):
    assert store.get(**{REQUEST_ID_HEADER: "a-readers-own-id"}).headers[REQUEST_ID_HEADER] == "a-readers-own-id"
    made = {store.get().headers[REQUEST_ID_HEADER] for _ in range(2)}
    assert len(made) == 2


def ask_for_readiness(store):
    answer = store.get("/readyz")
    assert set(answer.json["dependencies"]) >= {"postgres", "threads"}


def relay_a_message(store):
    published = []

    class OneBroker:
        def publish(self, consumer, message):
            published.append(consumer)

        def free_capacity(self):
            return 10

    with store.runtime.database.transaction() as session:
        enqueue(session, "order", "A", TOPIC, {})
    relay = queue_wiring.relay(store.runtime, OneBroker())
    assert relay.run_once() == 1
    assert relay.run_once() == 0
    with store.runtime.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM outbox")) == 0


def deliver_twice(store):
    inbox = store.choose("exercise.17", ConsumerInbox)(store.runtime.database, "confirmation")
    message = QueueMessage(uuid.uuid4(), "order", "A", "order.placed", {}, datetime.now(UTC))
    work = []
    assert inbox.process_once(message, work.append)
    assert not inbox.process_once(message, work.append)
    assert len(work) == 1


USES = {
    "cache-aside": look_at_products,
    "ttl-jitter": look_at_products,
    "correlation-ids": send_a_request_id,
    "readiness": ask_for_readiness,
    "stampede-lock": look_at_products,
    "early-expiration": look_at_products,
    "tag-invalidation": change_a_product,
    "negative-caching": look_at_products,
    "idempotency": add_twice_with_one_key,
    "conditional-stock": reserve_all_pieces,
    "outbox-relay": relay_a_message,
    "deduplicating-consumer": deliver_twice,
    "circuit-breaker": call_the_provider,
    "retry-budget": call_the_provider,
}
of_every_attempt = pytest.mark.parametrize("exercise", IN_STORE, ids=lambda one: one.name)


def in_force(exercise, start_store, answer):
    switches = {"cache.local": "off"} if exercise.build.switch != "cache.local" else {}
    store = start_store(exercise, answer, **switches)
    until_loaded = time.monotonic() + 10
    while exercise.build.switch not in dict(store.runtime.switch_poller.current().attempts):
        assert time.monotonic() < until_loaded
        time.sleep(0.02)
    return store


@of_every_attempt
def test_store_works_with_the_model_answer(exercise, start_store):
    store = in_force(exercise, start_store, model_answer(exercise))
    USES[exercise.slug](store)
    assert store.notes(exercise) == []
    assert sum(store.calls.values()) > 0, "the attempt was not called"


@of_every_attempt
def test_answer_that_cannot_be_loaded_leaves_the_store_unchanged(exercise, start_store):
    store = in_force(exercise, start_store, "raise ValueError('no such thing')\n")
    USES[exercise.slug](store)
    (note,) = store.notes(exercise)
    assert note.kind in ("import", "interface")
    assert sum(store.calls.values()) == 0


MISUSES = {
    "cache-aside": (
        "def get_or_load(cache, key, ttl_s, load):\n    return load(key)\n",
        "takes 0 positional arguments",
    ),
    "outbox-relay": (
        "def relay_outbox(database, publish):\n    publish('a message')\n    return 1\n",
        "takes a row of the outbox",
    ),
}


@pytest.mark.parametrize("slug", MISUSES)
def test_wrong_arguments_are_noted_and_no_visitor_sees_it(slug, start_store):
    text, came = MISUSES[slug]
    exercise = next(one for one in IN_STORE if one.slug == slug)
    store = in_force(exercise, start_store, text)
    USES[slug](store)
    note = store.notes(exercise)[-1]
    assert note.kind == "exception"
    assert came in note.came


def test_lifetime_of_a_hit_is_what_is_left(start_store):
    exercise = next(one for one in IN_STORE if one.slug == "cache-aside")
    store = in_force(exercise, start_store, model_answer(exercise))
    left = [shared_ttl_s(store.get()) for _ in range(12)][1:]
    assert left == sorted(left, reverse=True)
    assert left[0] - left[-1] < 30  # each hit of one entry; a lifetime drawn anew for each would differ by up to 60


def shared_ttl_s(answer):
    found = re.search(r"shop-shared; hit; ttl=(\d+)", answer.headers["Cache-Status"])
    return int(found[1]) if found else 0


def test_each_attempt_in_the_store_has_a_use():
    assert {exercise.slug for exercise in IN_STORE} <= set(USES)


def test_attempt_that_fails_in_a_transaction_changes_nothing(start_store):
    exercise = next(one for one in IN_STORE if one.slug == "conditional-stock")
    answer = (
        "from sqlalchemy import text\n\n\ndef reserve_stock(session, product_id, pieces):\n"
        "    session.execute(text('UPDATE stock_items SET reserved = reserved + 1'))\n    raise ValueError('half')\n"
    )
    store = in_force(exercise, start_store, answer)
    with pytest.raises(ServiceUnavailable):
        reserve_all_pieces(store)
    with store.runtime.database.reading() as session:
        assert session.scalar(select(StockItem.reserved)) == 0
    (note,) = store.notes(exercise)
    assert (note.kind, note.look.rpartition(":")[2]) == ("exception", "6, in reserve_stock")


def test_wait_for_a_locked_row_is_not_the_attempts_time(start_store, database):
    exercise = next(one for one in IN_STORE if one.slug == "conditional-stock")
    store = in_force(replace_limit(exercise, call_limit_ms=100), start_store, model_answer(exercise))
    locked, released = threading.Event(), threading.Event()

    def hold_row():
        with database.transaction() as session:
            session.execute(select(StockItem).with_for_update())
            locked.set()
            released.wait(10)

    holder = threading.Thread(target=hold_row)
    holder.start()
    locked.wait(10)
    threading.Timer(0.5, released.set).start()
    reserve_all_pieces(store)
    holder.join()
    assert store.notes(exercise) == []
    assert store.calls["reserve_stock"] == 1


def replace_limit(exercise, call_limit_ms):
    """Return an exercise whose calls may take only so long."""
    build = exercise.build.model_copy(update={"call_limit_ms": call_limit_ms})
    return exercise.model_copy(update={"build": build})
