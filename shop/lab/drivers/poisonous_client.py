"""A poisonous client: each of its requests is valid, and holds a request thread for seconds.

It checks out with a card for which the payments provider takes a second and a half. All requests come from one address,
so for the store they are one client. It sends more as long as the store has a free thread for it: the processes share
its requests by chance, and one of them may get most. The carts are filled before, and the orders are cancelled at the
end.
"""

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager

from shop.lab.drivers.crowd import PRODUCTS, SETUP_THREADS
from shop.lab.guest_client import GuestClient
from shop.lab.metrics_client import MetricsClient
from shop.lab.store_client import StoreClient
from shop.patterns.observability import metric_names
from shop.patterns.overload.lanes import LANES

SLOW_CARD = "tok_slow"
FIRST = 1.5
"""Of the threads that it can hold: so many requests at the begin."""
LOOK_EVERY_S = 0.15
"""Each look reads the files of every web process."""


class PoisonousClient:
    """The client, with a full cart for each request.

    Args:
        carts: guests with full carts, all from one address.
        threads: one for each of them, and one more.
        metrics: tell how many requests run.
    """

    def __init__(self, carts: Sequence[GuestClient], threads: ThreadPoolExecutor, metrics: MetricsClient) -> None:
        self._carts, self._threads, self._metrics = iter(carts), threads, metrics
        self._sent: list[Future[str]] = []
        self._is_ended = threading.Event()
        self._holding: Future[None] | None = None

    def hold_threads(self, picked: int, limit_s: float) -> bool:
        """Hold every thread that the client may use, and go on until :meth:`end` or until no cart is left.

        Args:
            picked: the lanes of a client, of :data:`LANES`.
            limit_s: seconds to wait until all are held.

        Returns:
            Whether they were.
        """
        target = round(self._metrics.value_of(metric_names.OVERLOAD_LIMIT) * picked / LANES)
        self._send(round(FIRST * target))
        are_held = threading.Event()
        self._holding = self._threads.submit(self._hold, target, are_held)
        return are_held.wait(limit_s)

    def end(self) -> int:
        """Send no more, and wait for all responses; return how many requests placed an order."""
        self._is_ended.set()
        if self._holding is not None:
            self._holding.result()
        return sum(bool(sent.result()) for sent in self._sent)

    def _send(self, count: int) -> None:
        self._sent += [
            self._threads.submit(cart.check_out, SLOW_CARD) for cart in itertools.islice(self._carts, max(0, count))
        ]

    def _hold(self, target: int, are_held: threading.Event) -> None:
        while not self._is_ended.wait(LOOK_EVERY_S):
            missing = target - round(self._metrics.value_of(metric_names.HTTP_IN_FLIGHT))
            if missing <= 0:
                are_held.set()
            self._send(missing)


@contextmanager
def poisonous_client(
    store: StoreClient, address: str, requests: int, slugs: Sequence[str] = ()
) -> Iterator[PoisonousClient]:
    """Yield a client that can send so many slow requests; cancel its orders at the end.

    Args:
        store: a client of the store, whose switch ``overload.shedding`` is ``off``.
        address: the address of the poisonous client.
        requests: how many.
        slugs: the products that it buys, in turn; by default popular ones.
    """
    products = slugs or store.products(PRODUCTS)
    carts = [GuestClient(store.base_url, address) for _ in range(requests)]
    with (
        closing(MetricsClient(store)) as metrics,
        ThreadPoolExecutor(SETUP_THREADS) as few,
        ThreadPoolExecutor(requests + 1) as threads,
    ):
        try:
            list(few.map(GuestClient.add_to_cart, carts, itertools.cycle(products)))
            client = PoisonousClient(carts, threads, metrics)
            try:
                yield client
            finally:
                client.end()
        finally:
            list(few.map(GuestClient.cancel_order, carts))
            for cart in carts:
                cart.close()
