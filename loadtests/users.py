"""Who visits the store, for Locust.

Three kinds of people, closed loop: each waits for a page, thinks, and clicks on. Weights follow the funnel that
retailers commonly report: of a hundred visits about ten put something into a cart and two to three buy. They are an
assumption, to be replaced by your own shop's.

:class:`OpenLoop` is no person but a rate: visits arrive by a schedule, whatever the store does.
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
"""The head of the catalogue, by popularity; the tail is hardly ever seen."""
THINK_MEDIAN_S = 3.0
THINK_SPREAD = 0.8
"""Standard deviation of the logarithm: one in ten looks for more than 8 s."""
SEARCHES = ("blue", "wood", "small", "gift", "cotton")
PAGES_BROWSED = (2, 6)
ADDRESS = {"name": "A Shopper", "line1": "1 Market Street", "city": "Dublin", "postcode": "D01", "country": "IE"}

_log = logging.getLogger(__name__)


class Assortment:
    """What there is to look at, fetched once when a test starts."""

    products: ZipfDistribution[str] | None = None
    categories: Sequence[str] = ()

    @classmethod
    def fetch(cls, host: str, exponent: float) -> None:
        """Ask the store what it sells.

        Raises:
            ConfigurationError: the host is not this machine, or sells nothing.
            ServiceUnavailable: the store does not answer.
        """
        store = StoreClient(host)
        try:
            cls.products = ZipfDistribution(store.products(PRODUCTS), exponent)
            cls.categories = store.categories()
        finally:
            store.close()


class LoopbackUser(FastHttpUser):
    """A client of a store on this machine: each request is sent once, and counted also if the run ends before it."""

    abstract = True
    connection_timeout = network_timeout = TIMEOUT_S

    def __init__(self, environment: Environment) -> None:
        self.client_pool = SingleAttemptPool(
            concurrency=self.concurrency, connection_timeout=TIMEOUT_S, network_timeout=TIMEOUT_S
        )
        super().__init__(environment)
        self.client = CountingSession(
            check_loopback(self.host), environment.events.request, user=self, client_pool=self.client_pool
        )


class Person(LoopbackUser):
    """Somebody at a browser. Each task is one visit, by a new guest."""

    abstract = True
    think_median_s = THINK_MEDIAN_S
    pause_s = 0.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.chance = random.Random()

    def wait_time(self) -> float:
        """Return how long they look at a page; a visit ends where the next guest's begins."""
        return self.pause_s

    def look(self, path: str, name: str) -> None:
        """Open a page as a browser does, its private call included, and read it."""
        self.client.get(path, name=name)
        self.client.get("/api/v1/me", name="/api/v1/me")
        self.think()

    def think(self) -> None:
        """Look at what came, for as long as people do. A run may end meanwhile: nothing is under way."""
        self.pause_s = think_time(self.think_median_s, THINK_SPREAD, self.chance)
        self.wait()
        self.pause_s = 0.0

    def browse(self) -> str:
        """Look around; return the slug of the product looked at last."""
        self.client.cookiejar.clear()
        self.look("/", "/")
        self.look(f"/c/{self.chance.choice(Assortment.categories)}", "/c/[category]")
        if self.chance.random() < 0.3:
            self.look(f"/search?q={self.chance.choice(SEARCHES)}", "/search?q=[words]")
        slug = ""
        for _ in range(self.chance.randint(*PAGES_BROWSED)):
            slug = self.product()
            self.look(f"/p/{slug}", "/p/[product]")
        return slug

    def product(self) -> str:
        """Choose a product by popularity."""
        if Assortment.products is None:
            raise StopUser
        return Assortment.products.choose(self.chance)

    def add(self, slug: str) -> bool:
        """Put a piece into the cart; return whether there was one."""
        item = {"product": slug, "quantity": 1}
        with self.client.post("/api/v1/cart/items", json=item, catch_response=True) as answer:
            if answer.status_code == 409:  # sold out: the store is right to say so
                answer.success()
            return bool(answer.status_code < 400)


class Browser(Person):
    """Looks and leaves."""

    weight = 87

    @task
    def visit(self) -> None:
        """Look around."""
        self.browse()


class Shopper(Person):
    """Fills a cart and leaves it standing."""

    weight = 10

    @task
    def visit(self) -> None:
        """Look around and add what was seen last."""
        self.add(self.browse())
        self.look("/cart", "/cart")


class Buyer(Person):
    """Buys, as a guest."""

    weight = 3

    @task
    def visit(self) -> None:
        """Look around, add, and pay."""
        if not self.add(self.browse()):
            return
        self.look("/cart", "/cart")
        self.look("/checkout", "/checkout")
        order = {"email": f"load-{uuid.uuid4().hex[:8]}@shop.test", "address": ADDRESS, "payment": {"token": "tok_ok"}}
        key = {"Idempotency-Key": str(uuid.uuid4())}
        with self.client.post("/api/v1/checkout", json=order, headers=key, catch_response=True) as answer:
            if answer.status_code == 409:  # the last piece went to somebody else
                answer.success()


class OpenLoop(LoopbackUser):
    """Visits to product screens at a rate that does not wait for answers; latency counts from when each was due."""

    abstract = True
    fixed_count = 1
    concurrency = 128
    """Visits under way at once, at most."""
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
        """Offer the schedule until the run ends, then wait for what is under way."""
        moments = arrival_times("poisson", self.rate, float("inf"), random.Random())
        offered = itertools.takewhile(lambda _: not self.ending, moments)
        pacing.open_loop(offered, self.screen, concurrency=self.concurrency, pace=self.pace)

    def _end(self, **_: object) -> None:
        self.ending = True

    def screen(self, due: float) -> None:
        """Fetch one product screen."""
        if Assortment.products is None:
            raise StopUser
        slug = Assortment.products.choose(random.Random())
        path = "/api/v1/screens/product"
        with self.client.get(f"{path}/{slug}", name=f"{path}/[product]", catch_response=True) as answer:
            answer.request_meta["response_time"] = (time.perf_counter() - due) * 1000

    def on_stop(self) -> None:
        """Say whether the schedule was kept."""
        if not self.pace.lags_s:
            return
        lag, behind = percentile(self.pace.lags_s, 95) * 1000, self.pace.offered - self.pace.finished
        kept = "kept" if lag <= LAG_LIMIT_MS else "NOT kept: the generator was the bottleneck, believe no figure"
        _log.info("schedule %s (95%% released within %.1f ms); %d visits still waited", kept, lag, behind)
