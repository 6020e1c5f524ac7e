"""Driver: shoppers pay while the payments provider has a fault; other shoppers visit pages that need no provider.

The same threads serve both. After the carts are filled, the fault begins, and with it a rush of checkouts; later
checkouts come at a rate. The pages are visited only after a lead time, so the figures show the full effect of the fault
and not its first second. The fault ends with the last page visit.
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.faults import NONE
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AUDIT_S
from shop.lab.drivers.checkouts import CheckoutSample, check_out_at_rate
from shop.lab.drivers.crowd import guest_count, guests_s, guests_with_carts
from shop.lab.drivers.driver_context import GENERATOR_START_S, DriverContext, DriverMeasure, DriverResult
from shop.lab.load import LoadSamples
from shop.lab.metrics_client import MetricsClient, sample_in_flight, sum_counter
from shop.lab.statistics import percentile
from shop.lab.strict_model import StrictModel
from shop.patterns.observability import metric_names

PAYMENTS = "payments"
CLEAR_TIMEOUT_S = 20.0
CLEAR_S = 0.9
"""About how long it takes to clear the fault, and until the waiting checkouts are answered."""
PROCESSES = 2
"""The usual number of web processes; for the estimate."""


class BystanderParams(StrictModel):
    """Parameters of the driver."""

    fault: str = "slow"
    """The fault of the provider."""
    rush: int = Field(default=8, ge=0)
    """Checkouts at the begin of the fault, for each web process."""
    rate: float = Field(default=0.5, gt=0)
    """Checkouts a second after that, for each web process."""
    lead_s: float = Field(default=8.0, ge=GENERATOR_START_S)
    """Seconds from the begin of the fault to the first page visit."""
    seconds: float = Field(default=3.0, gt=0)
    """Length of the page visits."""
    visits: float = Field(default=20.0, gt=0)
    """Page visits a second."""
    page_within_ms: float = Field(default=1_000.0, gt=0)
    """A slower page counts as failed, since its visitor has left."""
    patience_s: float = Field(default=8.0, gt=0)
    """A slower checkout counts as late, since its shopper has left."""


class BystanderDriver:
    """Sets a fault of the provider, and measures pages that do not need the provider."""

    params_model = BystanderParams
    faults: Sequence[str] = (PAYMENTS,)
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "pages_well": DriverMeasure("Other pages answered without error and in time", "%"),
        "threads_held": DriverMeasure("Requests in progress, median"),
        "checkouts": DriverMeasure("Checkouts begun"),
        "orders": DriverMeasure("Checkouts that placed an order"),
        "order_share": DriverMeasure("Share that placed an order", "%"),
        "order_goodput_rps": DriverMeasure("Orders in time", "/s"),
        "checkout_p99_ms": DriverMeasure("99th percentile of checkouts", "ms"),
        "calls_per_checkout": DriverMeasure("Calls that the provider got for a checkout"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: BystanderParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        fault_s = params.lead_s + params.seconds
        guests = PROCESSES * params.rush + guest_count(PROCESSES * params.rate, fault_s)
        return guests_s(guests) + fault_s + CLEAR_S + AUDIT_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return the length; the lead time stays, since timeout and breaker need it."""
        return {"seconds": seconds}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: BystanderParams) -> DriverResult:
        """Set the fault, check out, visit pages, clear the fault, audit the books, and cancel the orders."""
        store = context.store
        context.books.known_mismatches()
        processes, fault_s = store.workers(), params.lead_s + params.seconds
        rush, rate = params.rush * processes, params.rate * processes
        clearing: list[Future[tuple[float, float]]] = []
        with (
            guests_with_carts(store, rush + guest_count(rate, fault_s)) as shoppers,
            sample_in_flight(store) as in_flight,
            closing(MetricsClient(store)) as metrics,
            ThreadPoolExecutor(2) as threads,
        ):
            calls_before = count_provider_calls(metrics)
            store.set_fault(PAYMENTS, params.fault)
            buying = threads.submit(check_out_at_rate, shoppers, rate, rush=rush)
            context.wait(params.lead_s - context.start_delay_s)
            phase = context.load_phase(arm, params.seconds, mode="open", rate=params.visits)
            actions = [(0.0, lambda: clearing.append(threads.submit(_clear_fault_after, params.seconds)))]
            pages = context.offer(arm.title, phase, actions)
            checkouts = buying.result()
            began, ended = clearing[0].result()
            held = [count for at, count in in_flight if began <= at <= ended]
            calls = count_provider_calls(metrics) - calls_before
            store.wait_ready()
            mismatches = context.books.new_mismatches()
        measures = compute_measures(pages, checkouts, held, params)
        measures |= {"calls_per_checkout": calls / len(checkouts), "mismatches": float(len(mismatches))}
        return DriverResult(pages, measures)


def count_provider_calls(metrics: MetricsClient) -> float:
    """Return how many attempts of the web processes have reached the provider."""
    text = metrics.scrape()
    return sum(
        sum_counter(text, metric_names.DEPENDENCY_ATTEMPTS, ("outcome", outcome)) for outcome in ("ok", "failed")
    )


def _clear_fault_after(seconds: float) -> tuple[float, float]:
    """Clear the fault after so many seconds; return the begin and the end of the page visits.

    A command clears it, since the store may have no free thread for a request.

    Raises:
        ServiceUnavailable: the fault could not be cleared.
    """
    began = time.monotonic()
    time.sleep(seconds)
    ended = time.monotonic()
    command = [sys.executable, "-m", "shop.cli", "fault", "set", PAYMENTS, NONE]
    clear = subprocess.run(command, capture_output=True, text=True, timeout=CLEAR_TIMEOUT_S, check=False)
    if clear.returncode:
        raise ServiceUnavailable(f"The fault of the provider could not be cleared: {clear.stderr.strip()}")
    return began, ended


def compute_measures(
    pages: LoadSamples, checkouts: Sequence[CheckoutSample], held: Sequence[float], params: BystanderParams
) -> dict[str, float | None]:
    """Return the measures without those of the books.

    Args:
        pages: the page visits.
        checkouts: the checkouts.
        held: samples of the number of requests in progress.
        params: the time limits.
    """
    in_time = sum(
        succeeded and ms <= params.page_within_ms
        for succeeded, ms in zip(pages.succeeded, pages.latencies_ms, strict=True)
    )
    orders = [checkout for checkout in checkouts if checkout.order]
    orders_in_time = sum(order.ms <= params.patience_s * 1000 for order in orders)
    return {
        "pages_well": in_time / len(pages.succeeded) if pages.succeeded else None,
        "threads_held": percentile(list(held), 50) if held else None,
        "checkouts": float(len(checkouts)),
        "orders": float(len(orders)),
        "order_share": len(orders) / len(checkouts),
        "order_goodput_rps": orders_in_time / (params.lead_s + params.seconds),
        "checkout_p99_ms": percentile([checkout.ms for checkout in checkouts], 99),
    }
