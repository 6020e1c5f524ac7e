"""How long after a checkout the staff's list shows the order, and whether the buyer's own list does at once."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.admin_client import AdminClient
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import audit_mismatches
from shop.lab.drivers.checkouts import CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guest_count, guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.guest_client import GuestClient
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

POLL_EVERY_S = 0.02
"""Between two looks at the list; a lag below it, and below what the page takes, is not told apart from none."""


class LagParams(StrictModel):
    """What is told of the checkouts."""

    rate: float = Field(default=6.0, gt=0)
    """A second."""
    seconds: float = Field(default=6.0, gt=0)
    patience_s: float = Field(default=10.0, gt=0)
    """After the last checkout, before what is not shown counts as never shown."""


class LagDriver:
    """Buys, and watches the list."""

    params_model = LagParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "orders": DriverMeasure("Orders placed"),
        "lag_p50_ms": DriverMeasure("Until the staff's list shows it, median", "ms"),
        "lag_p99_ms": DriverMeasure("Until the staff's list shows it, 99th percentile", "ms"),
        "never_shown": DriverMeasure("Never shown"),
        "own_missing": DriverMeasure("Not on the buyer's own list at once"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: LagParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes, about."""
        return params.seconds + 7.0

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: LagParams) -> DriverResult:
        """Buy at the rate while somebody watches the list, check the books, and undo the orders."""
        before = audit_mismatches()
        answered: dict[str, float] = {}
        missing: list[str] = []

        def check_out(shopper: GuestClient) -> str:
            number = shopper.check_out()
            answered[number] = time.monotonic()
            if number and not shopper.lists_paid_order():
                missing.append(number)
            return number

        with guests_with_carts(context.store, guest_count(params.rate, params.seconds)) as shoppers:
            with _WatchedList(context.store.base_url) as watched:
                bought = check_out_at_rate(shoppers, params.rate, check_out)
                orders = {one.order for one in bought if one.order}
                until = time.monotonic() + params.patience_s
                while orders - watched.seen.keys() and time.monotonic() < until:
                    context.wait(0.1)
            found = audit_mismatches() - before
        return DriverResult(
            as_load_samples(bought, params.seconds),
            {**compute_measures(bought, answered, watched.seen, missing), "mismatches": float(len(found))},
        )


def compute_measures(
    bought: Sequence[CheckoutSample], answered: Mapping[str, float], seen: Mapping[str, float], missing: Collection[str]
) -> dict[str, float | None]:
    """Return the measures but for the books'.

    Args:
        bought: the checkouts.
        answered: an order's number to the moment of its answer, on the monotonic clock.
        seen: an order's number to the moment the staff's list first showed it.
        missing: the numbers of orders that their buyers did not find on their own lists.
    """
    orders = [one.order for one in bought if one.order]
    lags = [max(0.0, seen[number] - answered[number]) * 1000 for number in orders if number in seen]
    return {
        "orders": float(len(orders)),
        "lag_p50_ms": percentile(lags, 50) if lags else None,
        "lag_p99_ms": percentile(lags, 99) if lags else None,
        "never_shown": float(len(orders) - len(lags)),
        "own_missing": float(len(missing)),
    }


class _WatchedList:
    """The staff's list, looked at again and again in a thread; notes when each number was first there."""

    def __init__(self, base_url: str) -> None:
        self._staff = AdminClient(base_url)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="staff", daemon=True)
        self.seen: dict[str, float] = {}

    def __enter__(self) -> "_WatchedList":
        self._staff.__enter__()
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._end.set()
        self._thread.join()
        self._staff.__exit__(kind, error, at)

    def _look(self) -> None:
        while not self._end.wait(POLL_EVERY_S):
            began = time.monotonic()  # what the page shows was read after this moment
            for number in self._staff.paid_order_numbers():
                self.seen.setdefault(number, began)
