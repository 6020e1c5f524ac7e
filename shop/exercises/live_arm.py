"""One arm of a live comparison: what its measurement may use, and what it records by itself."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import httpx

from shop.exercises.live import LiveComparison
from shop.exercises.measurements.own_products import screen_path, sell_products
from shop.exercises.open_load import CONCURRENCY, OpenLoad, offer_open_load
from shop.lab.guest_client import tls_context
from shop.lab.metrics_client import MetricsClient, sum_counter
from shop.lab.store_client import WARM_UP_THREADS, StoreClient

T = TypeVar("T")
RawResponse = tuple[int, dict[str, str], str]
"""Status, headers and body."""

REQUEST_TIMEOUT_S = 10.0
NO_ANSWER = 0
"""Status of a request without a response."""
SHOWN_BODY = 200
QUERIES = re.compile(r'desc="(\d+) quer')


@dataclass(frozen=True)
class LiveRequest:
    """One request of the load.

    Args:
        path: after the store's address.
        method: of HTTP.
        headers: of the request.
        body: sent as JSON; ``None``: no body.
        client: a guest's own client, with her cookies; by default a client without cookies.
    """

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    client: httpx.Client | None = None

    def __str__(self) -> str:
        """Return it as a message shows it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class LiveResponse:
    """One response of the load.

    Args:
        request: what was asked.
        status: of HTTP; :data:`NO_ANSWER` without a response.
        headers: of the response; their names in lower case.
        text: the body, or what went wrong.
        due_s: when the request was due, in seconds after the begin of the load.
        ms: milliseconds from the due time to the response.
    """

    request: LiveRequest
    status: int
    headers: Mapping[str, str]
    text: str
    due_s: float
    ms: float

    @property
    def has_failed(self) -> bool:
        """Return whether there is no response, or the store failed."""
        return self.status == NO_ANSWER or self.status >= 500

    @property
    def queries(self) -> int:
        """Return how many database queries the response took, by ``Server-Timing``."""
        match = QUERIES.search(self.header("server-timing"))
        return int(match[1]) if match else 0

    def header(self, name: str) -> str:
        """Return a header; empty if it is missing."""
        return self.headers.get(name.lower(), "")

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.text)


class LiveArm:
    """One arm: the store with its own code, or with the attempt, under load for some seconds.

    Args:
        store: a client of the store.
        comparison: what is measured.
        seconds: length of the load.
        number: of the arm, from 0.
    """

    def __init__(self, store: StoreClient, comparison: LiveComparison, seconds: float, number: int) -> None:
        self.store = store
        self.products = comparison.own_products
        self.rate = comparison.rate
        self.seconds = seconds
        self.number = number
        self.failed: list[LiveResponse] = []
        """The requests that failed."""
        self.lags_p95_ms: list[float] = []
        """Of each load, how late the generator released it."""

    @property
    def count(self) -> int:
        """Return how many requests the load has."""
        return max(1, round(self.rate * self.seconds))

    def in_turn(self, items: Sequence[T]) -> list[T]:
        """Return one item for each request of the load: the items in turn, again and again."""
        return [items[number % len(items)] for number in range(self.count)]

    def sell_products(self, slugs: Sequence[str] = (), on_hand: int = 0) -> None:
        """Sell the own products, or sell them again; afterwards, no cache has a response about them.

        Args:
            slugs: some of the own products; all by default.
            on_hand: pieces of each in stock.
        """
        sell_products(self.store, slugs or self.products, on_hand)

    def send(self, requests: Sequence[LiveRequest], burst: int = 1) -> list[LiveResponse]:
        """Send requests at the comparison's rate, by open arrivals; return the responses in the order of the requests.

        Args:
            requests: usually :attr:`count` of them.
            burst: so many are sent at the same time; the rate is the same.
        """
        limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
        options: Mapping[str, Any] = {"timeout": REQUEST_TIMEOUT_S, "trust_env": False, "verify": tls_context()}
        with closing(httpx.Client(base_url=self.store.base_url, limits=limits, **options)) as client:
            load = self.offer([partial(_send, client, request) for request in requests], burst)
        unanswered: RawResponse = (NO_ANSWER, {}, f"no response within {REQUEST_TIMEOUT_S:g} s")
        answered = zip(requests, load.results, load.due_s, load.latencies_ms, strict=True)
        responses = [
            LiveResponse(request, *(raw or unanswered), due_s=due_s, ms=ms) for request, raw, due_s, ms in answered
        ]
        self.failed += [response for response in responses if response.has_failed]
        return responses

    def offer(self, actions: Sequence[Callable[[], T]], burst: int = 1) -> OpenLoad[T]:
        """Run actions at the comparison's rate, by open arrivals.

        Args:
            actions: called in threads.
            burst: so many begin at the same time; the rate is the same.
        """
        load = offer_open_load(actions, self.rate, burst=burst, drain_s=REQUEST_TIMEOUT_S)
        self.lags_p95_ms.append(load.lag_p95_ms)
        return load

    def in_parallel(self, actions: Sequence[Callable[[], T]]) -> list[T]:
        """Run actions that are not measured, such as the filling of carts; return their results."""
        with ThreadPoolExecutor(WARM_UP_THREADS) as threads:
            return [future.result() for future in [threads.submit(action) for action in actions]]

    def counter(self, name: str, label: tuple[str, str] | None = None) -> float:
        """Return a counter of the store's metrics, over all web processes.

        Args:
            name: see ``metric_names``.
            label: only samples with this label and value.
        """
        with closing(MetricsClient(self.store)) as metrics:
            return sum_counter(metrics.scrape(), name, label)


def product_screen(slug: str) -> LiveRequest:
    """Return the request for all data of a product's screen, a cached response.

    Args:
        slug: of the product.
    """
    return LiveRequest(screen_path(slug))


def _send(client: httpx.Client, request: LiveRequest) -> RawResponse:
    try:
        response = (request.client or client).request(
            request.method, request.path, json=request.body, headers=dict(request.headers)
        )
    except httpx.HTTPError as error:
        return NO_ANSWER, {}, f"no response ({type(error).__name__})"
    return response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.text
