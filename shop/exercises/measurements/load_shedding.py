"""The measurement of the exercise ``load-shedding``: how many requests wait while crawlers are refused."""

import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from urllib.parse import urlsplit

from shop.exercises.measurements import StoreMeasurement
from shop.exercises.measurements.own_products import own_slugs, page_path, sell_products
from shop.exercises.verdict import CannotJudge
from shop.faults import NONE
from shop.lab.drivers.crowd import guests_with_carts
from shop.lab.guest_client import GuestClient
from shop.lab.metrics_client import MetricsClient, sum_counter
from shop.lab.store_client import StoreClient
from shop.patterns.observability import metric_names

PRODUCTS = own_slugs("load-shedding", 1)
PAYMENTS = "payments"
PROCESSES, THREADS = 2, 8
BUYERS = 24
"""The processes share the checkouts by chance: more than one for each thread may be needed until all threads wait."""
CRAWLERS = 120
"""So many that each process gets more than may wait in it."""
HOLD_LIMIT_S = 2.5
"""The checkouts hold their threads for six seconds, and the others wait for at most four."""
STEP_S = 0.15
GAUGE_S = 0.5
"""The store sets the gauge of its queue every quarter of a second."""
ANSWER_S = 1.0


def count_waiting(store: StoreClient, seed: int) -> float:
    """Return how many requests wait for a thread while further crawlers are refused.

    Args:
        store: the running store.
        seed: not used; nothing is drawn.

    Raises:
        CannotJudge: the store has another number of processes, or its threads could not be held.
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
            before = _refused(metrics)
            with _requests_of_crawlers(store.base_url):
                time.sleep(GAUGE_S + ANSWER_S)
                waiting = metrics.value_of(metric_names.OVERLOAD_WAITING)
                refused = _refused(metrics) - before
        finally:
            numbers = [one.result() for one in checkouts]
            store.set_fault(PAYMENTS, NONE)
            for guest in guests:
                guest.cancel_orders()
    if any(numbers):
        raise CannotJudge("A checkout succeeded: is another payments provider configured?")
    if not refused:
        raise CannotJudge("No crawler was refused: the machine is too busy to send all requests at once.")
    return waiting


def hold_all_threads(
    metrics: MetricsClient, threads: ThreadPoolExecutor, guests: Sequence[GuestClient], checkouts: list[Future[str]]
) -> None:
    """Check out until every request thread waits for the provider."""
    deadline = time.monotonic() + HOLD_LIMIT_S
    waiting = iter(guests)
    checkouts.extend(threads.submit(next(waiting).check_out) for _ in range(PROCESSES * THREADS))
    while time.monotonic() < deadline:
        time.sleep(STEP_S)
        if metrics.value_of(metric_names.HTTP_IN_FLIGHT) >= PROCESSES * THREADS:
            return
        checkouts.extend(threads.submit(guest.check_out) for guest in islice(waiting, 1))
    raise CannotJudge("The checkouts did not hold all threads in time: the machine is too busy.")


def _refused(metrics: MetricsClient) -> float:
    """Return how many requests of crawlers were refused since the start because the queue was full."""
    lines = [line for line in metrics.scrape().splitlines() if 'priority="speculative"' in line]
    return sum_counter("\n".join(lines), metric_names.OVERLOAD_REFUSED, ("reason", "full"))


@contextmanager
def _requests_of_crawlers(base_url: str) -> Iterator[None]:
    """Send the requests at once, each on a connection of its own; close the connections at the end of the block."""
    address = urlsplit(base_url)
    request = (
        f"GET {page_path(PRODUCTS[0])} HTTP/1.1\r\nHost: {address.netloc}\r\nUser-Agent: exercise-bot/1.0\r\n"
        "Connection: close\r\n\r\n"
    ).encode()
    with ExitStack() as connections:
        for _ in range(CRAWLERS):
            connection = socket.create_connection((address.hostname, address.port), timeout=ANSWER_S)
            connections.enter_context(closing(connection))
            connection.sendall(request)
        yield


MEASUREMENT = StoreMeasurement(
    count_waiting,
    {
        "overload.shedding": "gradient",
        "overload.queue": "fifo",
        "cache.edge": "off",
        "payments.timeout": "on",
        "payments.retries": "off",
        "payments.breaker": "off",
    },
    PRODUCTS,
    f"{CRAWLERS} requests of a crawler while checkouts hold all threads of {PROCESSES} processes",
    "From how many waiting requests on does a process refuse a crawler, and how many processes are there?",
    faults=(PAYMENTS,),
    seconds=12,
)
