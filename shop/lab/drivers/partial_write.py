"""Driver: rushes of shoppers check out, and a web process is killed during each rush; then the books are audited.

A checkout writes only for a few milliseconds. All shoppers of a rush therefore come at the same time, and the process
dies a fraction of a second later, so that the kill interrupts some of the writes on any machine. No client retries, so
the books show the effect of the interrupted requests alone. An order that waits for its payment is not a mismatch,
since its status says so and the completer finds it; a reserved piece without an order is a mismatch.
"""

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import AUDIT_S
from shop.lab.drivers.checkouts import MAX_CONCURRENT, CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guests_s, guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.metrics_client import wait_idle
from shop.lab.store_client import StoreClient
from shop.lab.strict_model import StrictModel

WEB = "web"
RUSH_S = 0.7
"""About how long a rush takes, with the restart of a web process."""
DONE_S = 3.0
"""After the last response, requests without a client may still run for at most so many seconds."""


class PartialWriteParams(StrictModel):
    """Parameters of the driver."""

    rushes: int = Field(default=5, gt=0)
    shoppers: int = Field(default=30, gt=0, le=MAX_CONCURRENT)
    """Shoppers in each rush."""
    apart_s: float = Field(default=1.0, ge=0)
    """Seconds between two rushes."""


class PartialWrite:
    """Kills a web process during each rush of checkouts, and audits the books."""

    params_model = PartialWriteParams
    faults: Sequence[str] = (WEB,)
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "checkouts": DriverMeasure("Checkouts begun"),
        "orders": DriverMeasure("Checkouts that placed an order"),
        "kills": DriverMeasure("Web processes killed"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: PartialWriteParams, phases: PhaseLengths) -> float:
        """Return about how long an arm takes in one run."""
        return guests_s(params.rushes * params.shoppers) + params.rushes * (RUSH_S + params.apart_s) + AUDIT_S

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return how many rushes fit into so many seconds."""
        params = PartialWriteParams(**driver_params)
        return {"rushes": max(1, int(seconds / (RUSH_S + params.apart_s)))}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: PartialWriteParams) -> DriverResult:
        """Check out and kill, cancel the orders, and audit the books: the cancellations belong to this arm."""
        context.books.known_mismatches()
        checkouts: list[CheckoutSample] = []

        def kill_web_process() -> None:
            with closing(StoreClient(context.store.base_url)) as store, suppress(ServiceUnavailable):
                store.set_fault(WEB, "kill")  # the killed process may be the one that handles this request

        with guests_with_carts(context.store, params.rushes * params.shoppers) as shoppers:
            for number in range(params.rushes):
                rush = shoppers[number * params.shoppers : (number + 1) * params.shoppers]
                killer = threading.Thread(target=kill_web_process, name="killer", daemon=True)
                killer.start()  # the request of the kill takes a fraction of a second
                checkouts += check_out_at_rate(rush, rate=1.0, rush=params.shoppers)
                killer.join()
                context.store.wait_ready()
                context.wait(params.apart_s)
            wait_idle(context.store, DONE_S)
        mismatches = context.books.new_mismatches()
        return DriverResult(
            as_load_samples(checkouts, params.rushes * RUSH_S),
            {
                "checkouts": float(len(checkouts)),
                "orders": float(sum(bool(checkout.order) for checkout in checkouts)),
                "kills": float(params.rushes),
                "mismatches": float(len(mismatches)),
            },
        )
