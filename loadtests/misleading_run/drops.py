"""Repeated drops: Locust's client repeats a request whose connection was dropped, and counts all attempts as one."""

from locust import User, constant, task
from locust.exception import StopUser
from users import LoopbackUser

from .figures import MisleadingFigure, MisleadingWay
from .known_server import DROP, KnownServer
from .locust_run import StockClient, run_locust

HALF, ALL = 100, 10
"""Requests of a visitor, at a server that drops every second one, and at one that drops all."""
LIMIT_S = 10.0


def show_drops() -> MisleadingWay:
    """Let a server drop connections, and compare the counts of both sides, with Locust's client and with ours."""
    figures = [
        *_count("Locust's client, half dropped", StockClient, HALF, every=2),
        *_count("Locust's client, all dropped", StockClient, ALL, every=1),
        *_count("the client of loadtests/, half dropped", LoopbackUser, HALF, every=2),
    ]
    return MisleadingWay(
        "Repeated drops",
        "server",
        figures,
        ("Instead: `LoopbackUser` in loadtests/users.py, of which all our visitors are.",),
    )


def _count(label: str, client: type[User], requests: int, every: int) -> list[MisleadingFigure]:
    """Send requests to a server that drops the first of each so many."""
    server = KnownServer(lambda number, path: DROP if number % every == every - 1 else 0.0)

    class DropVisitor(client):  # type: ignore[valid-type, misc]  # either client
        wait_time = constant(0)

        @task
        def visit(self) -> None:
            for _ in range(requests):
                self.client.get("/")
            raise StopUser

    with server.running():
        total = run_locust([DropVisitor], server.url, 1, LIMIT_S).total
    return [
        MisleadingFigure(f"{label}: requests", total.num_requests, server.read),
        MisleadingFigure(f"{label}: failures", total.num_failures, server.dropped),
    ]
