"""Clients that give up waiting, and ask again under the same key, while the payment is slow.

The first try is cut off by the client, not by the store: there the payment goes on. What the tries came to is told by
the auditor, which finds what was ordered and paid more than once. The surplus orders are cancelled afterwards.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.admin_client import AdminClient
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AuditorMismatch, audit_mismatches
from shop.lab.drivers.checkouts import CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guest_count, guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.guest_client import REFUSED, GuestClient
from shop.lab.strict_model import StrictModel

ORDER_TWICE = "order_twice"


class RetryParams(StrictModel):
    """What is told of the clients."""

    rate: float = Field(default=2.0, gt=0)
    """A second."""
    seconds: float = Field(default=6.0, gt=0)
    timeout_s: float = Field(default=0.5, gt=0)
    """After which a client asks again; a slow payment takes longer."""
    patience_s: float = Field(default=15.0, gt=0)
    token: str = "tok_slow"  # noqa: S105 - a token of the simulator


class RetryDriver:
    """Buys stubbornly, and lets the books be checked."""

    params_model = RetryParams
    faults: Sequence[str] = ()
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "purchases": DriverMeasure("Purchases meant"),
        "confirmed": DriverMeasure("Of them answered with an order"),
        "surplus_orders": DriverMeasure("Orders paid beyond them"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: RetryParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes, about."""
        return params.seconds + 8.0

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: RetryParams) -> DriverResult:
        """Buy, check the books, and undo what was ordered too often."""
        before = audit_mismatches()

        def stubborn(shopper: GuestClient) -> str:
            return shopper.check_out_with_retries(
                secrets.token_hex(16), params.patience_s, params.timeout_s, params.token
            )

        with guests_with_carts(context.store, guest_count(params.rate, params.seconds)) as shoppers:
            bought = check_out_at_rate(shoppers, params.rate, stubborn)
            context.wait(params.timeout_s + 2.0)  # what the last ones left behind them is still being paid
            found = audit_mismatches() - before
        with AdminClient(context.store.base_url) as staff:
            for public_id in surplus_orders(found):
                staff.cancel_order(public_id)
        return DriverResult(as_load_samples(bought, params.seconds), compute_measures(bought, found))


def surplus_orders(found: Collection[AuditorMismatch]) -> list[str]:
    """Return the orders that nobody meant: all but the first of each that was placed more than once."""
    return [public_id for one in found if one.kind == ORDER_TWICE for public_id in one.id.split()[1:]]


def compute_measures(bought: Sequence[CheckoutSample], found: Collection[AuditorMismatch]) -> dict[str, float | None]:
    """Return the measures."""
    return {
        "purchases": float(len(bought)),
        "confirmed": float(sum(one.order not in ("", REFUSED) for one in bought)),
        "surplus_orders": float(len(surplus_orders(found))),
        "mismatches": float(len(found)),
    }
