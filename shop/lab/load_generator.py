"""The load generator: reads a plan on stdin, offers it, writes the samples on stdout. A process of its own.

It keeps every latency: percentiles come from raw samples, once, at the end.
"""

import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import psutil
from geventhttpclient import HTTPClient

from shop.lab import pacing
from shop.lab.arrivals import ZipfDistribution, arrival_times
from shop.lab.cache_status import lookups, who_answered
from shop.lab.load import LoadPhase, LoadSamples, ShopperVisit
from shop.lab.loopback import check_loopback
from shop.lab.statistics import percentile

_QUERIES = re.compile(r'desc="(\d+) quer')
_MAX_AGE = re.compile(r"max-age=(\d+)")
ORPHAN_CHECK_S = 1.0


class SimulatedBrowser:
    """One shopper's browser: keeps what it was sent, and asks whether it still holds (RFC 9111, the private part)."""

    def __init__(self) -> None:
        self._stored: dict[str, tuple[str, float]] = {}

    def is_fresh(self, path: str, now: float) -> bool:
        """Tell whether a copy may be shown without asking anybody."""
        return path in self._stored and now < self._stored[path][1]

    def conditional_headers(self, path: str) -> dict[str, str]:
        """Return the headers that ask whether a copy still holds."""
        return {"If-None-Match": self._stored[path][0]} if path in self._stored else {}

    def store(self, path: str, response: Any, now: float) -> None:
        """Note what an answer allows."""
        control, validator = str(response.get("cache-control", "")), response.get("etag")
        if "no-store" in control or not validator:
            self._stored.pop(path, None)
            return
        lifetime = _MAX_AGE.search(control)
        age = int(str(response.get("age", "0")) or 0)
        self._stored[path] = (str(validator), now + max(0, int(lifetime[1]) - age) if lifetime else now)


class LoadGenerator:
    """Makes visits and writes down what came of them.

    Args:
        plan: what to visit, and in which proportions.
    """

    def __init__(self, plan: LoadPhase) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._products = ZipfDistribution(plan.products or ("",), plan.exponent)
        self._categories = ZipfDistribution(plan.categories or ("",), plan.exponent)
        self._unknowns = ZipfDistribution(range(plan.unknowns), plan.exponent)
        self._browsers = [SimulatedBrowser() for _ in range(plan.browsers)]
        parts = max(max(len(visit.paths), len(visit.then)) for visit in plan.visits)
        self._client = HTTPClient.from_url(
            plan.base_url,
            concurrency=plan.concurrency * parts,
            connection_timeout=plan.timeout_s,
            network_timeout=plan.timeout_s,
        )
        self.latencies_ms: list[float] = []
        self.succeeded: list[bool] = []
        self.calls = 0
        self.queries = 0
        self.lookups: dict[str, tuple[int, int]] = {}
        self.errors: Counter[str] = Counter()
        self.answer_counts: Counter[str] = Counter()
        self.began = time.perf_counter()
        self.due_s: list[float] = []
        self.answered_by: list[str] = []

    def visit(self, due: float) -> None:
        """Make one visit and note its latency from the moment it was due."""
        plan = self._plan
        kind = plan.visits[0] if len(plan.visits) == 1 else self._choose()
        product, category = self._products.choose(self._chance), self._categories.choose(self._chance)
        unknown = f"there-is-no-{self._unknowns.choose(self._chance)}" if "{unknown}" in kind.paths[0] else ""
        browser = self._chance.choice(self._browsers) if self._browsers else None
        answered: list[str] = []
        well = all(
            self._call_concurrently(
                [path.format(product=product, category=category, unknown=unknown) for path in stage],
                partial(self._call, kind, browser, answered),
            )
            for stage in (kind.paths, kind.then)
        )
        self.latencies_ms.append((time.perf_counter() - due) * 1000)
        self.succeeded.append(well)
        self.due_s.append(round(due - self.began, 4))
        self.answered_by.append(answered[-1] if well and answered else "")

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def think(self, mean_s: float) -> float:
        """Return how long a client pauses before its next visit, in seconds."""
        return self._chance.expovariate(1 / mean_s)

    def add_unanswered(self, visits: int) -> None:
        """Count visits that never came back: left out, they would make the slowest server look good."""
        if visits:
            self.errors["unanswered"] += visits
            self.latencies_ms += [self._plan.timeout_s * 1000] * visits
            self.succeeded += [False] * visits
            self.due_s += [0.0] * visits
            self.answered_by += [""] * visits

    def _choose(self) -> ShopperVisit:
        kinds = self._plan.visits
        return self._chance.choices(kinds, weights=[kind.weight for kind in kinds])[0]

    def _call_concurrently(self, paths: list[str], call: Callable[[str], bool]) -> bool:
        if len(paths) < 2:  # no greenlet where nothing runs beside it
            return all(map(call, paths))
        parts = [gevent.spawn(call, path) for path in paths]
        gevent.joinall(parts)
        return all(part.value for part in parts)

    def _call(self, kind: ShopperVisit, browser: SimulatedBrowser | None, answered: list[str], path: str) -> bool:
        if browser is not None and browser.is_fresh(path, time.perf_counter()):
            self.answer_counts["browser"] += 1
            answered.append("browser")
            return True
        self.calls += 1
        try:
            response = self._client.get(path, headers=browser.conditional_headers(path) if browser else {})
            response.read()
        except Exception as error:  # noqa: BLE001 - whatever the network does is a result, not an accident
            self.errors[type(error).__name__] += 1
            return False
        status = response.status_code
        who = self._record_headers(status, response)
        if status != kind.expect if kind.expect else status >= 400:
            self.errors[str(status)] += 1
            return False
        if browser is not None:
            browser.store(path, response, time.perf_counter())
        self.answer_counts[who] += 1
        answered.append(who)
        return True

    def _record_headers(self, status: int, response: Any) -> str:
        if found := _QUERIES.search(str(response.get("server-timing", ""))):
            self.queries += int(found.group(1))
        told = str(response.get("cache-status", ""))
        who = who_answered(status, told)
        for layer, hit in lookups(told):
            if who == "edge" and layer != "edge":
                continue  # what was looked up when the kept answer was made is no look-up of this call
            hits, seen = self.lookups.get(layer, (0, 0))
            self.lookups[layer] = (hits + bool(hit), seen + 1)
        return who


def generate_load(plan: LoadPhase) -> LoadSamples:
    """Offer one phase of load from this process and return what came back."""
    driver, process = LoadGenerator(plan), psutil.Process()
    if plan.begin_at is not None:
        gevent.sleep(max(0.0, plan.begin_at - time.monotonic()))
    driver.began = time.perf_counter()
    before, began = process.cpu_times(), time.perf_counter()
    if plan.mode == "open":
        moments = arrival_times(plan.arrivals, plan.rate, plan.duration_s, random.Random(plan.seed))
        pace = pacing.open_loop(moments, driver.visit, concurrency=plan.concurrency, drain_s=plan.timeout_s)
    else:
        think = partial(driver.think, plan.think_s) if plan.think_s else None
        pace = pacing.closed_loop(
            plan.duration_s,
            driver.visit,
            clients=plan.concurrency,
            drain_s=plan.timeout_s,
            think=think,
            every_s=plan.concurrency / plan.ceiling_rps if plan.ceiling_rps else 0.0,
        )
    wall, after = time.perf_counter() - began, process.cpu_times()
    driver.add_unanswered(pace.offered - len(driver.latencies_ms))
    driver.close()
    return LoadSamples(
        offered=pace.offered,
        seconds=plan.duration_s if plan.mode == "open" else wall,
        latencies_ms=driver.latencies_ms,
        succeeded=driver.succeeded,
        calls=driver.calls,
        queries=driver.queries,
        lookups=driver.lookups,
        errors=dict(driver.errors),
        cpu_share=(after.user + after.system - before.user - before.system) / wall,
        release_lag_p95_ms=percentile(pace.lags_s, 95) * 1000 if pace.lags_s else 0.0,
        answer_counts=dict(driver.answer_counts),
        due_s=driver.due_s,
        answered_by=driver.answered_by,
    )


def _exit_with_parent(parent: int) -> None:
    """Stop when the process that asked for the load is gone: nobody would read the samples."""
    while True:
        gevent.sleep(ORPHAN_CHECK_S)
        if os.getppid() != parent:
            os._exit(1)


def main() -> None:
    """Run the plan on stdin."""
    parent = os.getppid()
    plan = LoadPhase.model_validate_json(sys.stdin.read())
    check_loopback(plan.base_url)
    gevent.spawn(_exit_with_parent, parent)
    sys.stdout.write(generate_load(plan).model_dump_json())


if __name__ == "__main__":
    main()
