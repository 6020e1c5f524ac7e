"""The measurement of the exercise ``probes``: the probes that fail while one dependency after the other is down."""

import time

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.store_client import StoreClient

DEPENDENCIES = ("cache", "payments", "database")
PROBES_EACH = 5
SETTLE_S = 2.5
"""A readiness check runs at most once a second, and its result may be served for two seconds."""
STATUSES = {200, 503}


def count_failing_probes(store: StoreClient, seed: int) -> float:
    """Return how many probes are not answered 200.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: a probe got another status than 200 or 503.
    """
    failing = 0
    for name in DEPENDENCIES:
        store.set_fault(name, "down")
        time.sleep(SETTLE_S)
        paths = ["/livez", "/readyz"] * PROBES_EACH
        statuses = [store.fetch_any(path).status_code for path in paths]
        store.set_fault(name, NONE)
        store.wait_ready()
        if not set(statuses) <= STATUSES:
            raise CannotJudge(f"While the {name} was down, probes were answered {sorted(set(statuses))}.")
        failing += sum(status != 200 for status in statuses)
    return float(failing)


MEASUREMENT = StoreMeasurement(
    count_failing_probes,
    {},
    (),
    f"{', '.join(DEPENDENCIES)} down, one after the other; each time {PROBES_EACH} requests to /livez and"
    f" {PROBES_EACH} to /readyz",
    "Which of the three is required, so that no request can be served without it? What does /livez check?",
    faults=DEPENDENCIES,
    seconds=15,
)
