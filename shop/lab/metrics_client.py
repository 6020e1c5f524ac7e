"""Client of the running store's Prometheus metrics.

The parent process of the web server serves the metrics port, so it answers even if every thread of the web processes
is occupied.
"""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx

from shop.errors import ServiceUnavailable
from shop.lab.store_client import StoreClient
from shop.patterns.observability import metric_names

IDLE_POLL_S = 0.1
SAMPLE_EVERY_S = 0.2
"""Each sample reads the files of every web process."""


class MetricsClient:
    """A client of the metrics port of a store on this machine.

    Args:
        store: asked once for the port.
    """

    def __init__(self, store: StoreClient) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{store.metrics_port()}", trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def value_of(self, name: str) -> float:
        """Return the sum of all samples of a metric.

        Raises:
            ServiceUnavailable: the metrics cannot be read, or the metric does not exist.
        """
        return sum_samples(self.scrape(), name)

    def scrape(self) -> str:
        """Return all metrics in Prometheus' text format.

        Raises:
            ServiceUnavailable: the metrics cannot be read.
        """
        try:
            return self._client.get("/metrics").text
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"The store's metrics cannot be read: {type(error).__name__}.") from None


def wait_idle(store: StoreClient, limit_s: float) -> None:
    """Wait until the store handles no request, also none whose client has left; at most so many seconds.

    Args:
        store: a client of the store.
        limit_s: a killed process may have left a count that never falls.
    """
    deadline = time.monotonic() + limit_s
    with closing(MetricsClient(store)) as metrics:
        while metrics.value_of(metric_names.HTTP_IN_FLIGHT) > 0 and time.monotonic() < deadline:
            time.sleep(IDLE_POLL_S)


@contextmanager
def sample_in_flight(store: StoreClient) -> Iterator[list[tuple[float, float]]]:
    """Sample, in a thread, how many requests the store is handling.

    Yields:
        The samples so far: time on the monotonic clock, and number of requests.
    """
    samples: list[tuple[float, float]] = []
    stopped = threading.Event()

    with closing(MetricsClient(store)) as metrics:

        def sample() -> None:
            while not stopped.wait(SAMPLE_EVERY_S):
                at = time.monotonic()
                try:
                    samples.append((at, metrics.value_of(metric_names.HTTP_IN_FLIGHT)))
                except ServiceUnavailable:
                    continue  # a missing sample does no harm

        thread = threading.Thread(target=sample, name="in-flight", daemon=True)
        thread.start()
        try:
            yield samples
        finally:
            stopped.set()
            thread.join()


def sum_samples(text: str, name: str) -> float:
    """Add up the samples of a metric in Prometheus' text format.

    Raises:
        ServiceUnavailable: the text has no sample of it.
    """
    values = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    if not values:
        raise ServiceUnavailable(f"The store has no metric {name}. Is the store older than this lab?")
    return sum(map(float, values))


def sum_counter(text: str, name: str, label: tuple[str, str] | None = None) -> float:
    """Add up the samples of a counter; 0 if it has no sample, since a counter with labels begins with its first count.

    Args:
        text: in Prometheus' text format.
        name: of the counter.
        label: only samples with this label and value.
    """
    samples = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", text, re.MULTILINE)
    matcher = f'{label[0]}="{label[1]}"' if label else ""
    return sum(float(value) for labels, value in samples if matcher in labels)
