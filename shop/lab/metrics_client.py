"""What the store says of itself on its port for figures.

The web server's parent answers there, so it can be asked while every thread of the processes that serve is held.
"""

import re
import threading
import time
from typing import Self

import httpx

from shop.errors import ServiceUnavailable
from shop.lab.store_client import StoreClient
from shop.patterns.observability import metric_names

SAMPLE_EVERY_S = 0.2
"""Each look reads the files of every web process."""


class MetricsClient:
    """The figures of a store on this machine.

    Args:
        store: asked once, where they are.
    """

    def __init__(self, store: StoreClient) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{store.metrics_port()}", trust_env=False)

    def close(self) -> None:
        """Give back the connection."""
        self._client.close()

    def value_of(self, name: str) -> float:
        """Return the sum of everything of that name.

        Raises:
            ServiceUnavailable: it cannot be read, or there is no such figure.
        """
        return sum_samples(self.scrape(), name)

    def scrape(self) -> str:
        """Return all figures in Prometheus' text format.

        Raises:
            ServiceUnavailable: they cannot be read.
        """
        try:
            return self._client.get("/metrics").text
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"The store's figures cannot be read: {type(error).__name__}.") from None


class InFlightSampler:
    """Looks again and again, in a thread, how many requests are being answered.

    Args:
        store: whose.
    """

    def __init__(self, store: StoreClient) -> None:
        self._meters = MetricsClient(store)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="in-flight", daemon=True)
        self._seen: list[tuple[float, float]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, at: object) -> None:
        self._end.set()
        self._thread.join()
        self._meters.close()

    def between(self, since: float, until: float) -> list[float]:
        """Return what was seen between two moments of the monotonic clock."""
        return [count for at, count in self._seen if since <= at <= until]

    def _look(self) -> None:
        while not self._end.wait(SAMPLE_EVERY_S):
            at = time.monotonic()
            try:
                self._seen.append((at, self._meters.value_of(metric_names.HTTP_IN_FLIGHT)))
            except ServiceUnavailable:
                continue  # a look that is missing says nothing


def sum_samples(text: str, name: str) -> float:
    """Add up the samples of one name in Prometheus' text format.

    Raises:
        ServiceUnavailable: there is none.
    """
    values = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    if not values:
        raise ServiceUnavailable(f"The store shows no {name}: is it older than this?")
    return sum(map(float, values))


def sum_counter(text: str, name: str, label: tuple[str, str] | None = None) -> float:
    """Add up the samples of a counter; 0 where it has none, since a counter with labels begins with its first count.

    Args:
        text: in Prometheus' text format.
        name: of the counter.
        label: only samples with this label and value.
    """
    samples = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", text, re.MULTILINE)
    wanted = f'{label[0]}="{label[1]}"' if label else ""
    return sum(float(value) for labels, value in samples if wanted in labels)
