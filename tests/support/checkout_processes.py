"""Shoppers in processes of their own, all starting at once; and one who does not live to see the end."""

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
"""Whose cart, under which key."""

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


def all_at_once(
    settings: Settings, shoppers: Sequence[Sequence[Attempt]], *, follow_switches: bool = False
) -> list[str]:
    """Let each shopper make her attempts in a process of her own; return what each attempt ended in."""
    barrier, ends = _processes.Barrier(len(shoppers)), _processes.Queue()
    processes = [
        _processes.Process(target=_shop, args=(settings, attempts, barrier, ends, follow_switches))
        for attempts in shoppers
    ]
    for process in processes:
        process.start()
    found = [ends.get(timeout=TIMEOUT_S) for attempts in shoppers for _ in attempts]
    for process in processes:
        process.join(TIMEOUT_S)
    return found


def tell_all_at_once(settings: Settings, messages: Sequence[bytes], attempts: Sequence[Attempt]) -> list[str]:
    """Let the provider's messages be heard and attempts be made, each in a process of its own, all at once."""
    barrier, ends = _processes.Barrier(len(messages) + len(attempts)), _processes.Queue()
    processes = [_processes.Process(target=_hear, args=(settings, message, barrier, ends)) for message in messages]
    processes += [_processes.Process(target=_shop, args=(settings, [one], barrier, ends, False)) for one in attempts]
    for process in processes:
        process.start()
    found = [ends.get(timeout=TIMEOUT_S) for _ in processes]
    for process in processes:
        process.join(TIMEOUT_S)
    return found


def die_at(settings: Settings, attempt: Attempt, point: RecoveryPoint) -> int:
    """Let a process check out and be killed when it reaches a recovery point; return its exit code."""
    process = _processes.Process(target=_shop_and_die, args=(settings, attempt, point))
    process.start()
    process.join(TIMEOUT_S)
    return int(process.exitcode or 0)


def _shop(
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


def _hear(settings: Settings, message: bytes, barrier: Barrier, ends: "Queue[str]") -> None:
    runtime = build(settings)
    notices, notice = runtime.services().payment_webhooks, parse_event(message)
    assert notice is not None
    barrier.wait(TIMEOUT_S)
    try:
        notices.handle(notice)
        ends.put("told")
    except Exception as error:  # noqa: BLE001 - the test says which ends are well
        ends.put(repr(error))
    runtime.close()


def _shop_and_die(settings: Settings, attempt: Attempt, fatal: RecoveryPoint) -> None:
    def reached(point: RecoveryPoint) -> None:
        if point is fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    checkout = build(settings).services().checkout
    checkout.on_recovery_point = reached
    checkout.submit(*attempt, CheckoutDetails.model_validate(DETAILS))


def complete_all_at_once(settings: Settings, count: int) -> list[CompletionRound]:
    """Let several completers make one round each, in processes of their own, all at once."""
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
