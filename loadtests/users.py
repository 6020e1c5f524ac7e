"""Locust's users: the visitors of the store.

Three kinds of visitors in a closed loop: each waits for a page, thinks, and opens the next page. The weights follow the
funnel that retailers commonly report: of a hundred visits, about ten put a product into a cart, and two or three buy.
The weights are an assumption; replace them with the figures of your own shop.

:class:`OpenLoop` is not a visitor but a rate: visits follow a schedule that does not depend on the store's answers.
"""

import itertools
import logging
import random
import time
import uuid
from collections.abc import Sequence

from locust import FastHttpUser, constant, task
from locust.env import Environment
from locust.exception import StopUser
from sessions import TIMEOUT_S, CountingSession, SingleAttemptPool

from shop.lab import pacing
from shop.lab.arrivals import ZipfDistribution, arrival_times, think_time
from shop.lab.load import LAG_LIMIT_MS
from shop.lab.loopback import check_loopback
from shop.lab.statistics import percentile
from shop.lab.store_client import StoreClient

PRODUCTS = 500
"""Number of popular products that are visited; the rest of the catalogue is rarely visited."""
THINK_MEDIAN_S = 3.0
THINK_SPREAD = 0.8
"""Standard deviation of the logarithm: one in ten stays on a page for more than 8 s."""
SEARCHES = ("blue", "wood", "small", "gift", "cotton")
PAGES_BROWSED = (2, 6)
ADDRESS = {"name": "A Shopper", "line1": "1 Market Street", "city": "Dublin", "postcode": "D01", "country": "IE"}

_log = logging.getLogger(__name__)


class Assortment:
    """The products and categories of the store, fetched once at the start of a test."""

    products: ZipfDistribution[str] | None = None
    categories: Sequence[str] = ()

    @classmethod
    def fetch(cls, host: str, exponent: float) -> None:
        """Fetch products and categories from the store.

        Raises:
            ConfigurationError: the host is not this machine, or has no products.
            ServiceUnavailable: the store does not answer.
        """
        store = StoreClient(host)
        try:
            cls.products = ZipfDistribution(store.products(PRODUCTS), exponent)
            cls.categories = store.categories()
        finally:
            store.close()


class LoopbackUser(FastHttpUser):
    """A client of a store on this machine. It sends each request once and counts it, also if the run ends before."""

    abstract = True
    connection_timeout = network_timeout = TIMEOUT_S

    def __init__(self, environment: Environment) -> None:
        self.client_pool = SingleAttemptPool(
            concurrency=self.concurrency, connection_timeout=TIMEOUT_S, network_timeout=TIMEOUT_S
        )
        super().__init__(environment)
        self.client = CountingSession(
            check_loopback(self.host or ""), environment.events.request, user=self, client_pool=self.client_pool
        )


class Person(LoopbackUser):
    """A visitor with a browser. Each task is the visit of a new guest."""

    abstract = True
    think_median_s = THINK_MEDIAN_S
    pause_s = 0.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.rng = random.Random()

    def wait_time(self) -> float:
        """Return the time on a page; there is no pause between the visits of two guests."""
        return self.pause_s

    def open_page(self, path: str, name: str) -> None:
        """Open a page with its private request, as a browser does, and stay on it."""
        self.client.get(path, name=name)
        self.client.get("/api/v1/me", name="/api/v1/me")
        self.think()

    def think(self) -> None:
        """Stay on the page for a random time. No request runs meanwhile, so the run may end."""
        self.pause_s = think_time(self.think_median_s, THINK_SPREAD, self.rng)
        self.wait()
        self.pause_s = 0.0

    def browse(self) -> str:
        """Open some pages; return the slug of the last product."""
        self.client.cookiejar.clear()
        self.open_page("/", "/")
        self.open_page(f"/c/{self.rng.choice(Assortment.categories)}", "/c/[category]")
        if self.rng.random() < 0.3:
            self.open_page(f"/search?q={self.rng.choice(SEARCHES)}", "/search?q=[words]")
        slug = ""
        for _ in range(self.rng.randint(*PAGES_BROWSED)):
            slug = self.choose_product()
            self.open_page(f"/p/{slug}", "/p/[product]")
        return slug

    def choose_product(self) -> str:
        """Choose a product by popularity."""
        if Assortment.products is None:
            raise StopUser
        return Assortment.products.choose(self.rng)

    def add_to_cart(self, slug: str) -> bool:
        """Put a piece into the cart; return whether the store had one."""
        item = {"product": slug, "quantity": 1}
        with self.client.post("/api/v1/cart/items", json=item, catch_response=True) as response:
            if response.status_code == 409:  # sold out is a correct answer
                response.success()
            return bool(response.status_code < 400)


class Browser(Person):
    """Opens pages and leaves."""

    weight = 87

    @task
    def visit(self) -> None:
        """Open some pages."""
        self.browse()


class Shopper(Person):
    """Fills a cart and leaves it."""

    weight = 10

    @task
    def visit(self) -> None:
        """Open some pages and add the last product to the cart."""
        self.add_to_cart(self.browse())
        self.open_page("/cart", "/cart")


class Buyer(Person):
    """Buys as a guest."""

    weight = 3

    @task
    def visit(self) -> None:
        """Open some pages, add the last product to the cart, and check out."""
        if not self.add_to_cart(self.browse()):
            return
        self.open_page("/cart", "/cart")
        self.open_page("/checkout", "/checkout")
        order = {"email": f"load-{uuid.uuid4().hex[:8]}@shop.test", "address": ADDRESS, "payment": {"token": "tok_ok"}}
        key = {"Idempotency-Key": str(uuid.uuid4())}
        with self.client.post("/api/v1/checkout", json=order, headers=key, catch_response=True) as response:
            if response.status_code == 409:  # another shopper got the last piece
                response.success()


class OpenLoop(LoopbackUser):
    """Visits product screens at a rate that does not wait for answers; each latency counts from its due time."""

    abstract = True
    fixed_count = 1
    concurrency = 128
    """Most visits at a time."""
    rate = 20.0
    """Visits a second."""
    wait_time = constant(0)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.pace = pacing.LoadPace()
        self.ending = False
        environment.events.test_stopping.add_listener(self._end)

    @task
    def offer(self) -> None:
        """Follow the schedule until the end of the run, then wait for the running visits."""
        due_times = arrival_times("poisson", self.rate, float("inf"), random.Random())
        until_end = itertools.takewhile(lambda _: not self.ending, due_times)
        pacing.open_loop(until_end, self.fetch_screen, concurrency=self.concurrency, pace=self.pace)

    def _end(self, **_: object) -> None:
        self.ending = True

    def fetch_screen(self, due: float) -> None:
        """Fetch one product screen."""
        if Assortment.products is None:
            raise StopUser
        slug = Assortment.products.choose(random.Random())
        path = "/api/v1/screens/product"
        with self.client.get(f"{path}/{slug}", name=f"{path}/[product]", catch_response=True) as response:
            response.request_meta["response_time"] = (time.perf_counter() - due) * 1000

    def on_stop(self) -> None:
        """Log whether the generator kept the schedule."""
        if not self.pace.lags_s:
            return
        lag_ms, unfinished = percentile(self.pace.lags_s, 95) * 1000, self.pace.offered - self.pace.finished
        kept = "kept" if lag_ms <= LAG_LIMIT_MS else "NOT kept: the generator was the bottleneck, no figure is valid"
        _log.info("schedule %s (95%% released within %.1f ms); %d visits unfinished", kept, lag_ms, unfinished)
