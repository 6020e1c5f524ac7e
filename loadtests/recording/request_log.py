"""The file of ``--record``: one line a request with its raw time, and exact percentiles of them.

Locust itself keeps no time: it counts requests in steps of 1, 10 or 100 ms, and its percentiles are steps.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from shop.lab.statistics import percentile

PERCENTS = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as its visitor saw it.

    Args:
        began: when it was sent, in seconds since 1970.
        name: method and route.
        ms: time until its answer, or until its failure; an open loop counts from the due time.
        failure: the reason; empty if it succeeded.
    """

    began: float
    name: str
    ms: float
    failure: str = ""


class RequestRecorder:
    """Receives Locust's request events. After :meth:`open`, it appends each to a file at once."""

    def __init__(self) -> None:
        self._file: IO[str] | None = None

    def open(self, path: Path) -> None:
        """Append the requests from now on to a file; several processes of one run may append to the same."""
        self.close()
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def close(self) -> None:
        """Record no further request."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __call__(
        self,
        request_type: str,
        name: str,
        response_time: float,
        start_time: float,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        """Record one request; Locust passes further arguments."""
        if self._file is not None:
            request = as_request(request_type, name, response_time, start_time, exception)
            self._file.write(json.dumps(asdict(request)) + "\n")


def as_request(
    method: str, route: str, ms: float, began: float, exception: BaseException | None = None
) -> RecordedRequest:
    """Return a request event of Locust as a record.

    Args:
        method: the HTTP method.
        route: the name in Locust's statistics.
        ms: the time that Locust measured.
        began: when the request was sent, in seconds since 1970.
        exception: the failure.
    """
    return RecordedRequest(began, f"{method} {route}", ms, str(exception) or repr(exception) if exception else "")


def read_requests(path: Path) -> list[RecordedRequest]:
    """Return the requests of a file, in the order of their ends."""
    with path.open(encoding="utf-8") as lines:
        return [RecordedRequest(**json.loads(line)) for line in lines]


def percentiles_ms(requests: Iterable[RecordedRequest]) -> list[float | None]:
    """Return the exact percentiles of :data:`PERCENTS`; ``None`` for each if there is no request."""
    times = [request.ms for request in requests]
    return [percentile(times, percent) if times else None for percent in PERCENTS]


def requests_table(requests: Sequence[RecordedRequest]) -> str:
    """Return a table of at most 80 columns: each route with its percentiles, and all together."""
    routes = sorted({request.name for request in requests})
    groups = {name: [request for request in requests if request.name == name] for name in routes}
    head = f"{'':<38}{'requests':>9}{'failed':>8}" + "".join(f"{f'p{percent} ms':>8}" for percent in PERCENTS)
    return "\n".join([head, *(_row(name, group) for name, group in {**groups, "all": requests}.items())])


def _row(name: str, requests: Sequence[RecordedRequest]) -> str:
    failed = sum(bool(request.failure) for request in requests)
    figures = "".join("" if ms is None else f"{ms:>8,.1f}" for ms in percentiles_ms(requests))
    return f"{name:<38.37}{len(requests):>9,}{failed:>8,}{figures}"
