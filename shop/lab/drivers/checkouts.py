"""Shoppers check out at a steady rate; afterwards each order's confirmation is looked for in the mailbox.

A checkout's time runs from the moment it was due, cart filled beforehand. What is broken about the mail server is
mended when the last checkout is answered; what has not arrived a good while after that counts as lost.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from shop.faults import NONE
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import audit_mismatches
from shop.lab.drivers.crowd import guest_count, guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.guest_client import GuestClient
from shop.lab.load import LoadSamples
from shop.lab.statistics import percentile
from shop.lab.store_client import StoreClient
from shop.lab.strict_model import StrictModel

MAIL = "mail"
MAX_CONCURRENT = 64
POLL_EVERY_S = 0.5
USUAL_MAIL_WAIT_S = 4.0
"""What is waited for mail, in the mean over arms: most of it is there at once."""


class CheckoutParams(StrictModel):
    """What is told of the checkouts."""

    rate: float = Field(default=4.0, gt=0)
    """A second."""
    seconds: float = Field(default=8.0, gt=0)
    patience_s: float = Field(default=40.0, gt=0)
    """After the mail server is well again, before what has not arrived counts as lost."""


@dataclass(frozen=True, slots=True)
class CheckoutSample:
    """One checkout.

    Args:
        due_s: when it was due, in seconds after the first.
        ms: from then to its answer.
        order: the order's number; empty where there is none.
    """

    due_s: float
    ms: float
    order: str


class CheckoutDriver:
    """Buys, and waits for the mail."""

    params_model = CheckoutParams
    faults: Sequence[str] = (MAIL,)
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "orders": DriverMeasure("Orders placed"),
        "mails_lost": DriverMeasure("Of them never confirmed"),
        "lost_share": DriverMeasure("Share never confirmed", "%"),
        "mail_p99_s": DriverMeasure("99th percentile until the mail was there, after the end", "s"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: CheckoutParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes, about."""
        return params.seconds + min(params.patience_s, USUAL_MAIL_WAIT_S)

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: CheckoutParams) -> DriverResult:
        """Buy at the rate, mend the mail server, wait for the mail, check the books, and undo the orders."""
        before = audit_mismatches()
        with guests_with_carts(context.store, guest_count(params.rate, params.seconds)) as shoppers:
            bought = check_out_at_rate(shoppers, params.rate)
            context.store.set_fault(MAIL, NONE)
            lost, waited_s = _wait(context, [one.order for one in bought if one.order], params.patience_s)
            found = audit_mismatches() - before
        return DriverResult(
            as_load_samples(bought, params.seconds),
            {**compute_measures(bought, lost, waited_s), "mismatches": float(len(found))},
        )


def compute_measures(
    bought: Sequence[CheckoutSample], lost: Sequence[str], waited_s: Sequence[float]
) -> dict[str, float | None]:
    """Return the measures.

    Args:
        bought: all checkouts.
        lost: the orders without a mail.
        waited_s: for each other order, seconds after the end until its mail was seen.
    """
    orders = sum(bool(one.order) for one in bought)
    return {
        "orders": float(orders),
        "mails_lost": float(len(lost)),
        "lost_share": len(lost) / orders if orders else None,
        "mail_p99_s": percentile(list(waited_s), 99) if waited_s else None,
    }


def check_out_at_rate(
    shoppers: Sequence[GuestClient],
    rate: float,
    check_out: Callable[[GuestClient], str] = GuestClient.check_out,
    rush: int = 0,
) -> list[CheckoutSample]:
    """Let each shopper check out at her moment, at so many a second; return what became of them, in their order.

    Args:
        shoppers: with full carts.
        rate: a second.
        check_out: what each does; returns the order's number, or an empty text.
        rush: so many do not wait for their moment, but all come in the first one.
    """
    began = time.monotonic()

    def one(number: int) -> CheckoutSample:
        due = began + max(0, number - rush) / rate
        time.sleep(max(0.0, due - time.monotonic()))
        order = check_out(shoppers[number])
        return CheckoutSample(due - began, (time.monotonic() - due) * 1000, order)

    with ThreadPoolExecutor(MAX_CONCURRENT) as pool:
        return list(pool.map(one, range(len(shoppers))))


def _wait(context: DriverContext, orders: Sequence[str], patience_s: float) -> tuple[list[str], list[float]]:
    began, missing, waited = time.monotonic(), set(orders), []
    while True:
        arrived = missing & _confirmed(context.store, len(orders))
        missing -= arrived
        waited += [time.monotonic() - began] * len(arrived)
        if not missing or time.monotonic() - began > patience_s:
            return sorted(missing), waited
        context.wait(POLL_EVERY_S)


def _confirmed(store: StoreClient, count: int) -> set[str]:
    """Return the numbers of the orders that the newest mails are about."""
    return {mail["subject"].rpartition(" ")[2] for mail in store.mails(2 * count)}


def as_load_samples(bought: Sequence[CheckoutSample], seconds: float) -> LoadSamples:
    """Return checkouts as samples of a load that lasted so many seconds."""
    failed = sum(not one.order for one in bought)
    return LoadSamples(
        offered=len(bought),
        seconds=seconds,
        latencies_ms=[one.ms for one in bought],
        succeeded=[bool(one.order) for one in bought],
        calls=len(bought),
        queries=0,
        lookups={},
        errors={"not ordered": failed} if failed else {},
        cpu_share=0.0,
        release_lag_p95_ms=0.0,
        answer_counts={"origin": len(bought) - failed},
        due_s=[one.due_s for one in bought],
        answered_by=["origin" if one.order else "" for one in bought],
    )
