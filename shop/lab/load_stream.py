"""A visible load: its seconds, as a process of its own reports them while it offers the load."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from shop.errors import ServiceUnavailable
from shop.lab.load import LoadPhase, ShopperVisit
from shop.lab.statistics import percentile
from shop.lab.store_client import StoreClient
from shop.lab.strict_model import StrictModel

LINE_EVERY_S = 1.0
DEFAULT_RATE = 40
"""Visits a second."""
DEFAULT_SECONDS = 60
PRODUCTS = 300
CONNECTIONS = 64
TIMEOUT_S = 5.0
SOURCE_NAMES = {
    "browser": "browser",
    "edge": "edge",
    "local": "local",
    "shared": "shared",
    "origin": "database",
}
"""Where a visit was answered, outermost first, and its name on the screen."""
SHOPPERS: Sequence[ShopperVisit] = (
    ShopperVisit(name="product", weight=6, paths=("/p/{product}",)),
    ShopperVisit(name="screen", weight=2, paths=("/api/v1/screens/product/{product}",)),
    ShopperVisit(name="category", weight=3, paths=("/c/{category}",)),
    ShopperVisit(name="home", weight=1, paths=("/",)),
)
"""Shoppers who look around: most visit a product."""


class LoadSecond(StrictModel):
    """The visits that were answered in one second."""

    second: int
    """From 1."""
    rate: float
    """Answered visits a second."""
    latencies_ms: list[float]
    """Of each visit, from the time at which it was due."""
    failed: int
    errors: dict[str, int]
    answered_by: dict[str, int]
    """Visits by source; see :data:`SOURCE_NAMES`."""

    def latency_ms(self, percent: float) -> float | None:
        """Return a percentile of the latencies; ``None`` if no visit was answered."""
        return percentile(self.latencies_ms, percent) if self.latencies_ms else None


def merge_seconds(seconds: Sequence[LoadSecond]) -> LoadSecond:
    """Return several seconds as one; its rate is the mean."""
    return LoadSecond(
        second=len(seconds),
        rate=sum(second.rate for second in seconds) / len(seconds) if seconds else 0.0,
        latencies_ms=[ms for second in seconds for ms in second.latencies_ms],
        failed=sum(second.failed for second in seconds),
        errors=dict(sum((Counter(second.errors) for second in seconds), Counter())),
        answered_by=dict(sum((Counter(second.answered_by) for second in seconds), Counter())),
    )


def shopping_load(store: StoreClient, rate: float, seconds: float, visits: Sequence[ShopperVisit]) -> LoadPhase:
    """Return the load of shoppers on a store.

    Args:
        store: a client of the store.
        rate: visits a second.
        seconds: how long.
        visits: what a shopper visits.

    Raises:
        ConfigurationError: the store has no products.
        ServiceUnavailable: the store does not answer.
    """
    return LoadPhase(
        base_url=store.base_url,
        mode="open",
        rate=rate,
        duration_s=seconds,
        concurrency=CONNECTIONS,
        timeout_s=TIMEOUT_S,
        visits=tuple(visits),
        products=store.products(PRODUCTS),
        categories=store.categories(),
    )


@contextmanager
def stream_load(phase: LoadPhase) -> Iterator[Iterator[LoadSecond]]:
    """Offer load from a process of its own during the block, and yield its seconds as they pass.

    The end of the block ends the load.

    Args:
        phase: the load; open loop.

    Raises:
        ServiceUnavailable: the generator failed.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "shop.lab.live_load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches the command, which then ends the load
    ) as process:
        assert process.stdin is not None  # noqa: S101 - as ordered above
        assert process.stdout is not None  # noqa: S101
        try:
            process.stdin.write(phase.model_dump_json() + "\n")
            process.stdin.close()
            yield _read_seconds(process, process.stdout)
        finally:
            process.kill()


def _read_seconds(process: "subprocess.Popen[str]", lines: IO[str]) -> Iterator[LoadSecond]:
    for line in lines:
        yield LoadSecond.model_validate_json(line)
    if process.wait() != 0:
        reason = process.stderr.read().strip().splitlines()[-1:] if process.stderr else []
        raise ServiceUnavailable(f"The load generator failed: {reason or process.returncode}")
