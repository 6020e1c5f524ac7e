"""The simulator's webhooks: signed, at least once, in no particular order."""

import time

import pytest

from shop.payments.simulator import webhook_outbox
from shop.payments.simulator.behaviour_settings import BehaviourSettings
from shop.payments.simulator.ledger import ProviderLedger
from shop.payments.simulator.webhook_dispatcher import WebhookDispatcher
from shop.payments.simulator.webhook_outbox import WebhookOutbox
from tests.support.polling import until
from tests.support.webhook_receiver import run_webhook_receiver


@pytest.fixture
def receiver(simulator, settings):
    with run_webhook_receiver(settings.payments_webhook_secret) as receiver:
        simulator.behave(webhook_url=receiver.url, webhook_delay_ms=0, webhook_retry_ms=20)
        yield receiver
        simulator.behave()


def test_webhook_is_signed_and_has_callers_correlation_ids(simulator, receiver):
    simulator.post(
        "/charges", "w-told", {"amount": 7, "currency": "EUR", "token": "tok_ok"}, X_Request_ID="asked-by-this-test"
    )
    until(lambda: receiver.received)
    message, headers = receiver.received[0], receiver.headers[0]
    assert (message["type"], message["data"]) == ("charge.succeeded", simulator.charges("w-told")[0])
    assert headers["webhook-id"] == message["id"]
    assert headers["x-request-id"] == "asked-by-this-test"
    assert headers["traceparent"].startswith("00-")


def test_declines_and_refunds_are_told_as_well(simulator, receiver):
    simulator.charge("w-no", "tok_declined")
    charge = simulator.charge("w-back", amount=9).json()["id"]
    simulator.refund("w-back-1", charge, 9)
    until(lambda: len(receiver.received) == 3)
    told = {message["type"]: message["data"] for message in receiver.received}
    assert (told["charge.declined"]["key"], told["charge.refunded"]["refunded"]) == ("w-no", 9)


def test_an_answer_from_memory_is_told_once(simulator, receiver):
    for _ in range(3):
        simulator.charge("w-once")
    until(lambda: simulator.messages()["owed"] == 0)
    assert receiver.keys() == ["w-once"]


def test_undelivered_webhook_is_sent_again(simulator, receiver):
    receiver.refusals = 3
    simulator.charge("w-again")
    until(lambda: len(receiver.received) == 4)
    assert len({message["id"] for message in receiver.received}) == 1


def test_new_and_due_webhooks_end_the_poll_pause(tmp_path, receiver, settings):
    books = ProviderLedger(tmp_path / "books.sqlite3")
    behaved = BehaviourSettings(webhook_url=receiver.url, webhook_delay_ms=0)
    WebhookDispatcher(
        WebhookOutbox(books), lambda: behaved, settings.payments_webhook_secret, max_poll_interval_s=3600
    ).start()
    time.sleep(0.2)  # they have looked, found nothing, and wait
    for number, late_ms in enumerate((0, 300)):
        with books.writing() as connection:
            owed = behaved.model_copy(update={"webhook_delay_ms": late_ms})
            webhook_outbox.enqueue(connection, owed, "charge.succeeded", {"key": f"w-{number}"})
        until(lambda: receiver.keys() == [f"w-{number}" for number in range(number + 1)])


def test_queued_webhook_survives_kill_and_is_sent(simulator, receiver):
    simulator.behave(webhook_delay_ms=60_000)
    simulator.charge("w-killed")
    simulator.kill()
    assert receiver.received == []
    simulator.damage("UPDATE messages SET due_at = 0 WHERE state = 'owed'")  # that minute has passed
    simulator.start()
    until(lambda: receiver.keys() == ["w-killed"])


def test_it_can_send_twice(simulator, receiver):
    simulator.behave(webhook_duplicate_rate=1)
    simulator.charge("w-twice")
    until(lambda: simulator.messages()["owed"] == 0 and receiver.keys() == ["w-twice"] * 2)


def test_it_can_send_never(simulator, receiver):
    given_up = simulator.messages()["given_up"]
    simulator.behave(webhook_loss_rate=1)
    simulator.charge("w-never")
    simulator.behave(webhook_loss_rate=0)
    simulator.charge("w-after")
    until(lambda: receiver.keys() == ["w-after"])
    assert simulator.messages()["given_up"] == given_up + 1


def test_it_can_send_in_another_order(simulator, receiver):
    def overtaken(attempt):
        began = time.monotonic()
        simulator.behave(webhook_reorder_rate=1)
        simulator.charge(f"w-first-{attempt}")
        simulator.behave(webhook_reorder_rate=0)
        simulator.charge(f"w-second-{attempt}")
        until(lambda: len(receiver.received) == 2 * attempt)
        by_chance = time.monotonic() - began < webhook_outbox.EXTRA_DELAY_S[0]  # of two couriers at once
        return receiver.keys()[-2:] == [f"w-second-{attempt}", f"w-first-{attempt}"] and not by_chance

    assert any(overtaken(attempt) for attempt in (1, 2, 3)), "for half a second at least, which a machine may sleep"


def test_in_an_outage_it_sends_nothing_and_afterwards_all(simulator, receiver):
    simulator.behave(webhook_delay_ms=300)
    simulator.charge("w-outage")
    simulator.behave(outage=True)
    assert simulator.get("/livez").status_code == 503
    simulator.behave(outage=False)
    until(lambda: receiver.keys() == ["w-outage"])
