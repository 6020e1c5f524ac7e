"""The fault `payments` on a real simulator, also while that hangs, was killed, or has no free thread."""

import threading
import time

import httpx
import pytest

from shop.faults import NONE, FaultChannel, FaultReport
from shop.payments.simulator.ledger import FILE, ProviderLedger
from shop.stack.faults import BEHAVIOURS, FaultDispatcher, PaymentsFaultTarget
from shop.stack.program import ServerProgram
from tests.support.payments_simulator import THREADS
from tests.support.polling import until

PROGRAM = ServerProgram("payments", ("simulator",), 0, lambda: True)


@pytest.fixture
def target(simulator):
    """The fault target of the simulator; its behaviour is reset at the end."""
    simulator.start()
    target = PaymentsFaultTarget(PROGRAM, lambda: simulator.pid, ProviderLedger(simulator.home / FILE))
    yield target
    target.end()
    simulator.behave()
    simulator.start()


def behaviour(simulator):
    return simulator.admin("GET", "settings").json()


def test_slow_provider_is_slow_until_the_fault_ends(simulator, target, monkeypatch):
    monkeypatch.setitem(BEHAVIOURS, "slow", BEHAVIOURS["slow"].model_copy(update={"latency_ms": 400}))
    target.apply("slow")
    began = time.monotonic()
    assert simulator.charge("f-slow").status_code == 201
    assert time.monotonic() - began >= 0.4
    target.apply(NONE)
    assert behaviour(simulator)["latency_ms"] == 0


def test_failing_provider_answers_503_and_charges_nothing(simulator, target, monkeypatch):
    monkeypatch.setitem(BEHAVIOURS, "failing", BEHAVIOURS["failing"].model_copy(update={"error_rate": 1}))
    target.apply("failing")
    assert simulator.charge("f-failing").status_code == 503
    target.apply(NONE)
    assert simulator.charges("f-failing") == []


def test_manual_settings_return_when_the_fault_ends(simulator, target):
    simulator.behave(latency_ms=30, decline_rate=1)
    target.apply("slow")
    assert (behaviour(simulator)["latency_ms"], behaviour(simulator)["decline_rate"]) == (12_000, 1)
    target.apply(NONE)
    assert (behaviour(simulator)["latency_ms"], behaviour(simulator)["decline_rate"]) == (30, 1)


def test_slow_fault_is_cleared_while_all_threads_wait(simulator, target, monkeypatch):
    slow_ms = 1_500
    monkeypatch.setitem(BEHAVIOURS, "slow", BEHAVIOURS["slow"].model_copy(update={"latency_ms": slow_ms}))

    def mended_in_time():
        target.apply("slow")
        took_ms, ended = [], []

        def call(key):
            began = time.monotonic()
            simulator.charges(key)
            ended.append(time.monotonic())
            took_ms.append((ended[-1] - began) * 1_000)

        callers = [threading.Thread(target=call, args=(f"f-{n}",)) for n in range(2 * THREADS)]
        for caller in callers:
            caller.start()
        until(lambda: not has_a_thread_left(simulator))
        too_late = bool(ended)
        target.apply(NONE)
        had_to_ask = bool(ended)
        for caller in callers:
            caller.join()
        if too_late or sum(took >= slow_ms for took in took_ms) < THREADS:
            return False  # the machine stood still, and not all of them waited at that moment
        assert not had_to_ask, "it waited for an answer"
        assert (max(ended) - min(ended)) * 1_000 < slow_ms, "those that had not begun to wait did not wait"
        return True

    until(mended_in_time)


def has_a_thread_left(simulator):
    try:
        return httpx.get(f"{simulator.url}/livez", timeout=0.2).is_success
    except httpx.ReadTimeout:
        return False


def test_killed_provider_restarts_slow_and_new_stack_without_faults(simulator, target):
    target.apply("slow")
    simulator.kill()
    simulator.start()
    assert behaviour(simulator)["latency_ms"] == 12_000
    PaymentsFaultTarget(PROGRAM, lambda: None, ProviderLedger(simulator.home / FILE))
    assert behaviour(simulator)["latency_ms"] == 0


def test_hang_to_slow_and_back_leaves_nothing(simulator, target):
    target.apply("hang")
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{simulator.url}/livez", timeout=0.3)
    target.apply("slow")
    assert behaviour(simulator)["latency_ms"] == 12_000
    target.apply("hang")
    target.apply(NONE)
    assert behaviour(simulator)["latency_ms"] == 0


@pytest.mark.parametrize(
    ("fault", "rate"), [("failing", 0.1), ("failing:1", 0.01), ("failing:50", 0.5), ("failing:100", 1)]
)
def test_percentage_of_failing_calls(simulator, target, fault, rate):
    target.apply(fault)
    assert behaviour(simulator)["error_rate"] == rate


def test_with_failing_100_every_call_fails(simulator, target):
    target.apply("failing:100")
    assert {simulator.charge(f"f-always-{number}").status_code for number in range(20)} == {503}


def test_request_fails_if_the_ledger_cannot_be_written(simulator, target, tmp_path, monkeypatch):
    monkeypatch.setattr("shop.payments.simulator.ledger.BUSY_TIMEOUT_S", 0.1)
    channel = FaultChannel(tmp_path)
    faults = FaultDispatcher(channel, {"payments": target})
    said = []

    def order() -> None:
        try:
            channel.request("payments", "slow")
        except Exception as error:  # noqa: BLE001 - looked at below
            said.append(str(error))

    with ProviderLedger(simulator.home / FILE).writing():
        ordering = threading.Thread(target=order)
        ordering.start()
        while not faults.run_once():
            time.sleep(0.01)
        ordering.join()
    assert "could not be applied" in said[0]
    assert channel.report() == FaultReport(
        ("payments",), {"payments": NONE}, channel.report().request_id, channel.report().failed
    )
