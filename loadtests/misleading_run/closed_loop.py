"""Closed loop: a visitor who waits for a stalled server sends nothing, so hardly a request shows the stall."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from locust import constant_pacing, task
from users import OpenLoop

from shop.lab.statistics import percentile

from .figures import MisleadingFigure, MisleadingWay
from .known_server import KnownServer
from .locust_run import StockClient, run_locust

VISITORS, EVERY_S, SECONDS = 10, 0.1, 5.0
RATE = VISITORS / EVERY_S
"""Requests a second of either loop, while the server answers at once."""
STALL_FROM_S, STALL_S = 1.5, 1.0
ANSWER_S, SLOW_MS = 0.005, 100.0
CLOSED, OPEN = "/closed", "/open"


class ClosedVisitor(StockClient):
    """Requests ten times a second, unless it still waits: Locust's pacing makes up for no missed turn."""

    wait_time = constant_pacing(EVERY_S)

    @task
    def visit(self) -> None:
        """Send one request."""
        self.client.get(CLOSED)


class OpenVisitor(OpenLoop):
    """Requests by a schedule, and counts each time from the moment at which it was due."""

    rate = RATE

    def fetch_screen(self, due: float) -> None:
        """Send one request."""
        with self.client.get(OPEN, catch_response=True) as response:
            response.request_meta["response_time"] = (time.perf_counter() - due) * 1000


def show_closed_loop() -> MisleadingWay:
    """Stall a server for a second under both loops at once, and compare their requests and percentiles."""
    stalls_at = time.perf_counter() + STALL_FROM_S

    def decide(number: int, path: str) -> float:
        left_s = stalls_at + STALL_S - time.perf_counter()
        return left_s if 0 < left_s < STALL_S else ANSWER_S

    server = KnownServer(decide)
    with server.running():
        run = run_locust([ClosedVisitor, OpenVisitor], server.url, VISITORS + 1, SECONDS, stop_timeout_s=2.0)
    closed, opened = (run.times_ms(f"GET {path}") for path in (CLOSED, OPEN))

    def compare(label: str, figure: Callable[[Sequence[float]], float], unit: str = "") -> MisleadingFigure:
        return MisleadingFigure(label, figure(closed), figure(opened), unit)

    return MisleadingWay(
        "Closed loop, at a server that stalls for 1 s of 5 s",
        "open loop",
        [
            compare("requests", len),
            compare("requests of more than 100 ms", lambda times: sum(ms > SLOW_MS for ms in times)),
            *(compare(f"p{percent}", partial(_percentile, percent), "ms") for percent in (50, 90, 95, 99)),
        ],
        ("Instead: loadtests/open_loop.py with `--rate`; or `bin/shop lab load`.",),
    )


def _percentile(percent: float, times: Sequence[float]) -> float:
    return round(percentile(times, percent), 1)
