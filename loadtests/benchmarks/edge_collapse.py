"""Measures the delay of requests that wait for a collapsed miss at the edge, for several lock timeouts of nginx.

    .venv/bin/python loadtests/benchmarks/edge_collapse.py [--loads 20,200] [--rounds 10] [--clients 24]

Many clients request a page that is not cached at the same time. nginx passes one request to the application. The others
check the cache again by a timer, at most ``proxy_cache_lock_timeout`` or 500 ms later, and after the timeout they go to
the application. A stand-in replaces the application here: it takes ``--loads`` milliseconds and, like the store, loads
once for all requests of that time. For each setting, and without a lock, the script prints the time of the slowest
client beyond the load itself, and how many requests reached the application.
"""

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from servers import running

from shop.settings import load_settings
from shop.stack import edge
from shop.stack.program import free_port

OURS = "proxy_cache_lock_timeout 50ms;"
SETTINGS = {
    "nginx's default, 5 s": "proxy_cache_lock_timeout 5s;",
    "200 ms": "proxy_cache_lock_timeout 200ms;",
    "50 ms (ours)": OURS,
    "10 ms": "proxy_cache_lock_timeout 10ms;",
    "no lock": "proxy_cache_lock_timeout 0s;",
}


class StandInApplication(ThreadingHTTPServer):
    """Loads each page once, in ``load_s`` seconds, for all requests of that time."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.load_s = 0.0
        self.requests = 0
        self.loads: dict[str, threading.Event] = {}
        self.lock = threading.Lock()

    def load(self, path: str) -> None:
        """Load a page, or wait for the request that loads it."""
        with self.lock:
            self.requests += 1
            first = path not in self.loads
            loaded = self.loads.setdefault(path, threading.Event())
        if first:
            time.sleep(self.load_s)  # the load itself; the benchmark measures the delay beyond it
            loaded.set()
        loaded.wait()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: StandInApplication

    def do_GET(self) -> None:
        self.server.load(self.path)
        self.send_response(200)
        self.send_header("X-Accel-Expires", "60")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loads", default="20,200", help="time of a load in the application, in milliseconds")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=24)
    arguments = parser.parse_args()
    executable = edge.find_binary()
    if executable is None:
        parser.error(edge.NO_NGINX)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-edge-")))
        home.chmod(0o755)
        application = StandInApplication(free_port())
        stack.callback(application.server_close)
        stack.callback(application.shutdown)
        threading.Thread(target=application.serve_forever, daemon=True).start()
        ports = {
            name: _start(stack, home / str(number), executable, words, application.server_port)
            for number, (name, words) in enumerate(SETTINGS.items())
        }
        for load_ms in map(int, arguments.loads.split(",")):
            _compare(application, ports, load_ms, arguments.rounds, arguments.clients)
    return 0


def _start(stack: ExitStack, home: Path, executable: Path, words: str, app_port: int) -> int:
    settings = load_settings(var_dir=home, port=free_port())
    settings.log_dir.mkdir(parents=True)
    program = edge.nginx(executable, settings, f"127.0.0.1:{app_port}")
    written = settings.edge_dir / "nginx.conf"
    text = written.read_text()
    if OURS not in text:
        raise RuntimeError(f"the configuration no longer contains {OURS}")
    written.write_text(text.replace(OURS, words))
    stack.enter_context(running(program, home))
    return settings.port


def _compare(application: StandInApplication, ports: dict[str, int], load_ms: int, rounds: int, clients: int) -> None:
    application.load_s = load_ms / 1000
    penalties: dict[str, list[float]] = {name: [] for name in ports}
    reached: dict[str, list[int]] = {name: [] for name in ports}
    for number in range(rounds):
        for name, port in ports.items():
            before = application.requests
            slowest = _request_together(port, f"/p/page-{load_ms}-{number}-{port}", clients)
            penalties[name].append(slowest * 1000 - load_ms)
            reached[name].append(application.requests - before)
    print(
        f"a load of {load_ms} ms, {clients} at once, {rounds} rounds: the slowest beyond the load, and requests through"
    )
    for name in ports:
        delays = penalties[name]
        print(
            f"  {name:<22} {statistics.median(delays):>8.0f} ms   ({min(delays):.0f} to {max(delays):.0f})"
            f"   {statistics.median(reached[name]):>5.0f} requests"
        )


def _request_together(port: int, path: str, clients: int) -> float:
    """Request one page with many clients at the same time; return the time of the slowest, in seconds."""
    ready = threading.Barrier(clients)

    def ask(_: int) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.connect()
        ready.wait()
        started = time.perf_counter()
        connection.request("GET", path)
        connection.getresponse().read()
        took = time.perf_counter() - started
        connection.close()
        return took

    with ThreadPoolExecutor(clients) as crowd:
        return max(crowd.map(ask, range(clients)))


if __name__ == "__main__":
    sys.exit(main())
