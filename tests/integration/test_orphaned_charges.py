"""Charges that the provider has and the store does not know: named, and settled one by one."""

import json
import uuid

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from shop.checkout.details import CheckoutDetails
from shop.cli.books import books
from shop.errors import NotFound, StateConflict
from shop.money import Money
from shop.reconciliation.audit import audit
from tests.support.checkout_processes import DETAILS
from tests.support.factories import make_category, make_product
from tests.support.guest_carts import guest_with_cart

LOST = 1200


class Store:
    """A store with one order, whose provider also has a charge that the store does not know."""

    def __init__(self, runtime, simulator):
        self.runtime, self.simulator, self.database = runtime, simulator, runtime.database
        simulator.damage("DELETE FROM refunds")
        simulator.damage("DELETE FROM charges")
        self.orphans = runtime.services().orphaned_charges
        with self.database.transaction() as session:
            make_product(session, make_category(session), "mug", on_hand=50)
        owner = guest_with_cart(self.database, {"mug": 1})
        runtime.services().checkout.submit(owner, "key", CheckoutDetails.model_validate(DETAILS))
        self.own = simulator.get().json()["items"][0]["id"]
        self.lost = simulator.charge(f"order-{uuid.uuid4()}", amount=LOST, metadata={"order": "S-LOST"}).json()["id"]

    def found(self, under_way_s=0.0):
        kinds = ("charge_unknown", "charge_kept", "charged_twice")
        mismatches = audit(self.runtime.settings, under_way_s, 0.0).mismatches
        return {(one.kind, one.id) for one in mismatches if one.kind in kinds}

    def run(self, monkeypatch, *words):
        for name, value in self.runtime.settings.as_environment().items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(books, ["settle", *words])


@pytest.fixture
def store(runtime, simulator):
    return Store(runtime, simulator)


def test_auditor_reports_old_orphaned_charge_but_not_young_one(store):
    assert store.found(900.0) == set()
    with store.database.transaction() as session:
        session.execute(text("INSERT INTO restores (taken_at, restored_at) VALUES (now(), now() + interval '1 s')"))
    assert store.found(900.0) == {("charge_unknown", store.lost)}


def test_remainder_of_orphaned_charge_is_refunded_once(store, simulator):
    simulator.refund_by_hand(store.lost, 200)
    assert store.orphans.refund(store.lost, "ada", "") == Money(LOST - 200)
    assert store.orphans.refund(store.lost, "ada", "") == Money(0)
    assert simulator.refunds() == [200, LOST - 200]
    assert store.found() == set()


def test_it_is_kept_with_a_reason(store, simulator, monkeypatch):
    done = store.run(monkeypatch, store.lost, "--keep", "--reason", "sent from the paper list", "--json")
    assert (done.exit_code, json.loads(done.output)["decision"]) == (0, "keep")
    assert store.found() == set()
    assert simulator.refunds() == []
    with store.database.reading() as session:
        row = session.execute(text("SELECT provider_id, decision, reason FROM settled_charges")).one()
    assert row == (store.lost, "kept", "sent from the paper list")


def test_the_command_gives_it_back(store, simulator, monkeypatch):
    done = store.run(monkeypatch, store.lost, "--refund")
    assert (done.exit_code, done.output) == (0, f"€12.00 of {store.lost} refunded.\n")
    assert simulator.refunds() == [LOST]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "Add --refund or --keep"),
        (["--keep"], "Give the reason"),
        (["--keep", "--reason", "  "], "Give the reason"),
    ],
)
def test_decision_and_reason_are_required(store, monkeypatch, words, error):
    done = store.run(monkeypatch, store.lost, *words)
    assert done.exit_code == 2
    assert f"Error: {error}" in done.stderr


def test_an_order_s_own_charge_is_no_orphan(store, simulator):
    for decide in (store.orphans.refund, store.orphans.keep):
        with pytest.raises(StateConflict, match="cancel the order"):
            decide(store.own, "ada", "no")
    assert simulator.refunds() == []


def test_charge_of_open_order_is_left_to_completer(store):
    with store.database.transaction() as session:
        session.execute(text("UPDATE payments SET status = 'pending', provider_id = NULL"))
    with pytest.raises(StateConflict, match="wait for it"):
        store.orphans.refund(store.own, "ada", "")


def test_charge_of_declined_payment_can_be_refunded(store, simulator):
    with store.database.transaction() as session:
        session.execute(text("UPDATE payments SET status = 'declined'"))
    assert store.orphans.refund(store.own, "ada", "") == Money(1299)
    assert ("charge_kept", store.own) not in store.found()


def test_a_charge_that_does_not_exist_is_not_settled(store):
    with pytest.raises(NotFound, match="no charge ch_none"):
        store.orphans.refund("ch_none", "ada", "")
