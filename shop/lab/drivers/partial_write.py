"""Rushes of shoppers check out, and in the middle of each a web process is killed; then the books are checked.

A checkout writes for a few milliseconds only. So that a kill strikes some of them there, however quick the machine is,
all shoppers of a rush come in the same moment, and the process dies a fraction of a second later. Nobody asks again:
what is left is what one request and its death left behind. An order that waits for its payment is no mismatch, since
it says so and a completer finds it; a piece that is nobody's is one.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from pydantic import Field

from shop.errors import ServiceUnavailable
from shop.lab.arms import ExperimentArm, PhaseLengths
from shop.lab.drivers.auditor import audit_mismatches
from shop.lab.drivers.checkouts import MAX_CONCURRENT, CheckoutSample, as_load_samples, check_out_at_rate
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.drivers.driver_context import DriverContext, DriverMeasure, DriverResult
from shop.lab.store_client import StoreClient
from shop.lab.strict_model import StrictModel

WEB = "web"
RUSH_S = 1.5
"""What a rush takes, about, with a web process that starts again meanwhile."""
DONE_S = 3.0
"""After the last answer, until no request can be at work any more that was cut off from its client."""


class PartialWriteParams(StrictModel):
    """What is told of checkouts and kills."""

    rushes: int = Field(default=5, gt=0)
    shoppers: int = Field(default=30, gt=0, le=MAX_CONCURRENT)
    """In each rush."""
    apart_s: float = Field(default=1.0, ge=0)
    """From the end of a rush to the next one."""


class PartialWrite:
    """Buys, kills, and lets the books be checked."""

    params_model = PartialWriteParams
    faults: Sequence[str] = (WEB,)
    parameters: Sequence[str] = ()
    edits_price = False
    measures: Mapping[str, DriverMeasure] = {
        "checkouts": DriverMeasure("Checkouts begun"),
        "orders": DriverMeasure("Answered with an order"),
        "kills": DriverMeasure("Kills ordered"),
        "mismatches": DriverMeasure("Mismatches in the books"),
    }

    def expected_seconds(self, params: PartialWriteParams, phases: PhaseLengths) -> float:
        """Return how long an arm takes, about."""
        return params.rushes * (RUSH_S + params.apart_s) + DONE_S + 10.0

    def params_for_seconds(self, driver_params: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Return how many rushes there is time for."""
        params = PartialWriteParams(**driver_params)
        return {"rushes": max(1, int(seconds / (RUSH_S + params.apart_s)))}

    def measure(self, context: DriverContext, arm: ExperimentArm, params: PartialWriteParams) -> DriverResult:
        """Buy and kill, check the books, and undo the orders that were answered."""
        before = audit_mismatches()
        bought: list[CheckoutSample] = []
        with guests_with_carts(context.store, params.rushes * params.shoppers) as shoppers:
            for number in range(params.rushes):
                rush = shoppers[number * params.shoppers : (number + 1) * params.shoppers]
                with _killing(context.store.base_url):
                    bought += check_out_at_rate(rush, rate=1.0, rush=params.shoppers)
                context.store.wait_ready()
                context.wait(params.apart_s)
            context.wait(DONE_S)
            found = audit_mismatches() - before
        return DriverResult(
            as_load_samples(bought, params.rushes * RUSH_S),
            {
                "checkouts": float(len(bought)),
                "orders": float(sum(bool(one.order) for one in bought)),
                "kills": float(params.rushes),
                "mismatches": float(len(found)),
            },
        )


@contextmanager
def _killing(base_url: str) -> Iterator[None]:
    """Have one web process killed a fraction of a second after the body began."""

    def kill() -> None:
        with closing(StoreClient(base_url)) as store, suppress(ServiceUnavailable):
            store.set_fault(WEB, "kill")  # the one that took the order may be the one that dies of it

    killer = threading.Thread(target=kill, name="killer", daemon=True)
    killer.start()
    try:
        yield
    finally:
        killer.join()
