"""Shoppers pay while the provider is in trouble; others look at pages that need no provider.

Both are served by the same threads. When the carts are full the trouble begins, and with it a rush to the checkout;
from then on checkouts come at a rate. The pages are watched once the trouble had time to do its work, and it ends with
the last of them. So what is judged is the trouble, not its first second.
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.faults import NONE
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import audit_mismatches
from shop.lab.drivers.checkouts import CheckoutSample, check_out_at_rate
from shop.lab.drivers.crowd import guest_count, guests_with_carts
from shop.lab.drivers.driver_context import GENERATOR_START_S, DriverContext, DriverMeasure, DriverResult
from shop.lab.load import LoadSamples
from shop.lab.metrics_client import InFlightSampler
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel

PAYMENTS = "payments"
CLEAR_TIMEOUT_S = 20.0


class BystanderParams(StrictModel):
    """What is told of shoppers and trouble."""

    fault: str = "slow"
    """What is done to the provider."""
    rush: int = Field(default=8, ge=0)
    """Checkouts in the first moment, for each web process."""
    rate: float = Field(default=0.5, gt=0)
    """Checkouts a second after that, for each web process."""
    lead_s: float = Field(default=8.0, ge=GENERATOR_START_S)
    """Until the pages are watched."""
    seconds: float = Field(default=3.0, gt=0)
    """For which they are."""
    visits: float = Field(default=20.0, gt=0)
    """Of pages, a second."""
    page_within_ms: float = Field(default=1_000.0, gt=0)
    """A slower page is looked at by nobody."""
    patience_s: float = Field(default=8.0, gt=0)
    """A checkout that takes longer has lost its shopper."""


class BystanderDriver:
    """Makes trouble, and watches those who have no part in it."""

    params_model = BystanderParams
    faults: Sequence[str] = (PAYMENTS,)
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "pages_well": DriverMeasure("Other pages answered well and in time", "%"),
        "threads_held": DriverMeasure("Requests being answered at once, median"),
        "checkouts": DriverMeasure("Checkouts begun"),
        "orders": DriverMeasure("Answered with an order"),
        "order_share": DriverMeasure("Share answered with an order", "%"),
        "order_goodput_rps": DriverMeasure("Orders in time", "/s"),
        "checkout_p99_ms": DriverMeasure("99th percentile of checkouts", "ms"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: BystanderParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes, about."""
        return params.lead_s + params.seconds + 7.0

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length; the lead is what the guards need, and stays."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: BystanderParams) -> DriverResult:
        """Make trouble and buy, watch the pages, end the trouble, check the books, and undo the orders."""
        store, before = context.store, audit_mismatches()
        processes, lasts_s = store.workers(), params.lead_s + params.seconds
        rush, rate = params.rush * processes, params.rate * processes
        mending: list[Future[tuple[float, float]]] = []
        with (
            guests_with_carts(store, rush + guest_count(rate, lasts_s)) as shoppers,
            InFlightSampler(store) as in_flight,
            ThreadPoolExecutor(2) as beside,
        ):
            store.set_fault(PAYMENTS, params.fault)
            buying = beside.submit(check_out_at_rate, shoppers, rate, rush=rush)
            context.wait(params.lead_s - context.start_delay_s)
            plan = context.load_phase(arm, params.seconds, mode="open", rate=params.visits)
            watched = [(0.0, lambda: mending.append(beside.submit(_clear_fault_after, params.seconds)))]
            pages = context.offer(arm.title, plan, watched)
            bought, held = buying.result(), in_flight.between(*mending[0].result())
            store.wait_ready()
            found = audit_mismatches() - before
        return DriverResult(pages, {**compute_measures(pages, bought, held, params), "mismatches": float(len(found))})


def _clear_fault_after(seconds: float) -> tuple[float, float]:
    """Let the trouble last, end it, and return between which moments it was looked at.

    It is ended by the command, which needs no thread of the store: there may be none.

    Raises:
        ServiceUnavailable: it did not end.
    """
    began = time.monotonic()
    time.sleep(seconds)
    until = time.monotonic()
    words = [sys.executable, "-m", "shop.cli", "fault", "set", PAYMENTS, NONE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=CLEAR_TIMEOUT_S, check=False)
    if done.returncode:
        raise ServiceUnavailable(f"The provider could not be mended: {done.stderr.strip()}")
    return began, until


def compute_measures(
    pages: LoadSamples, bought: Sequence[CheckoutSample], held: Sequence[float], params: BystanderParams
) -> dict[str, float | None]:
    """Return the measures but for the books'.

    Args:
        pages: what became of those who did not buy.
        bought: the checkouts.
        held: requests being answered, looked at again and again.
        params: what counts as in time.
    """
    well = sum(
        good and ms <= params.page_within_ms for good, ms in zip(pages.succeeded, pages.latencies_ms, strict=True)
    )
    orders = [one for one in bought if one.order]
    in_time = sum(one.ms <= params.patience_s * 1000 for one in orders)
    return {
        "pages_well": well / len(pages.succeeded) if pages.succeeded else None,
        "threads_held": percentile(list(held), 50) if held else None,
        "checkouts": float(len(bought)),
        "orders": float(len(orders)),
        "order_share": len(orders) / len(bought),
        "order_goodput_rps": in_time / (params.lead_s + params.seconds),
        "checkout_p99_ms": percentile([one.ms for one in bought], 99),
    }
