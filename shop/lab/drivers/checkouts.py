"""Driver: shoppers check out at a constant rate; then the driver looks for each order's confirmation in the mailbox.

The carts are filled before. The latency of a checkout counts from its due time. The fault of the mail server is cleared
after the last checkout is answered. A mail that does not arrive within a time limit after that counts as lost.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from shop.faults import NONE
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AUDIT_S
from shop.lab.drivers.crowd import guest_count, guests_s, guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.guest_client import GuestClient
from shop.lab.load import LoadSamples
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

MAIL = "mail"
MAX_CONCURRENT = 64
POLL_EVERY_S = 0.5
USUAL_MAIL_WAIT_S = 3.0
"""Mean wait for the mails of an arm; most mails arrive at once."""


class CheckoutParams(StrictModel):
    """Parameters of the driver."""

    rate: float = Field(default=4.0, gt=0)
    """Checkouts a second."""
    seconds: float = Field(default=8.0, gt=0)
    patience_s: float = Field(default=40.0, gt=0)
    """Time limit for the mails, from the end of the mail server's fault."""


@dataclass(frozen=True, slots=True)
class CheckoutSample:
    """One checkout.

    Args:
        due_s: when it was due, in seconds after the first checkout.
        ms: milliseconds from the due time to its response.
        order: the order's number; empty if no order was placed.
    """

    due_s: float
    ms: float
    order: str


class CheckoutDriver:
    """Checks out, and waits for the confirmation mails."""

    params_model = CheckoutParams
    faults: Sequence[str] = (MAIL,)
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "orders": DriverMeasure("Orders placed"),
        "mails_lost": DriverMeasure("Orders never confirmed"),
        "lost_share": DriverMeasure("Share never confirmed", "%"),
        "mail_p99_s": DriverMeasure("99th percentile of the wait for a mail after the last checkout", "s"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: CheckoutParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        guests = guest_count(params.rate, params.seconds)
        return guests_s(guests) + params.seconds + min(params.patience_s, USUAL_MAIL_WAIT_S) + AUDIT_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: CheckoutParams) -> DriverResult:
        """Check out, clear the fault, wait for the mails, audit the books, and cancel the orders."""
        context.books.known_mismatches()
        with guests_with_carts(context.store, guest_count(params.rate, params.seconds)) as shoppers:
            checkouts = check_out_at_rate(shoppers, params.rate)
            context.store.set_fault(MAIL, NONE)
            orders = [checkout.order for checkout in checkouts if checkout.order]
            lost, waited_s = _wait_for_mails(context, orders, params.patience_s)
            mismatches = context.books.new_mismatches()
        return DriverResult(
            as_load_samples(checkouts, params.seconds),
            {**compute_measures(checkouts, lost, waited_s), "mismatches": float(len(mismatches))},
        )


def compute_measures(
    checkouts: Sequence[CheckoutSample], lost: Sequence[str], waited_s: Sequence[float]
) -> dict[str, float | None]:
    """Return the measures.

    Args:
        checkouts: all checkouts.
        lost: the orders without a mail.
        waited_s: for each other order, seconds from the last checkout to its mail.
    """
    orders = sum(bool(checkout.order) for checkout in checkouts)
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
    """Let each shopper check out at her due time, at a constant rate; return the checkouts in the order of shoppers.

    Args:
        shoppers: guests with full carts.
        rate: checkouts a second.
        check_out: checks a shopper out; returns the order's number, or an empty text.
        rush: so many shoppers all check out at the begin; the others follow at the rate.
    """
    began = time.monotonic()

    def check_out_when_due(number: int) -> CheckoutSample:
        due = began + max(0, number - rush) / rate
        time.sleep(max(0.0, due - time.monotonic()))
        order = check_out(shoppers[number])
        return CheckoutSample(due - began, (time.monotonic() - due) * 1000, order)

    with ThreadPoolExecutor(MAX_CONCURRENT) as threads:
        return list(threads.map(check_out_when_due, range(len(shoppers))))


def _wait_for_mails(context: DriverContext, orders: Sequence[str], max_wait_s: float) -> tuple[list[str], list[float]]:
    """Return the orders whose mail did not arrive, and the wait for each other mail in seconds."""
    began, missing, waited_s = time.monotonic(), set(orders), []
    while True:
        # The subject of a confirmation ends with the order's number; the mailbox may have other mails too.
        arrived = missing & {mail["subject"].rpartition(" ")[2] for mail in context.store.mails(2 * len(orders))}
        missing -= arrived
        waited_s += [time.monotonic() - began] * len(arrived)
        if not missing or time.monotonic() - began > max_wait_s:
            return sorted(missing), waited_s
        context.wait(POLL_EVERY_S)


def as_load_samples(checkouts: Sequence[CheckoutSample], seconds: float) -> LoadSamples:
    """Return checkouts as samples of a load of so many seconds."""
    failed = sum(not checkout.order for checkout in checkouts)
    return LoadSamples(
        offered=len(checkouts),
        seconds=seconds,
        latencies_ms=[checkout.ms for checkout in checkouts],
        succeeded=[bool(checkout.order) for checkout in checkouts],
        calls=len(checkouts),
        queries=None,
        lookups={},
        errors={"not ordered": failed} if failed else {},
        cpu_share=None,
        release_lag_p95_ms=None,
        answer_counts={"origin": len(checkouts) - failed},
        due_s=[checkout.due_s for checkout in checkouts],
        answered_by=["origin" if checkout.order else "" for checkout in checkouts],
    )
