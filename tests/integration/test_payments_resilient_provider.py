"""Deadline, retries and breaker around the real client and the real simulator."""

import pytest

from shop.clock import FakeClock, SystemClock
from shop.database.transactions import ExternalCallInTransaction
from shop.errors import ProviderUnavailable
from shop.money import Money
from shop.patterns.resilience import deadlines
from shop.patterns.resilience.events import AttemptFinished, BreakerChanged
from shop.payments.http_provider import HttpProvider
from shop.payments.provider import (
    CallNotAttempted,
    ChargeDeclined,
    ChargeRequest,
    ChargeSucceeded,
    ProviderFailed,
    ProviderNotReached,
    ProviderOutcomeUnknown,
)
from shop.payments.resilient_provider import ProviderResilience
from shop.stack.program import free_port

ON = {"timeout": True, "retries": True, "breaker": True}
IMPATIENT_MS = 800


class Store:
    """Guards with everything they say, and calls through them."""

    def __init__(self, settings, **changed):
        self.events = []
        self.clock = changed.pop("clock", SystemClock())
        self.settings = settings.model_copy(update=changed)
        self.guards = ProviderResilience(self.settings, self.clock, self.events.append)
        self.bare = HttpProvider(str(settings.payments_url), 5_000, settings.payments_api_key)

    def provider(self, **switches):
        return self.guards.wrap(self.bare, **{**ON, **switches})

    def charge(self, key, token="tok_ok", **switches):
        return self.provider(**switches).charge(ChargeRequest(key, Money(1200), token, {}))

    def outcomes(self):
        return [event.outcome for event in self.events if isinstance(event, AttemptFinished)]


@pytest.fixture
def store(simulator, settings):
    stores = []

    def build(**changed):
        stores.append(Store(settings, **changed))
        return stores[-1]

    yield build
    for store in stores:
        store.bare.close()


def test_second_attempt_answers_charge_with_lost_answer(store, simulator):
    impatient = store(payments_timeout_ms=IMPATIENT_MS)
    charged = impatient.charge("g-lost", "tok_timeout_charged")
    assert charged == ChargeSucceeded(simulator.charges("g-lost")[0]["id"])
    assert (impatient.outcomes()[0], impatient.outcomes()[-1]) == ("failed", "ok")


def test_without_retries_the_first_lost_answer_is_the_callers(store):
    impatient = store(payments_timeout_ms=IMPATIENT_MS)
    with pytest.raises(ProviderOutcomeUnknown):
        impatient.charge("g-once", "tok_timeout_charged", retries=False)
    assert impatient.outcomes() == ["failed"]


def test_overloaded_provider_gets_configured_number_of_attempts(store, simulator):
    simulator.behave(error_rate=1)
    asking = store(payments_attempts=4)
    with pytest.raises(ProviderOutcomeUnknown):
        asking.charge("g-often")
    assert asking.outcomes() == ["failed"] * 4


def test_an_error_the_provider_remembers_is_not_asked_for_again(store):
    asking = store()
    with pytest.raises(ProviderFailed):
        asking.charge("g-error", "tok_error")
    assert asking.outcomes() == ["failed"]


def test_unreached_last_attempt_keeps_outcome_unknown(store, simulator, monkeypatch):
    """The provider charges, keeps silent, and is killed before it is asked again."""
    impatient = store(payments_timeout_ms=IMPATIENT_MS, payments_attempts=2)
    monkeypatch.setattr(impatient.guards._retries["share"], "_sleep", lambda seconds: simulator.kill())
    with pytest.raises(ProviderUnavailable) as raised:
        impatient.charge("g-killed", "tok_timeout_charged")
    assert isinstance(raised.value, ProviderOutcomeUnknown)
    assert not isinstance(raised.value, ProviderNotReached)
    simulator.start()
    assert isinstance(impatient.bare.find_charge("g-killed"), ChargeSucceeded)


def test_refused_connections_prove_nothing_was_charged(store, settings):
    lonely = store()
    away = HttpProvider(f"http://127.0.0.1:{free_port()}", 1_000)
    with pytest.raises(ProviderNotReached):
        lonely.guards.wrap(away, **ON).charge(ChargeRequest("g-away", Money(1), "tok_ok", {}))
    away.close()
    assert lonely.outcomes() == ["failed"] * 3


def test_request_deadline_ends_calls_and_prevents_new_ones(store, simulator):
    simulator.behave(latency_ms=1_500)
    hurried = store()
    with deadlines.within(0.3), pytest.raises(ProviderOutcomeUnknown):
        hurried.charge("g-late")
    with deadlines.within(0), pytest.raises(CallNotAttempted):
        hurried.charge("g-too-late")
    assert hurried.outcomes() == ["failed", "dropped"]
    simulator.behave()
    assert simulator.charges("g-late") == simulator.charges("g-too-late") == []


def test_with_timeouts_off_neither_limit_nor_deadline_ends_a_call(store, simulator):
    simulator.behave(latency_ms=IMPATIENT_MS + 200)
    patient = store(payments_timeout_ms=IMPATIENT_MS)
    with deadlines.within(0.2):
        assert isinstance(patient.charge("g-patient", timeout=False), ChargeSucceeded)


def test_breaker_stays_open_until_probes_succeed(store, simulator):
    clock = FakeClock()
    caller = store(clock=clock, payments_breaker_calls=4, payments_attempts=1)
    simulator.behave(error_rate=1)
    for number in range(4):
        with pytest.raises(ProviderOutcomeUnknown):
            caller.charge(f"g-broken-{number}")
    simulator.behave()
    with pytest.raises(CallNotAttempted):
        caller.charge("g-refused")
    assert simulator.charges("g-refused") == []
    clock.advance(caller.settings.payments_breaker_open_s)
    assert [type(caller.charge(f"g-probe-{number}")) for number in range(3)] == [ChargeSucceeded] * 3
    changes = [event.after for event in caller.events if isinstance(event, BreakerChanged)]
    assert changes == ["open", "half-open", "closed"]


def test_a_provider_that_only_dawdles_is_left_alone_as_well(store, simulator):
    slow = store(payments_slow_ms=50, payments_breaker_calls=4)
    simulator.behave(latency_ms=60)
    for number in range(4):
        slow.charge(f"g-slow-{number}")
    with pytest.raises(CallNotAttempted):
        slow.charge("g-slow-refused")
    assert slow.outcomes() == ["ok"] * 4 + ["refused"]  # and not asked again
    assert isinstance(slow.charge("g-slow-off", breaker=False), ChargeSucceeded)


def test_declines_and_refusals_do_not_open_breaker(store):
    caller = store(payments_breaker_calls=2)
    for number in range(4):
        assert isinstance(caller.charge(f"g-no-{number}", "tok_declined"), ChargeDeclined)
        with pytest.raises(ProviderFailed):
            caller.provider().refund(f"g-re-{number}", "ch_unknown", Money(1))
    assert isinstance(caller.charge("g-well"), ChargeSucceeded)


def test_short_client_deadlines_do_not_open_breaker(store, simulator):
    simulator.behave(latency_ms=200)
    caller = store(payments_breaker_calls=2, payments_attempts=1)
    for number in range(4):
        with deadlines.within(0.05), pytest.raises(ProviderOutcomeUnknown):
            caller.charge(f"g-hurry-{number}")
    assert isinstance(caller.charge("g-calm"), ChargeSucceeded)


def test_an_open_breaker_hides_no_call_inside_a_transaction(store, simulator, database):
    simulator.behave(error_rate=1)
    caller = store(payments_breaker_calls=1)
    with pytest.raises(ProviderUnavailable):
        caller.charge("g-open")
    with database.transaction(), pytest.raises(ExternalCallInTransaction):
        caller.charge("g-inside")
