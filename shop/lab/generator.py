"""The load generator: reads a plan on stdin, offers it, writes the samples on stdout. A process of its own.

It keeps every latency: percentiles come from raw samples, once, at the end.
"""

import os
import random
import re
import sys
import time
from collections import Counter
from typing import Any

import gevent
import psutil
from geventhttpclient import HTTPClient

from shop.lab import pacing
from shop.lab.arrivals import Zipf, schedule
from shop.lab.hosts import check_loopback
from shop.lab.load import Plan, Samples, Visit
from shop.lab.statistics import percentile

_QUERIES = re.compile(r'desc="(\d+) quer')
_LAYERS = re.compile(r"shop-(edge|local|shared)\s*;\s*(hit)?")
ORPHAN_CHECK_S = 1.0


class Driver:
    """Makes visits and writes down what came of them.

    Args:
        plan: what to visit, and in which proportions.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._chance = random.Random(plan.seed)
        self._products = Zipf(plan.products or ("",), plan.exponent)
        self._categories = Zipf(plan.categories or ("",), plan.exponent)
        parts = max(max(len(visit.paths), len(visit.then)) for visit in plan.visits)
        self._client = HTTPClient.from_url(
            plan.base_url,
            concurrency=plan.concurrency * parts,
            connection_timeout=plan.timeout_s,
            network_timeout=plan.timeout_s,
        )
        self.latencies_ms: list[float] = []
        self.good: list[bool] = []
        self.calls = 0
        self.queries = 0
        self.lookups: dict[str, tuple[int, int]] = {}
        self.faults: Counter[str] = Counter()

    def visit(self, due: float) -> None:
        """Make one visit and note its latency from the moment it was due."""
        plan = self._plan
        kind = plan.visits[0] if len(plan.visits) == 1 else self._choose()
        product, category = self._products.pick(self._chance), self._categories.pick(self._chance)
        well = all(
            self._together([path.format(product=product, category=category) for path in stage])
            for stage in (kind.paths, kind.then)
        )
        self.latencies_ms.append((time.perf_counter() - due) * 1000)
        self.good.append(well)

    def give_up(self, visits: int) -> None:
        """Count visits that never came back: left out, they would make the slowest server look good."""
        if visits:
            self.faults["unanswered"] += visits
            self.latencies_ms += [self._plan.timeout_s * 1000] * visits
            self.good += [False] * visits

    def _choose(self) -> Visit:
        kinds = self._plan.visits
        return self._chance.choices(kinds, weights=[kind.weight for kind in kinds])[0]

    def _together(self, paths: list[str]) -> bool:
        if len(paths) < 2:  # no greenlet where nothing runs beside it
            return all(map(self._call, paths))
        parts = [gevent.spawn(self._call, path) for path in paths]
        gevent.joinall(parts)
        return all(part.value for part in parts)

    def _call(self, path: str) -> bool:
        self.calls += 1
        try:
            response = self._client.get(path)
            response.read()
        except Exception as error:  # noqa: BLE001 - whatever the network does is a result, not an accident
            self.faults[type(error).__name__] += 1
            return False
        self._note(response)
        if response.status_code >= 400:
            self.faults[str(response.status_code)] += 1
            return False
        return True

    def _note(self, response: Any) -> None:
        if found := _QUERIES.search(str(response.get("server-timing", ""))):
            self.queries += int(found.group(1))
        for layer, hit in _LAYERS.findall(str(response.get("cache-status", ""))):
            hits, seen = self.lookups.get(layer, (0, 0))
            self.lookups[layer] = (hits + bool(hit), seen + 1)


def offer(plan: Plan) -> Samples:
    """Offer one phase of load from this process and return what came back."""
    driver, process = Driver(plan), psutil.Process()
    before, began = process.cpu_times(), time.perf_counter()
    if plan.mode == "open":
        moments = schedule(plan.arrivals, plan.rate, plan.duration_s, random.Random(plan.seed))
        pace = pacing.open_loop(moments, driver.visit, concurrency=plan.concurrency, drain_s=plan.timeout_s)
    else:
        pace = pacing.closed_loop(plan.duration_s, driver.visit, clients=plan.concurrency, drain_s=plan.timeout_s)
    wall, after = time.perf_counter() - began, process.cpu_times()
    driver.give_up(pace.offered - len(driver.latencies_ms))
    return Samples(
        offered=pace.offered,
        seconds=plan.duration_s if plan.mode == "open" else wall,
        latencies_ms=driver.latencies_ms,
        good=driver.good,
        calls=driver.calls,
        queries=driver.queries,
        lookups=driver.lookups,
        faults=dict(driver.faults),
        cpu_share=(after.user + after.system - before.user - before.system) / wall,
        lag_p95_ms=percentile(pace.lags_s, 95) * 1000 if pace.lags_s else 0.0,
    )


def _end_with(parent: int) -> None:
    """Stop when the process that asked for the load is gone: nobody would read the samples."""
    while True:
        gevent.sleep(ORPHAN_CHECK_S)
        if os.getppid() != parent:
            os._exit(1)


def main() -> None:
    """Run the plan on stdin."""
    parent = os.getppid()
    plan = Plan.model_validate_json(sys.stdin.read())
    check_loopback(plan.base_url)
    gevent.spawn(_end_with, parent)
    sys.stdout.write(offer(plan).model_dump_json())


if __name__ == "__main__":
    main()
