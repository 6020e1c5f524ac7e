"""Clients that give up waiting, and ask again under the same key, while the payment is slow.

The first try is cut off by the client, not by the store: there the payment goes on. What the tries came to is told by
the auditor, which finds what was ordered and paid more than once. The surplus orders are cancelled afterwards.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import Field

from shop.lab.admin_client import AdminClient
from shop.lab.arms import ExperimentArm, StrictModel
from shop.lab.drivers.auditor import AuditorMismatch, mismatches
from shop.lab.drivers.checkouts import CheckoutSample, buy, samples
from shop.lab.drivers.crowd import crowd, size
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.guest_client import REFUSED, GuestClient

TWICE = "order_twice"


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

    given = RetryParams
    faults: Sequence[str] = ()
    knobs: Sequence[str] = ()
    edits = False
    measures: Mapping[str, DriverMeasure] = {
        "purchases": DriverMeasure("Purchases meant"),
        "confirmed": DriverMeasure("Of them answered with an order"),
        "surplus_orders": DriverMeasure("Orders paid beyond them"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def seconds(self, given: RetryParams) -> float:
        """Return how long an arm takes, about."""
        return given.seconds + 8.0

    def lasting(self, driving: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length."""
        return {"seconds": seconds}

    def observe(self, bench: DriverContext, arm: ExperimentArm, given: RetryParams) -> DriverResult:
        """Buy, check the books, and undo what was ordered too often."""
        before = mismatches()

        def stubborn(shopper: GuestClient) -> str:
            return shopper.check_out_stubbornly(secrets.token_hex(16), given.patience_s, given.timeout_s, given.token)

        with crowd(bench.store, size(given.rate, given.seconds)) as shoppers:
            bought = buy(shoppers, given.rate, stubborn)
            bench.wait(given.timeout_s + 2.0)  # what the last ones left behind them is still being paid
            found = mismatches() - before
        with AdminClient(bench.store.base_url) as staff:
            for public_id in surplus(found):
                staff.cancel(public_id)
        return DriverResult(samples(bought, given.seconds), judged(bought, found))


def surplus(found: Collection[AuditorMismatch]) -> list[str]:
    """Return the orders that nobody meant: all but the first of each that was placed more than once."""
    return [public_id for one in found if one.kind == TWICE for public_id in one.id.split()[1:]]


def judged(bought: Sequence[CheckoutSample], found: Collection[AuditorMismatch]) -> dict[str, float | None]:
    """Return the measures."""
    return {
        "purchases": float(len(bought)),
        "confirmed": float(sum(one.order not in ("", REFUSED) for one in bought)),
        "surplus_orders": float(len(surplus(found))),
        "mismatches": float(len(found)),
    }
