"""Driver: measures how long after a checkout the admin's list shows the order, and checks the buyer's own list."""

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic import Field

from shop.lab.admin_client import AdminClient
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AUDIT_S
from shop.lab.drivers.checkouts import CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guest_count, guests_s, guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.guest_client import GuestClient
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

SHOWN_S = 0.5
"""About how long it takes until the list shows the last order."""
POLL_EVERY_S = 0.02
"""Pause between two requests of the list. A lag below this time plus the time of a request cannot be measured."""


class LagParams(StrictModel):
    """Parameters of the driver."""

    rate: float = Field(default=6.0, gt=0)
    """Checkouts a second."""
    seconds: float = Field(default=6.0, gt=0)
    patience_s: float = Field(default=10.0, gt=0)
    """An order that the list does not show so many seconds after the last checkout counts as never shown."""


class LagDriver:
    """Checks out, and polls the admin's list of orders."""

    params_model = LagParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "orders": DriverMeasure("Orders placed"),
        "lag_p50_ms": DriverMeasure("Lag of the admin's list, median", "ms"),
        "lag_p99_ms": DriverMeasure("Lag of the admin's list, 99th percentile", "ms"),
        "never_shown": DriverMeasure("Orders never shown"),
        "own_missing": DriverMeasure("Orders missing on the buyer's own list"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: LagParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return guests_s(guest_count(params.rate, params.seconds)) + params.seconds + SHOWN_S + AUDIT_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: LagParams) -> DriverResult:
        """Check out at the rate while a thread polls the list, audit the books, and cancel the orders."""
        context.books.known_mismatches()
        answered_at: dict[str, float] = {}
        missing: list[str] = []

        def check_out(shopper: GuestClient) -> str:
            number = shopper.check_out()
            answered_at[number] = time.monotonic()
            if number and not shopper.lists_paid_order():
                missing.append(number)
            return number

        with guests_with_carts(context.store, guest_count(params.rate, params.seconds)) as shoppers:
            with first_listed_times(context.store.base_url) as listed_at:
                checkouts = check_out_at_rate(shoppers, params.rate, check_out)
                orders = {checkout.order for checkout in checkouts if checkout.order}
                deadline = time.monotonic() + params.patience_s
                while orders - listed_at.keys() and time.monotonic() < deadline:
                    context.wait(0.1)
            mismatches = context.books.new_mismatches()
        measures = compute_measures(checkouts, answered_at, listed_at, missing)
        return DriverResult(
            as_load_samples(checkouts, params.seconds), {**measures, "mismatches": float(len(mismatches))}
        )


def compute_measures(
    checkouts: Sequence[CheckoutSample],
    answered_at: Mapping[str, float],
    listed_at: Mapping[str, float],
    missing: Collection[str],
) -> dict[str, float | None]:
    """Return the measures without those of the books.

    Args:
        checkouts: the checkouts.
        answered_at: for each order number, the time of the checkout's response on the monotonic clock.
        listed_at: for each order number, the time at which the admin's list first showed it.
        missing: the numbers of orders that the buyer's own list did not show.
    """
    orders = [checkout.order for checkout in checkouts if checkout.order]
    lags_ms = [max(0.0, listed_at[number] - answered_at[number]) * 1000 for number in orders if number in listed_at]
    return {
        "orders": float(len(orders)),
        "lag_p50_ms": percentile(lags_ms, 50) if lags_ms else None,
        "lag_p99_ms": percentile(lags_ms, 99) if lags_ms else None,
        "never_shown": float(len(orders) - len(lags_ms)),
        "own_missing": float(len(missing)),
    }


@contextmanager
def first_listed_times(base_url: str) -> Iterator[dict[str, float]]:
    """Poll the admin's list of paid orders in a thread.

    Yields:
        For each order number so far, the time at which the list first showed it, on the monotonic clock.
    """
    listed_at: dict[str, float] = {}
    stopped = threading.Event()

    with AdminClient(base_url) as admin:

        def poll() -> None:
            while not stopped.wait(POLL_EVERY_S):
                began = time.monotonic()  # the store reads the list after this time
                for number in admin.paid_order_numbers():
                    listed_at.setdefault(number, began)

        thread = threading.Thread(target=poll, name="order-list", daemon=True)
        thread.start()
        try:
            yield listed_at
        finally:
            stopped.set()
            thread.join()
