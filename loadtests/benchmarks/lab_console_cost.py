"""Measures the processor time that viewers of the lab's page cost the running stack.

    .venv/bin/python loadtests/benchmarks/lab_console_cost.py [--seconds 20] [--rounds 3]

Promises: at most 1 % of a core with one viewer, 3 % with thirty. Exit code 1 if one is broken. Viewers poll once a
second over one connection each, as browsers do. The cost is the processor time of all processes of the stack, less that
without a viewer, which is measured in turn with them; the median of the rounds counts. The store should be idle: the
time of its background work is in both.
"""

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

PROMISES = {1: 1.0, 30: 3.0}
"""Viewers to the share of a core in percent."""
PATHS = ("/", "/search?q=lamp", "/cart", "/departments", "/lab", "/api/v1/products", "/api/v1/me", "/api/v1/categories")
"""Each route adds metrics, which the figures are computed from."""


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    shop = Path(sys.executable).parent / "shop"
    status = json.loads(subprocess.run([shop, "status", "--json"], capture_output=True, text=True, check=False).stdout)
    roots = [process["pid"] for process in status.get("processes", []) if process.get("pid")]
    if not roots:
        print("The stack is not running: start it with `bin/shop up`.", file=sys.stderr)
        return 2
    address = urlsplit(status["url"])
    host, port = address.hostname or "", address.port or 80
    for path in PATHS * 5:
        get(http.client.HTTPConnection(host, port, timeout=10), path)
    broken = 0
    costs: dict[int, list[float]] = {viewers: [] for viewers in PROMISES}
    for _ in range(given.rounds):
        idle = share_of_a_core(roots, host, port, 0, given.seconds)
        for viewers, shares in costs.items():
            shares.append(share_of_a_core(roots, host, port, viewers, given.seconds) - idle)
    for viewers, shares in costs.items():
        cost, promised = statistics.median(shares), PROMISES[viewers]
        kept = cost <= promised
        broken |= not kept
        runs = " ".join(f"{share:.2f}" for share in shares)
        print(f"{viewers:>3} viewers  {cost:5.2f} % of a core  ({runs})  at most {promised:g} %: ", end="")
        print("kept" if kept else "BROKEN")
    return int(broken)


def share_of_a_core(roots: list[int], host: str, port: int, viewers: int, seconds: float) -> float:
    """Return the processor time of the stack while so many viewers poll, in percent of a core.

    Args:
        roots: process ids of the stack's servers.
        host: of the store.
        port: of the store.
        viewers: number of open pages.
        seconds: length of the measurement.
    """
    stopped = threading.Event()

    def view(number: int) -> None:
        connection = http.client.HTTPConnection(host, port, timeout=10)
        stopped.wait(number / viewers)  # pages are not opened at the same moment
        while not stopped.is_set():
            get(connection, "/lab/live")
            stopped.wait(1.0)

    threads = [threading.Thread(target=view, args=(number,), daemon=True) for number in range(viewers)]
    for thread in threads:
        thread.start()
    time.sleep(2.0)  # connections are open, and the first answer is computed
    began, before = time.monotonic(), processor_s(roots)
    time.sleep(seconds)
    share = 100 * (processor_s(roots) - before) / (time.monotonic() - began)
    stopped.set()
    for thread in threads:
        thread.join()
    return share


def processor_s(roots: list[int]) -> float:
    """Return the seconds of processor time of some processes and their descendants."""
    total = 0.0
    for root in roots:
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(root)
            for process in (family, *family.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system
    return total


def get(connection: http.client.HTTPConnection, path: str) -> None:
    """Send one request, and read its answer."""
    connection.request("GET", path)
    connection.getresponse().read()


if __name__ == "__main__":
    sys.exit(main())
