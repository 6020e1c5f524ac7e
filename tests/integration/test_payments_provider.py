import socket
import threading
import time
from contextlib import contextmanager

import pytest

from shop.database.transactions import ExternalCallInTransaction
from shop.money import Money
from shop.patterns.observability import correlation
from shop.payments.http_provider import HttpProvider
from shop.payments.provider import (
    ChargeDeclined,
    ChargeRequest,
    ChargeSucceeded,
    NullProvider,
    ProviderFailed,
    ProviderNotReached,
    ProviderOutcomeUnknown,
)
from shop.stack.program import free_port

TIMEOUT_MS = 1_000


def request(key, token="tok_ok"):
    return ChargeRequest(key, Money(1200), token, {"order": "S-1"})


@pytest.fixture
def provider(simulator, settings):
    provider = HttpProvider(simulator.url, TIMEOUT_MS, settings.payments_api_key)
    yield provider
    provider.close()


@contextmanager
def peer(serve):
    """A server that does to each connection what ``serve`` does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run():
            connection, _ = listener.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=run)
        thread.start()
        provider = HttpProvider(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_ms=TIMEOUT_MS)
        try:
            yield provider
        finally:
            provider.close()
            thread.join()


def test_a_charge_ends_in_the_books(provider, simulator):
    charged = provider.charge(request("p-ok"))
    assert charged == provider.find_charge("p-ok") == ChargeSucceeded(simulator.charges("p-ok")[0]["id"])
    assert simulator.charges("p-ok")[0]["metadata"] == {"order": "S-1"}


def test_a_decline_is_an_answer_not_an_error(provider):
    assert provider.charge(request("p-no", "tok_declined")) == ChargeDeclined("card_declined")
    assert isinstance(provider.find_charge("p-no"), ChargeDeclined)


def test_an_error_of_the_providers_own_is_told_from_silence(provider):
    with pytest.raises(ProviderFailed):
        provider.charge(request("p-error", "tok_error"))
    with pytest.raises(ProviderOutcomeUnknown):
        provider.charge(request("p-silent", "tok_timeout_charged"))
    assert provider.find_charge("p-error") is None
    assert isinstance(provider.find_charge("p-silent"), ChargeSucceeded)


def test_refused_connection_proves_nothing_was_charged():
    provider = HttpProvider(f"http://127.0.0.1:{free_port()}", timeout_ms=TIMEOUT_MS)
    with pytest.raises(ProviderNotReached):
        provider.charge(request("p-away"))
    provider.close()


def test_total_timeout_bounds_trickling_response():
    def trickle(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                connection.sendall(b" ")
                time.sleep(TIMEOUT_MS / 10_000)
        except OSError:
            pass

    with peer(trickle) as provider:
        started = time.monotonic()
        with pytest.raises(ProviderOutcomeUnknown):
            provider.find_charge("p-trickle")
        assert time.monotonic() - started < 4 * TIMEOUT_MS / 1000


@pytest.mark.parametrize("answer", [b"HTTP/1.1 201 OK\r\nContent-Length: 2\r\n\r\n<>", b"nonsense\r\n\r\n", b""])
def test_an_answer_nobody_can_read_is_no_answer(answer):
    def say(connection):
        connection.recv(4096)
        connection.sendall(answer)

    with peer(say) as provider, pytest.raises(ProviderOutcomeUnknown):
        provider.charge(request("p-garbled"))


def says(status, body):
    """Build a peer's whole answer."""
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_invalid_call_is_not_a_declined_card(status):
    def say(connection):
        connection.recv(4096)
        connection.sendall(says(status, "{}"))

    with peer(say) as provider, pytest.raises(ProviderFailed):
        provider.charge(request("p-wrong"))


@pytest.mark.parametrize(
    ("status", "body"), [(200, "{}"), (201, "{}"), (201, '{"id": "ch_\\u0000"}'), (201, "[]"), (302, "{}"), (429, "{}")]
)
def test_unreadable_answer_leaves_outcome_unknown(status, body):
    def say(connection):
        connection.recv(4096)
        connection.sendall(says(status, body))

    with peer(say) as provider, pytest.raises(ProviderOutcomeUnknown):
        provider.charge(request("p-vague"))


ODD_ID = '{"items": [{"id": "ch_\\u0000", "status": "succeeded", "refunded": 0, "currency": "EUR"}]}'


def test_unstorable_decline_reason_is_made_storable():
    def say(connection):
        connection.recv(4096)
        connection.sendall(says(402, '{"error": "no \\u0000 card"}'))

    with peer(say) as provider:
        assert provider.charge(request("p-nul")) == ChargeDeclined("no \ufffd card")


@pytest.mark.parametrize("body", ["{}", '{"items": [{}]}', ODD_ID, '{"items": [{"id": "ch_1", "status": "odd"}]}'])
def test_books_that_cannot_be_understood_are_no_books(body):
    def say(connection):
        connection.recv(4096)
        connection.sendall(says(200, body))

    with peer(say) as provider, pytest.raises(ProviderOutcomeUnknown):
        provider.find_charge("p-odd")


def test_provider_call_inside_transaction_is_refused(provider, database, simulator):
    with pytest.raises(ExternalCallInTransaction), database.transaction():
        provider.charge(request("p-inside"))
    assert simulator.charges("p-inside") == []


def test_a_call_carries_the_requests_ids(provider, simulator):
    correlation.adopt("carried-to-the-provider", None)
    provider.charge(request("p-ids"))
    assert '"carried-to-the-provider"' in simulator.log()


def test_a_refund_asked_twice_is_given_once(provider, simulator):
    charged = provider.charge(request("p-refund"))
    for _ in range(2):
        provider.refund("p-refund-1", charged.provider_id, Money(1200))
    assert simulator.charges("p-refund")[0]["refunded"] == 1200


def test_without_a_provider_every_call_ends_before_it_is_made():
    absent = NullProvider()
    for call in (
        lambda: absent.charge(request("x")),
        lambda: absent.find_charge("x"),
        lambda: absent.refund("x", "ch", Money(1)),
    ):
        with pytest.raises(ProviderNotReached):
            call()
