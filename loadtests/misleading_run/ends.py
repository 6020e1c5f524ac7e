"""Lost ends: a request that runs at the end is in no statistic, and the slowest requests are the likeliest to run."""

import time

import gevent
from locust import User, constant, task
from users import LoopbackUser

from .figures import MisleadingFigure, MisleadingWay
from .known_server import KnownServer
from .locust_run import LocustRun, StockClient, run_locust

VISITORS, SECONDS = 20, 3.0
HANGS_AFTER_S = 1.0
ANSWER_S, FOREVER_S = 0.1, 60.0
STOP_TIMEOUT_S = 0.5
"""Short, since the server never answers; our Locust files wait for 45 s."""


def show_ends() -> MisleadingWay:
    """Let a server hang after a second until the end of the run, with Locust's client and with ours."""
    figures = []
    for label, client, stop_timeout_s in (
        ("Locust's defaults", StockClient, 0.0),
        ("loadtests/", LoopbackUser, STOP_TIMEOUT_S),
    ):
        server, run = _run(client, stop_timeout_s)
        figures += [
            MisleadingFigure(f"{label}: requests", run.total.num_requests, server.read),
            MisleadingFigure(f"{label}: never answered", run.total.num_failures, server.read - len(server.times_s)),
        ]
        if client is StockClient:
            rate = MisleadingFigure(
                f"{label}: answers a second", round(run.total.total_rps, 1), round(len(server.times_s) / SECONDS, 1)
            )
            figures.append(rate)
    return MisleadingWay(
        "Lost ends, at a server that hangs after 1 s of 3 s",
        "server",
        figures,
        (
            "Instead: a `--stop-timeout` above the client's time-out, and a client that",
            "reports what it gives up, as `CountingSession` in loadtests/sessions.py does.",
        ),
    )


def _run(client: type[User], stop_timeout_s: float) -> tuple[KnownServer, LocustRun]:
    hangs_at = time.perf_counter() + HANGS_AFTER_S
    server = KnownServer(lambda number, path: ANSWER_S if time.perf_counter() < hangs_at else FOREVER_S)

    class HungVisitor(client):  # type: ignore[valid-type, misc]  # either client
        wait_time = constant(0)

        @task
        def visit(self) -> None:
            self.client.get("/")

    with server.running():
        run = run_locust([HungVisitor], server.url, VISITORS, SECONDS, stop_timeout_s)
        gevent.sleep(0)
    return server, run
