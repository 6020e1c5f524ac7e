"""Checkouts in separate processes that start at the same moment, and one whose process is killed."""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

from shop.cart.service import CartOwner
from shop.checkout.completer import CompletionRound
from shop.checkout.details import CheckoutDetails
from shop.checkout.recovery_points import RecoveryPoint
from shop.errors import ShopError
from shop.payments.webhooks import parse_event
from shop.settings import Settings
from shop.wiring import build

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["shop.app"])  # imported once; nothing is connected there, so a fork is clean
TIMEOUT_S = 60

Attempt = tuple[CartOwner, str]
"""The owner of the cart, and the idempotency key."""

DETAILS = {
    "email": "robin@example.org",
    "address": {
        "name": "Robin Fields",
        "line1": "Lindenweg 4",
        "city": "Berlin",
        "postcode": "10115",
        "country": "DE",
    },
    "payment": {"token": "tok_ok"},
}


def check_out_concurrently(
    settings: Settings, shoppers: Sequence[Sequence[Attempt]], *, follow_switches: bool = False
) -> list[str]:
    """Make the attempts of each shopper in a separate process; return the result or error class of each attempt."""
    barrier, ends = _processes.Barrier(len(shoppers)), _processes.Queue()
    processes = [
        _processes.Process(target=_check_out, args=(settings, attempts, barrier, ends, follow_switches))
        for attempts in shoppers
    ]
    for process in processes:
        process.start()
    found = [ends.get(timeout=TIMEOUT_S) for attempts in shoppers for _ in attempts]
    for process in processes:
        process.join(TIMEOUT_S)
    return found


def receive_webhooks_concurrently(
    settings: Settings, messages: Sequence[bytes], attempts: Sequence[Attempt]
) -> list[str]:
    """Receive webhooks and make checkout attempts at the same moment, each in a separate process."""
    barrier, ends = _processes.Barrier(len(messages) + len(attempts)), _processes.Queue()
    processes = [
        _processes.Process(target=_receive_webhook, args=(settings, message, barrier, ends)) for message in messages
    ]
    processes += [
        _processes.Process(target=_check_out, args=(settings, [one], barrier, ends, False)) for one in attempts
    ]
    for process in processes:
        process.start()
    found = [ends.get(timeout=TIMEOUT_S) for _ in processes]
    for process in processes:
        process.join(TIMEOUT_S)
    return found


def check_out_and_die(settings: Settings, attempt: Attempt, point: RecoveryPoint) -> int:
    """Check out in a process that is killed at a recovery point; return its exit code."""
    process = _processes.Process(target=_check_out_and_die, args=(settings, attempt, point))
    process.start()
    process.join(TIMEOUT_S)
    return int(process.exitcode or 0)


def _check_out(
    settings: Settings,
    attempts: Sequence[Attempt],
    barrier: Barrier,
    ends: "Queue[str]",
    follow_switches: bool,
) -> None:
    runtime = build(settings)
    if follow_switches:
        runtime.switch_poller.refresh()
    checkout = runtime.services().checkout
    barrier.wait(TIMEOUT_S)
    for owner, key in attempts:
        try:
            result = checkout.submit(owner, key, CheckoutDetails.model_validate(DETAILS))
            ends.put(type(result).__name__)
        except ShopError as refusal:
            ends.put(type(refusal).__name__)
    runtime.close()


def _receive_webhook(settings: Settings, message: bytes, barrier: Barrier, ends: "Queue[str]") -> None:
    runtime = build(settings)
    notices, notice = runtime.services().payment_webhooks, parse_event(message)
    assert notice is not None
    barrier.wait(TIMEOUT_S)
    try:
        notices.handle(notice)
        ends.put("told")
    except Exception as error:  # noqa: BLE001 - the test compares it
        ends.put(repr(error))
    runtime.close()


def _check_out_and_die(settings: Settings, attempt: Attempt, fatal: RecoveryPoint) -> None:
    def reached(point: RecoveryPoint) -> None:
        if point is fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    checkout = build(settings).services().checkout
    checkout.on_recovery_point = reached
    checkout.submit(*attempt, CheckoutDetails.model_validate(DETAILS))


def complete_concurrently(settings: Settings, count: int) -> list[CompletionRound]:
    """Run one round of several completers at the same moment, each in a separate process."""
    barrier, ends = _processes.Barrier(count), _processes.Queue()
    processes = [_processes.Process(target=_complete, args=(settings, barrier, ends)) for _ in range(count)]
    for process in processes:
        process.start()
    found = [ends.get(timeout=TIMEOUT_S) for _ in processes]
    for process in processes:
        process.join(TIMEOUT_S)
    return found


def _complete(settings: Settings, barrier: Barrier, ends: "Queue[CompletionRound]") -> None:
    runtime = build(settings)
    completer = runtime.services().completer
    barrier.wait(TIMEOUT_S)
    ends.put(completer.run_once())
    runtime.close()
