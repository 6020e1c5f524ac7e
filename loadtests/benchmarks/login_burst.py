"""Measures the latency of shoppers during a burst of log-ins.

    .venv/bin/python loadtests/benchmarks/login_burst.py [--log-ins 60] [--rounds 5] [--bursts 5]

A few clients request ``/api/v1/me`` of a logged-in shopper fifty times a second: once on an otherwise idle store, and
once during a burst of log-ins that are sent at the same time, until the last log-in is answered. The script prints the
median latency of the clients. Each latency counts from the due time of the request, so a client that still waits for
one answer already waits for the next. It prints the same for ``/livez``, and the statuses of the log-ins. The store
runs under gunicorn with its own settings, on servers that this script starts and stops. Exit code 1 if a shopper waits
more than 20 times longer, or a log-in is answered by anything but 200 or 429: nothing else says why it was refused.
"""

import argparse
import collections
import http.client
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing.pool import AsyncResult
from pathlib import Path

from arms import interleaved, show
from servers import serve

from shop.lab.statistics import percentile

EXPECTED_STATUSES = frozenset({http.client.OK, http.client.TOO_MANY_REQUESTS})
PROMISE = 20.0
"""The most that a shopper may wait during the burst, as a multiple of the wait without one."""
SHOPPERS = 4
EVERY_S = 0.08
"""Interval between two requests of a shopper."""
CREDENTIALS = {"email": "shopper@shop.test", "password": "let-me-shop"}
QUIET_S = 1.0
TIMEOUT_S = 60
LEAD_S = 0.1
"""Time between the announcement of the begin and the begin."""
JSON = {"Content-Type": "application/json"}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log-ins", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bursts", type=int, default=5)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-burst-")))
        home.chmod(0o755)
        port = serve(stack, home, "s").port
        cookie = _log_in(port)
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(1))
        statuses: collections.Counter[int] = collections.Counter()

        def burst(path: str) -> float:
            latencies_ms = []
            for _ in range(arguments.bursts):
                begin = time.monotonic() + LEAD_S
                sent = pool.apply_async(_burst, (port, arguments.log_ins, begin))
                latencies_ms += _request_at_intervals(port, path, cookie, begin, partial(_is_running, sent))
                statuses.update(sent.get())
            return percentile(latencies_ms, 50)

        def quiet(path: str) -> float:
            begin = time.monotonic() + LEAD_S
            return percentile(
                _request_at_intervals(port, path, cookie, begin, lambda: time.monotonic() < begin + QUIET_S), 50
            )

        ratios = [
            show(
                f"GET {path}, {SHOPPERS} clients, p50",
                "ms",
                interleaved(
                    {
                        f"{arguments.log_ins} log-ins at once": partial(burst, path),
                        "no log-ins": partial(quiet, path),
                    },
                    arguments.rounds,
                ),
            )
            for path in ("/api/v1/me", "/livez")
        ]
        print("statuses of log-ins: " + ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items())))
    print(f"promised at most {PROMISE:g} times: {'kept' if ratios[0] <= PROMISE else 'BROKEN'}")
    unexpected = sorted(set(statuses) - EXPECTED_STATUSES)
    print(f"promised only 200 and 429: {f'BROKEN by {unexpected}' if unexpected else 'kept'}")
    return int(ratios[0] > PROMISE or bool(unexpected))


def _is_running(sent: AsyncResult[list[int]]) -> bool:
    return not sent.ready()


def _burst(port: int, log_ins: int, begin: float) -> list[int]:
    """Send so many log-ins at the same time, each on a connection of its own; return their statuses."""

    def log_in() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        connection.connect()
        time.sleep(max(0.0, begin - time.monotonic()))
        connection.request("POST", "/api/v1/session", json.dumps(CREDENTIALS), {**JSON, "Connection": "close"})
        status = connection.getresponse().status
        connection.close()
        return status

    with ThreadPoolExecutor(log_ins) as clients:
        return [future.result() for future in [clients.submit(log_in) for _ in range(log_ins)]]


def _request_at_intervals(
    port: int, path: str, cookie: str, begin: float, continues: Callable[[], bool]
) -> list[float]:
    """Request one path at fixed intervals from a given time; return each latency from its due time, in milliseconds."""
    latencies_ms: list[float] = []

    def shop(due: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        connection.connect()
        while continues():
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            latencies_ms.append((time.monotonic() - due) * 1000)
            due += EVERY_S
            if answer.status != http.client.OK:
                raise RuntimeError(f"{path}: {answer.status}")
        connection.close()

    shoppers = [threading.Thread(target=shop, args=(begin + EVERY_S * n / SHOPPERS,)) for n in range(SHOPPERS)]
    for shopper in shoppers:
        shopper.start()
    for shopper in shoppers:
        shopper.join()
    return latencies_ms


def _log_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("POST", "/api/v1/session", json.dumps(CREDENTIALS), JSON)
    answer = connection.getresponse()
    answer.read()
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


if __name__ == "__main__":
    sys.exit(main())
