"""The reader's relay in the worker: it misbehaves, and orders, mails, money and other visitors are as always.

How the ways to misbehave are told apart stands in ``test_attempt_in_store.py``, for web processes. The worker has no
gunicorn above it: the supervisor of the stack replaces it.
"""

import time
from contextlib import suppress
from dataclasses import replace
from statistics import median

import httpx
import pytest

from shop.exercises.definition import EXERCISES, load_definition
from shop.exercises.live import own_products
from shop.exercises.measurements.own_products import page_path, sell_products
from shop.exercises.store_slot import offer_attempt, withdraw_attempt
from shop.lab.guest_client import GuestClient
from shop.reconciliation.audit import audit
from shop.settings import load_settings
from shop.stack.endpoints import resolve
from shop.switches.attempt_notes import MAX_ENDS, AttemptNotes
from shop.switches.attempt_slots import STORE, AttemptSlots, content_version, stored_value
from tests.exercises.live_stack import write_attempt
from tests.support.polling import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("live-answers")]
RELAY = load_definition(EXERCISES / "16-outbox-relay")
NAME = RELAY.build.switch
CALL_LIMIT_MS = 100
"""The exercise's own limit would only make these tests longer."""
(MUG,) = own_products("misbehaving-relay", 1)
PIECES = 100
MAILS = 20
BEGIN = "import os\nimport time\n\n\ndef relay_outbox(database, publish):\n    "
TIMEOUT_S = 60
LOOK = "attempt.py:6, in relay_outbox"


class StoreWithRelay:
    """The running store, and the reader's relay in its worker."""

    def __init__(self, stack, client):
        self.stack, self.client = stack, client
        self.slots = AttemptSlots(stack.var)
        self.guests = []

    def put_attempt(self, line):
        """Put a relay of one line in force in the worker."""
        path = write_attempt(self.stack, RELAY, f"{BEGIN}{line}\n")
        self.slot = replace(offer_attempt(RELAY, path, self.stack.var), call_limit_ms=CALL_LIMIT_MS)
        self.slots.offer(self.slot)
        self.version = content_version(path.read_bytes())
        self.client.set_switch(NAME, "attempt")

    def notes(self):
        return AttemptNotes(self.slots, self.slot, self.version).load()

    def note_of(self, kind):
        return until(lambda: next((note for note in self.notes() if note.kind == kind), None), TIMEOUT_S)

    def switch(self):
        return self.client.switches()[NAME]

    def worker(self):
        return self.stack.state().load().processes["worker"].identity.pid

    def buy(self):
        """Return the number of the order of a new guest."""
        guest = GuestClient(self.client.base_url)
        self.guests.append(guest)
        guest.add_to_cart(MUG)
        return guest.check_out()

    def has_confirmed(self, order):
        return any(mail["subject"].endswith(f" {order}") for mail in self.client.mails(MAILS))

    def visitor_s(self):
        """Return how long another visitor waits: the median of three."""
        waits = []
        for _ in range(3):
            began = time.monotonic()
            self.client.visit(page_path(MUG))
            waits.append(time.monotonic() - began)
        return median(waits)

    def mismatches(self):
        """Return the mismatches that ``bin/shop books`` finds."""
        return audit(resolve(load_settings({}, var_dir=self.stack.var, port=self.stack.port))).mismatches


@pytest.fixture
def store(stack, client):
    sell_products(client, [MUG], PIECES)
    store = StoreWithRelay(stack, client)
    yield store
    with suppress(httpx.HTTPError):
        client.set_switch(NAME, STORE)
    withdraw_attempt(RELAY, stack.var)
    for guest in store.guests:
        guest.cancel_order()
        guest.close()
    client.withdraw_product(MUG)


def require_sound(store, order):
    """Require that an order has its mail, that a visitor does not wait, and that the books are right."""
    assert order, "the order was refused"
    assert store.visitor_s() < 1
    until(lambda: store.has_confirmed(order), TIMEOUT_S)
    assert store.mismatches() == ()


@pytest.mark.parametrize(
    ("line", "kind", "came"),
    [("raise ValueError('no such thing')", "exception", "no such thing"), ("os._exit(3)", "exit", "os._exit, code 3")],
    ids=["exception", "os._exit"],
)
def test_worker_relays_itself_where_the_attempt_fails(store, line, kind, came):
    worker = store.worker()
    store.put_attempt(line)
    note = store.note_of(kind)
    assert came in note.came
    assert note.look.endswith(LOOK)
    assert note.process == f"worker {worker}"
    require_sound(store, store.buy())
    assert {one.kind for one in store.notes()} == {kind}
    assert (store.switch(), store.worker()) == (stored_value(store.version), worker)  # it was no end


def test_three_ended_loops_restore_the_relay_of_the_store(store):
    worker = store.worker()
    store.put_attempt("while True: pass")
    order = store.buy()
    assert "in force again, in every process" in store.note_of("stopped").came
    ends = [note for note in store.notes() if note.ended]
    assert [(note.kind, note.look.endswith(LOOK)) for note in ends] == [("overdue", True)] * MAX_ENDS
    until(lambda: store.switch() == STORE, TIMEOUT_S)
    require_sound(store, order)
    assert store.worker() == worker


def test_worker_that_sleeps_in_the_attempt_is_replaced(store):
    worker = store.worker()
    store.put_attempt("time.sleep(3600)")
    order = store.buy()
    note = store.note_of("stuck")
    assert (note.process, note.look.endswith(LOOK)) == (f"worker {worker}", True)
    assert store.visitor_s() < 1
    until(lambda: store.worker() != worker, TIMEOUT_S)
    store.client.set_switch(NAME, STORE)
    require_sound(store, order)


@pytest.mark.long
def test_three_replaced_workers_restore_the_relay_of_the_store(store):
    """The supervisor waits longer before each start. A quick test counts the ends of three loops in the same way."""
    store.put_attempt("time.sleep(3600)")
    order = store.buy()
    store.note_of("stopped")
    ends = [note for note in store.notes() if note.ended]
    assert [note.kind for note in ends] == ["stuck"] * MAX_ENDS
    assert len({note.process for note in ends}) == MAX_ENDS
    until(lambda: store.switch() == STORE, TIMEOUT_S)
    require_sound(store, order)
