"""Rounded percentiles: Locust counts times in steps, so a change can vanish, or look several times as large."""

from collections.abc import Sequence
from itertools import pairwise

from locust import User, constant, task

from shop.lab.statistics import percentile

from .figures import MisleadingFigure, MisleadingWay
from .known_server import KnownServer
from .locust_run import StockClient, run_locust

TIMES_MS = (1_015, 1_055, 1_125)
"""The first two lie on both sides of the border between two steps, the last two within one, with room for delays."""
VISITORS, SECONDS = 4, 3.4


def show_rounding() -> MisleadingWay:
    """Ask for answers after three known times, and compare the medians."""
    server = KnownServer(lambda number, path: int(path.strip("/")) / 1000)
    with server.running():
        users = [_visitor_of(f"/{ms}") for ms in TIMES_MS]
        run = run_locust(users, server.url, VISITORS * len(TIMES_MS), SECONDS, stop_timeout_s=2.0)
    locust = [run.environment.stats.get(f"/{ms}", "GET").get_response_time_percentile(0.5) for ms in TIMES_MS]
    actual = [percentile(run.times_ms(f"GET /{ms}"), 50) for ms in TIMES_MS]
    medians = [
        MisleadingFigure(f"median of answers after {ms:,} ms", reported, measured, "ms")
        for ms, reported, measured in zip(TIMES_MS, locust, actual, strict=True)
    ]
    changes = [
        MisleadingFigure(f"from {before:,} to {after:,} ms: change", _change(locust, at), _change(actual, at), "%")
        for at, (before, after) in enumerate(pairwise(TIMES_MS))
    ]
    return MisleadingWay(
        "Rounded percentiles",
        "client",
        [*medians, *changes],
        (
            "Instead: Locust with `--record FILE`, then loadtests/exact_percentiles.py FILE;",
            "or `bin/shop lab run`, which keeps every time.",
        ),
    )


def _visitor_of(path: str) -> type[User]:
    class PathVisitor(StockClient):
        wait_time = constant(0)

        @task
        def visit(self) -> None:
            self.client.get(path)

    PathVisitor.__name__ = f"Visitor{path.strip('/')}"  # Locust refuses two classes of one name
    return PathVisitor


def _change(figures: Sequence[float], at: int) -> float:
    return round(100 * (figures[at + 1] / figures[at] - 1), 1)
