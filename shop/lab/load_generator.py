"""The load generator, a process of its own: reads phases from stdin, offers the load, writes the samples to stdout.

It keeps every latency: percentiles are computed from the raw samples, once, at the end.
"""

import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import gevent
import psutil
from geventhttpclient import HTTPClient

from shop.lab import pacing
from shop.lab.arrivals import ZipfDistribution, arrival_times
from shop.lab.cache_status import answer_source, lookups, stale_word
from shop.lab.load import LoadPhase, LoadSamples, ShopperVisit
from shop.lab.loopback import check_loopback
from shop.lab.retrying_client import RetryingClient
from shop.lab.statistics import percentile

_QUERIES = re.compile(r'desc="(\d+) quer')
_MAX_AGE = re.compile(r"max-age=(\d+)")
PREFETCH_HEADERS: Mapping[str, str] = MappingProxyType({"Sec-Purpose": "prefetch"})
ORPHAN_CHECK_S = 1.0


class SimulatedBrowser:
    """The cache of one shopper's browser: stores responses and revalidates them (a private cache of RFC 9111)."""

    def __init__(self) -> None:
        self._stored: dict[str, tuple[str, float]] = {}

    def is_fresh(self, path: str, now: float) -> bool:
        """Tell whether a stored response may be shown without a request."""
        return path in self._stored and now < self._stored[path][1]

    def conditional_headers(self, path: str) -> dict[str, str]:
        """Return the headers that revalidate a stored response."""
        return {"If-None-Match": self._stored[path][0]} if path in self._stored else {}

    def store(self, path: str, response: Any, now: float) -> None:
        """Store the validator and the lifetime of a response, if the response may be stored."""
        control, validator = str(response.get("cache-control", "")), response.get("etag")
        if "no-store" in control or not validator:
            self._stored.pop(path, None)
            return
        lifetime = _MAX_AGE.search(control)
        age = int(str(response.get("age", "0")) or 0)
        self._stored[path] = (str(validator), now + max(0, int(lifetime[1]) - age) if lifetime else now)


class LoadGenerator:
    """Makes visits and records their outcome.

    Args:
        phase: the visits and their weights.
    """

    def __init__(self, phase: LoadPhase) -> None:
        self._phase = phase
        self._rng = random.Random(phase.seed)
        self._weights = [visit.weight for visit in phase.visits]
        self._products = ZipfDistribution(phase.products or ("",), phase.exponent)
        self._categories = ZipfDistribution(phase.categories or ("",), phase.exponent)
        self._unknowns = ZipfDistribution(range(phase.unknowns), phase.exponent)
        self._browsers = [SimulatedBrowser() for _ in range(phase.browsers)]
        parts = max(max(len(visit.paths), visit.hovered, len(visit.then)) for visit in phase.visits)
        self._client = HTTPClient.from_url(
            phase.base_url,
            concurrency=phase.concurrency * parts,
            connection_timeout=phase.timeout_s,
            network_timeout=phase.timeout_s,
        )
        self._retrying = RetryingClient(phase.retries, gevent.sleep) if phase.retries else None
        self.latencies_ms: list[float] = []
        self.succeeded: list[bool] = []
        self.calls = 0
        self.queries = 0
        self.lookups: dict[str, tuple[int, int]] = {}
        self.errors: Counter[str] = Counter()
        self.answer_counts: Counter[str] = Counter({"browser": 0} if phase.browsers else {})
        self.began = time.perf_counter()
        self.due_s: list[float] = []
        self.answered_by: list[str] = []
        self.stale_words: list[str] = []
        self._under_way: Counter[float] = Counter()

    def visit(self, due: float) -> None:
        """Make one visit and record its latency from its due time."""
        self._under_way[due] += 1
        visits = self._phase.visits
        visit = visits[0] if len(visits) == 1 else self._rng.choices(visits, weights=self._weights)[0]
        product, category = self._products.choose(self._rng), self._categories.choose(self._rng)
        unknown = f"there-is-no-{self._unknowns.choose(self._rng)}" if "{unknown}" in visit.paths[0] else ""
        browser = self._rng.choice(self._browsers) if self._browsers else None
        answers: list[tuple[str, str]] = []
        succeeded = all(
            self._call_concurrently(
                [path.format(product=product, category=category, unknown=unknown) for path in paths],
                partial(self._call_with_retries, partial(self._call, visit, browser, answers, headers)),
            )
            for paths, headers in (
                (visit.paths, {}),
                (self._pages_ahead(visit.hovered), PREFETCH_HEADERS),
                (visit.then, {}),
            )
        )
        self._under_way[due] -= 1
        self.latencies_ms.append((time.perf_counter() - due) * 1000)
        self.succeeded.append(succeeded)
        self.due_s.append(round(due - self.began, 4))
        source, stale = answers[-1] if succeeded and answers else ("", "")
        self.answered_by.append(source)
        self.stale_words.append(stale)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def think(self, mean_s: float) -> float:
        """Return how long a client pauses before its next visit, in seconds."""
        return self._rng.expovariate(1 / mean_s)

    def add_unanswered(self, visits: int) -> None:
        """Count unanswered visits: without them, the slowest server would have the best latencies."""
        if visits:
            self.errors["unanswered"] += visits
            self.latencies_ms += [self._phase.timeout_s * 1000] * visits
            self.succeeded += [False] * visits
            begun = sorted(round(due - self.began, 4) for due in self._under_way.elements())[:visits]
            self.due_s += begun + [self._phase.duration_s] * (visits - len(begun))  # the last ones did not begin
            self.answered_by += [""] * visits
            self.stale_words += [""] * visits

    def _pages_ahead(self, hovered: int) -> list[str]:
        """Return the pages of so many products, each another one, or of all products if there are fewer."""
        products: dict[str, None] = {}
        while len(products) < min(hovered, len(self._phase.products)):
            products[self._products.choose(self._rng)] = None
        return [f"/p/{product}" for product in products]

    def _call_concurrently(self, paths: list[str], call: Callable[[str], bool]) -> bool:
        if len(paths) < 2:  # one request needs no greenlet
            return all(map(call, paths))
        parts = [gevent.spawn(call, path) for path in paths]
        gevent.joinall(parts)
        return all(part.value for part in parts)

    def _call_with_retries(self, call: Callable[[str], bool], path: str) -> bool:
        if self._retrying is None:
            return call(path)
        return self._retrying.call(partial(call, path))

    def _call(
        self,
        visit: ShopperVisit,
        browser: SimulatedBrowser | None,
        answers: list[tuple[str, str]],
        headers: Mapping[str, str],
        path: str,
    ) -> bool:
        if browser is not None and browser.is_fresh(path, time.perf_counter()):
            self.answer_counts["browser"] += 1
            answers.append(("browser", ""))
            return True
        self.calls += 1
        conditional = browser.conditional_headers(path) if browser else {}
        try:
            response = self._client.get(path, headers={**conditional, **headers})
            response.read()
        except Exception as error:  # noqa: BLE001 - every network error is a result of the measurement
            self.errors[type(error).__name__] += 1
            return False
        status = response.status_code
        source = self._record_headers(status, response)
        if status != visit.expect if visit.expect else status >= 400:
            self.errors[str(status)] += 1
            return False
        if browser is not None:
            browser.store(path, response, time.perf_counter())
        self.answer_counts[source] += 1
        answers.append((source, stale_word(str(response.get("cache-status", "")))))
        return True

    def _record_headers(self, status: int, response: Any) -> str:
        if queries := _QUERIES.search(str(response.get("server-timing", ""))):
            self.queries += int(queries.group(1))
        cache_status = str(response.get("cache-status", ""))
        source = answer_source(status, cache_status)
        for layer, hit in lookups(cache_status):
            if source == "edge" and layer != "edge":
                continue  # these look-ups are older: they belong to the request that filled the edge
            hits, count = self.lookups.get(layer, (0, 0))
            self.lookups[layer] = (hits + bool(hit), count + 1)
        return source


def generate_load(phase: LoadPhase) -> LoadSamples:
    """Offer one phase of load from this process and return its samples."""
    generator, process = LoadGenerator(phase), psutil.Process()
    if phase.begin_at is not None:
        gevent.sleep(max(0.0, phase.begin_at - time.monotonic()))
    generator.began = time.perf_counter()
    before, began = process.cpu_times(), time.perf_counter()
    if phase.mode == "open":
        due_times = arrival_times(phase.arrivals, phase.rate, phase.duration_s, random.Random(phase.seed))
        pace = pacing.open_loop(due_times, generator.visit, concurrency=phase.concurrency, drain_s=phase.timeout_s)
    else:
        pace = pacing.closed_loop(
            phase.duration_s,
            generator.visit,
            clients=phase.concurrency,
            drain_s=phase.timeout_s,
            think=partial(generator.think, phase.think_s) if phase.think_s else None,
            every_s=phase.concurrency / phase.ceiling_rps if phase.ceiling_rps else 0.0,
        )
    wall_s, after = time.perf_counter() - began, process.cpu_times()
    generator.add_unanswered(pace.offered - len(generator.latencies_ms))
    generator.close()
    return LoadSamples(
        offered=pace.offered,
        seconds=phase.duration_s if phase.mode == "open" else wall_s,
        latencies_ms=generator.latencies_ms,
        succeeded=generator.succeeded,
        calls=generator.calls,
        queries=generator.queries,
        lookups=generator.lookups,
        errors=dict(generator.errors),
        cpu_share=(after.user + after.system - before.user - before.system) / wall_s,
        release_lag_p95_ms=percentile(pace.lags_s, 95) * 1000 if pace.lags_s else 0.0,
        lag_limit_ms=phase.lag_limit_ms,
        answer_counts=dict(generator.answer_counts),
        due_s=generator.due_s,
        answered_by=generator.answered_by,
        stale_words=generator.stale_words,
    )


def exit_with_parent(parent: int) -> None:
    """Exit when the parent process has ended, since no process would read the samples."""
    while True:
        gevent.sleep(ORPHAN_CHECK_S)
        if os.getppid() != parent:
            os._exit(1)


def main() -> None:
    """Run the phase that stdin describes; with ``--stay``, one phase a line until stdin ends."""
    parent = os.getppid()
    gevent.spawn(exit_with_parent, parent)
    for line in sys.stdin if "--stay" in sys.argv[1:] else [sys.stdin.read()]:
        phase = LoadPhase.model_validate_json(line)
        check_loopback(phase.base_url)
        sys.stdout.write(generate_load(phase).model_dump_json() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
