"""The measurement of the exercise ``metastable``: how many requests wait in the store for visitors who have left."""

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from urllib.parse import SplitResult, urlsplit

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.load_shedding import BUYERS, GAUGE_S, PROCESSES, hold_all_threads
from shop.exercises.measurements.own_products import own_slugs, page_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.metrics_client import MetricsClient
from shop.lab.store_client import StoreClient
from shop.patterns.observability import metric_names

PRODUCTS = own_slugs("metastable", 1)
PAYMENTS = "payments"
VISITORS = 20
ATTEMPTS = 5
PATIENCE_S = 0.4
"""Long enough for a busy edge to pass the request on."""
LONGEST_S = 3.5
"""From the first attempt to the count; a request that waits for four seconds is refused."""
CONNECT_S = 1.0


def count_waiting(store: StoreClient, seed: int) -> float:
    """Return how many requests wait for a thread when all visitors have left.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the store has another number of processes, its threads could not be held, or all took too long.
    """
    if store.workers() != PROCESSES:
        raise CannotJudge(f"The exercise needs {PROCESSES} web processes: start the store with --workers {PROCESSES}.")
    sell_products(store, PRODUCTS, on_hand=BUYERS)
    with (
        closing(MetricsClient(store)) as metrics,
        guests_with_carts(store, BUYERS, PRODUCTS) as guests,
        ThreadPoolExecutor(BUYERS) as threads,
    ):
        store.set_fault(PAYMENTS, "slow")
        checkouts: list[Future[str]] = []
        try:
            hold_all_threads(metrics, threads, guests, checkouts)
            began = time.monotonic()
            _visit_and_leave(urlsplit(store.base_url))
            time.sleep(GAUGE_S)
            waiting = metrics.value_of(metric_names.OVERLOAD_WAITING)
            took_s = time.monotonic() - began
        finally:
            for one in checkouts:
                one.result()
            store.set_fault(PAYMENTS, NONE)
            for guest in guests:
                guest.cancel_orders()
    if took_s > LONGEST_S:
        raise CannotJudge(f"The attempts took {took_s:.1f} s, not {LONGEST_S:g}: the machine is too busy.")
    return waiting


def _visit_and_leave(address: SplitResult) -> None:
    """Let each visitor request the page, leave when the patience ends, and come back, for all attempts."""
    request = f"GET {page_path(PRODUCTS[0])} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode()
    for _ in range(ATTEMPTS):
        connections = [
            socket.create_connection((address.hostname, address.port), timeout=CONNECT_S) for _ in range(VISITORS)
        ]
        for connection in connections:
            connection.sendall(request)
        time.sleep(PATIENCE_S)
        for connection in connections:
            connection.close()


MEASUREMENT = StoreMeasurement(
    count_waiting,
    {
        "overload.shedding": "off",
        "overload.queue": "fifo",
        "cache.edge": "off",
        "payments.timeout": "on",
        "payments.retries": "off",
        "payments.breaker": "off",
    },
    PRODUCTS,
    f"{VISITORS} visitors who each try {ATTEMPTS} times and leave, while checkouts hold all threads",
    "What happens in the store to a request whose visitor has closed the connection?",
    faults=(PAYMENTS,),
    seconds=12,
)
