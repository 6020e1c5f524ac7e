"""Driver: clients with a short timeout retry a checkout under the same key while the payment is slow.

The client, not the store, ends the first attempt, so the payment of that attempt goes on in the store. The auditor
finds the purchases that were ordered and paid more than once. The surplus orders are cancelled afterwards.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.admin_client import AdminClient
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AUDIT_S, AuditorMismatch
from shop.lab.drivers.checkouts import CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guest_count, guests_s, guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.guest_client import REFUSED, GuestClient
from shop.lab.metrics_client import wait_idle
from shop.lab.strict_model import StrictModel

ORDER_TWICE = "order_twice"
ANSWERED_S = 2.5
"""About how long it takes from the last checkout until all its payments have ended."""
DONE_S = 2.0
"""A slow payment takes less."""


class RetryParams(StrictModel):
    """Parameters of the driver."""

    rate: float = Field(default=2.0, gt=0)
    """Checkouts a second."""
    seconds: float = Field(default=6.0, gt=0)
    timeout_s: float = Field(default=0.5, gt=0)
    """Timeout of one attempt; a slow payment takes longer."""
    patience_s: float = Field(default=15.0, gt=0)
    """Time limit for all attempts of a client."""
    token: str = "tok_slow"  # noqa: S105 - a token of the simulator


class RetryDriver:
    """Retries each checkout until it has a final response, and audits the books."""

    params_model = RetryParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "purchases": DriverMeasure("Intended purchases"),
        "confirmed": DriverMeasure("Purchases confirmed to the client"),
        "surplus_orders": DriverMeasure("Surplus paid orders"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: RetryParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        guests = guest_count(params.rate, params.seconds)
        return guests_s(guests) + params.seconds + ANSWERED_S + 1.5 * AUDIT_S  # every second arm changes the books

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: RetryParams) -> DriverResult:
        """Check out with retries, audit the books, and cancel the surplus orders."""
        context.books.known_mismatches()

        def check_out(shopper: GuestClient) -> str:
            return shopper.check_out_with_retries(
                secrets.token_hex(16), params.patience_s, params.timeout_s, params.token
            )

        with guests_with_carts(context.store, guest_count(params.rate, params.seconds)) as shoppers:
            checkouts = check_out_at_rate(shoppers, params.rate, check_out)
            wait_idle(context.store, params.timeout_s + DONE_S)  # the payments of the last attempts are still running
            mismatches = context.books.new_mismatches()
        if surplus := surplus_orders(mismatches):
            with AdminClient(context.store.base_url) as admin:
                for public_id in surplus:
                    admin.cancel_order(public_id)
            context.books.forget()  # each cancellation changes a mismatch
        return DriverResult(as_load_samples(checkouts, params.seconds), compute_measures(checkouts, mismatches))


def surplus_orders(mismatches: Collection[AuditorMismatch]) -> list[str]:
    """Return the surplus orders: of each purchase that was ordered more than once, all orders but the first."""
    return [
        public_id for mismatch in mismatches if mismatch.kind == ORDER_TWICE for public_id in mismatch.id.split()[1:]
    ]


def compute_measures(
    checkouts: Sequence[CheckoutSample], mismatches: Collection[AuditorMismatch]
) -> dict[str, float | None]:
    """Return the measures."""
    return {
        "purchases": float(len(checkouts)),
        "confirmed": float(sum(checkout.order not in ("", REFUSED) for checkout in checkouts)),
        "surplus_orders": float(len(surplus_orders(mismatches))),
        "mismatches": float(len(mismatches)),
    }
