"""One run of Locust in this process, with its statistics and the raw times of the same requests."""

from collections.abc import Sequence
from dataclasses import dataclass

import gevent
from locust import FastHttpUser, User
from locust.env import Environment
from locust.stats import StatsEntry
from recording.request_log import RecordedRequest, as_request


@dataclass(frozen=True)
class LocustRun:
    """A run that has ended.

    Args:
        environment: of Locust, with the statistics.
        requests: the same requests with their raw times.
    """

    environment: Environment
    requests: Sequence[RecordedRequest]

    @property
    def total(self) -> StatsEntry:
        """Return Locust's statistics of all requests."""
        return self.environment.stats.total

    def times_ms(self, name: str) -> list[float]:
        """Return the raw times of a method and route."""
        return [request.ms for request in self.requests if request.name == name]


class StockClient(FastHttpUser):
    """Locust's own client with its own defaults."""

    abstract = True


def run_locust(
    users: Sequence[type[User]], host: str, count: int, seconds: float, stop_timeout_s: float = 0.0
) -> LocustRun:
    """Run Locust.

    Args:
        users: classes; their weights share the count.
        host: of the server.
        count: number of users; all start at once.
        seconds: until the end of the run; sooner if all users have stopped by themselves.
        stop_timeout_s: time for requests in progress at the end; Locust's default is none.
    """
    environment = Environment(user_classes=list(users), host=host, stop_timeout=stop_timeout_s)
    requests: list[RecordedRequest] = []

    def record(
        request_type: str,
        name: str,
        response_time: float,
        start_time: float,
        exception: BaseException | None = None,
        **_: object,
    ) -> None:
        requests.append(as_request(request_type, name, response_time, start_time, exception))

    environment.events.request.add_listener(record)
    runner = environment.create_local_runner()
    runner.start(count, spawn_rate=count)
    gevent.joinall([runner.spawning_greenlet])
    runner.user_greenlets.join(timeout=seconds)
    runner.quit()
    gevent.sleep(0)
    return LocustRun(environment, requests)
