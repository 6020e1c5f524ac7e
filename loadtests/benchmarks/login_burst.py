"""How long shoppers wait for their answers while a burst of log-ins comes in.

    .venv/bin/python loadtests/benchmarks/login_burst.py [--log-ins 60] [--rounds 5] [--bursts 5]

A signed-in shopper's ``/api/v1/me`` is asked fifty times a second by a few clients, once while nothing else happens and
once from the first of so many log-ins, sent at the same moment, until the last of them is answered. Printed is the
median of what the clients waited, each time from when they meant to ask: a client that is still waiting for the answer
before has begun to wait for the next. The same for ``/livez``, and what the log-ins were answered. The store runs under
gunicorn with its own settings, on servers this script starts and stops. Exit code 1 when a shopper waits more than 20
times longer.
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
from pathlib import Path

from arms import interleaved, show
from servers import serve

from shop.lab.statistics import percentile

PROMISE = 20.0
"""What a shopper may wait during the burst, at most, over what she waits without one."""
SHOPPERS = 4
EVERY_S = 0.08
"""From one question of a shopper to her next."""
SHOPPER = {"email": "shopper@shop.test", "password": "let-me-shop"}
QUIET_S = 1.0
TIMEOUT_S = 60
LEAD_S = 0.1
"""From telling the clients when to begin until they do."""
JSON = {"Content-Type": "application/json"}


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--log-ins", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bursts", type=int, default=5)
    asked = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-burst-")))
        home.chmod(0o755)
        port = serve(stack, home, "s").port
        cookie = _sign_in(port)
        crowd = stack.enter_context(multiprocessing.get_context("spawn").Pool(1))
        answered: collections.Counter[int] = collections.Counter()

        def burst(path: str) -> float:
            waited = []
            for _ in range(asked.bursts):
                begin = time.monotonic() + LEAD_S
                sent = crowd.apply_async(_burst, (port, asked.log_ins, begin))
                waited += _ask(port, path, cookie, begin, lambda sent=sent: not sent.ready())
                answered.update(sent.get())
            return percentile(waited, 50)

        def quiet(path: str) -> float:
            begin = time.monotonic() + LEAD_S
            return percentile(_ask(port, path, cookie, begin, lambda: time.monotonic() < begin + QUIET_S), 50)

        ratios = [
            show(
                f"GET {path}, {SHOPPERS} clients, p50",
                "ms",
                interleaved(
                    {
                        f"{asked.log_ins} log-ins at once": lambda path=path: burst(path),
                        "no log-ins": lambda path=path: quiet(path),
                    },
                    asked.rounds,
                ),
            )
            for path in ("/api/v1/me", "/livez")
        ]
        print("log-ins answered: " + ", ".join(f"{status}: {count}" for status, count in sorted(answered.items())))
    print(f"promised at most {PROMISE:g} times: {'kept' if ratios[0] <= PROMISE else 'BROKEN'}")
    return int(ratios[0] > PROMISE)


def _burst(port: int, log_ins: int, begin: float) -> list[int]:
    """Send so many log-ins at one moment, each on a connection of its own; return their statuses."""

    def log_in() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        connection.connect()
        time.sleep(max(0.0, begin - time.monotonic()))
        connection.request("POST", "/api/v1/session", json.dumps(SHOPPER), {**JSON, "Connection": "close"})
        status = connection.getresponse().status
        connection.close()
        return status

    with ThreadPoolExecutor(log_ins) as clients:
        return [one.result() for one in [clients.submit(log_in) for _ in range(log_ins)]]


def _ask(port: int, path: str, cookie: str, begin: float, goes_on: Callable[[], bool]) -> list[float]:
    """Ask one address at set times from a moment on; return what each answer took from then, in milliseconds."""
    waited: list[float] = []

    def shop(due: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
        connection.connect()
        while goes_on():
            time.sleep(max(0.0, due - time.monotonic()))
            connection.request("GET", path, headers={"Cookie": cookie})
            answer = connection.getresponse()
            answer.read()
            waited.append((time.monotonic() - due) * 1000)
            due += EVERY_S
            if answer.status != http.client.OK:
                raise RuntimeError(f"{path}: {answer.status}")
        connection.close()

    shoppers = [threading.Thread(target=shop, args=(begin + EVERY_S * n / SHOPPERS,)) for n in range(SHOPPERS)]
    for shopper in shoppers:
        shopper.start()
    for shopper in shoppers:
        shopper.join()
    return waited


def _sign_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("POST", "/api/v1/session", json.dumps(SHOPPER), JSON)
    answer = connection.getresponse()
    answer.read()
    return str(answer.headers["Set-Cookie"]).partition(";")[0]


if __name__ == "__main__":
    sys.exit(main())
