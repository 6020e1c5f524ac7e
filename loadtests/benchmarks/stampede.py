"""Measures loads and latencies in a stampede on one hot key, for our strategies and for dogpile.cache with its lock.

    .venv/bin/python loadtests/benchmarks/stampede.py [--only lock,none] [--seconds 8] [--processes 4] [--threads 50]

A load is a real aggregate of generated rows in a PostgreSQL that this script starts (about 30 ms of one core), through
a pool of eight connections in each process, as in the store. Every thread sends ten requests a second by its own
schedule; latency counts from the due time, so a late request does not hide a wait. There is no local level: every
answer comes from Valkey. Four situations are measured separately: cold (an empty cache, all threads request together),
warm (no entry ends), expired (a lifetime of one second), invalidated (once a second).
Promise: with lock+early, exactly one load for each expiry. Exit code 1 if it is broken. The latency ratio is printed
but not judged: on a machine that shares its cores with the load, its spread is too wide.
"""

import argparse
import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from subprocess import DEVNULL, Popen

import redis
from dogpile.cache import make_region
from sqlalchemy import create_engine, text

from shop.clock import SystemClock
from shop.patterns.caching import (
    Cache,
    CachePolicy,
    EarlyExpiry,
    HitCounter,
    InvalidationListener,
    LocalLevel,
    LockedLoad,
    LockWithEarlyExpiry,
    MakeStrategy,
    NoProtection,
    RefreshAhead,
    RefreshWorker,
    SharedLevel,
    StampedeState,
)
from shop.stack import postgres, valkey
from shop.stack.program import ServerProgram, free_port

STRATEGIES = ("lock+early", "lock", "early", "refresh-ahead", "none", "dogpile.cache")
HEAVY = text("SELECT md5(string_agg((x % 97)::text, '' ORDER BY x)) FROM generate_series(1, 60000) AS x")
TTL_S = 1
LONG_S = 3600
REQUESTS_A_SECOND = 10
SAME_EXPIRY_S = 0.3
"""Loads that begin so soon after another load belong to the same expiry; the next expiry is a lifetime later."""
POOL = 8
START_TIMEOUT_S = 30

Get = Callable[[str, int], object]


@dataclass
class SituationResult:
    """The figures of one situation, of one process or of all."""

    waits_ms: list[float] = field(default_factory=list)
    loads: list[float] = field(default_factory=list)
    """The begin of each load."""
    failed: int = 0


class StrategyUnderTest:
    """One strategy in one process."""

    def __init__(self, strategy: str, cache_url: str, database_url: str) -> None:
        self._engine = create_engine(database_url, pool_size=POOL, max_overflow=0, pool_timeout=60)
        self._lock = threading.Lock()
        self.result = SituationResult()
        self.get = self._dogpile(cache_url) if strategy.startswith("dogpile") else self._own_cache(strategy, cache_url)

    def load(self) -> bytes:
        """Run the aggregate."""
        with self._lock:
            self.result.loads.append(time.time())
        with self._engine.connect() as connection:
            return str(connection.execute(HEAVY).scalar_one()).encode()

    def _own_cache(self, strategy: str, cache_url: str) -> Get:
        clock, state, refresher = SystemClock(), StampedeState(), RefreshWorker()
        refresher.start()
        strategies: dict[str, MakeStrategy] = {
            "lock+early": partial(LockWithEarlyExpiry, state=state),
            "lock": partial(LockedLoad, state=state),
            "early": EarlyExpiry,
            "refresh-ahead": partial(RefreshAhead, state=state, hit_counter=HitCounter(clock), worker=refresher),
            "none": NoProtection,
        }
        cache = Cache(SharedLevel(cache_url, 5000, clock), clock, strategy=strategies[strategy])
        InvalidationListener(cache_url, LocalLevel(1, clock), fill_waiters=state.fill_waiters).start()
        policies = {
            ttl_s: CachePolicy("catalogue", ttl_s, stale_while_revalidate_s=60, stale_if_error_s=60)
            for ttl_s in (TTL_S, LONG_S)
        }
        return lambda key, ttl_s: cache.get_or_load(key, policies[ttl_s], [key], self.load)

    def _dogpile(self, cache_url: str) -> Get:
        region = make_region().configure(
            "dogpile.cache.redis",
            arguments={
                "url": cache_url,
                "distributed_lock": True,
                "lock_timeout": 10,
                "thread_local_lock": False,
            },
        )
        return lambda key, ttl_s: region.get_or_create(key, self.load, expiration_time=ttl_s)

    def request_together(self, key: str, threads: int) -> None:
        """Let every thread send one request at the same time."""
        barrier = threading.Barrier(threads)

        def request() -> None:
            barrier.wait()
            self._request(key, LONG_S, time.monotonic())

        _run_all([threading.Thread(target=request) for _ in range(threads)])

    def request_at_rate(self, key: str, ttl_s: int, threads: int, seconds: float) -> None:
        """Let every thread send requests by its schedule."""
        begin = time.monotonic() + 0.2

        def request(number: int) -> None:
            for turn in range(int(seconds * REQUESTS_A_SECOND)):
                due = begin + (turn + number / threads) / REQUESTS_A_SECOND
                time.sleep(max(0.0, due - time.monotonic()))
                self._request(key, ttl_s, due)

        _run_all([threading.Thread(target=request, args=(number,)) for number in range(threads)])

    def _request(self, key: str, ttl_s: int, due: float) -> None:
        try:
            self.get(key, ttl_s)
        except Exception:  # noqa: BLE001 - every error is a failed request
            self.result.failed += 1
        else:
            self.result.waits_ms.append((time.monotonic() - due) * 1000)


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="strategies, separated by commas")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=50, help="threads of each process")
    arguments = parser.parse_args()
    chosen = [name for name in STRATEGIES if not arguments.only or name in arguments.only.split(",")]
    kept = True
    with _servers() as (cache_url, database_url):
        for strategy in chosen:
            results = _measure(strategy, cache_url, database_url, arguments)
            _show(strategy, results, arguments.processes * arguments.threads)
            if strategy == "lock+early":
                kept = all(max(_by_expiry(results[case].loads)) == 1 for case in ("cold", "expired", "invalidated"))
                print(f"  exactly one load an expiry promised: {'kept' if kept else 'BROKEN'}")
    return int(not kept)


def _measure(
    strategy: str, cache_url: str, database_url: str, arguments: argparse.Namespace
) -> dict[str, SituationResult]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(arguments.processes + 1)
    pipes, processes = [], []
    with redis.Redis.from_url(cache_url) as client:
        client.flushall()
        for _ in range(arguments.processes):
            here, there = context.Pipe()
            process_args = (strategy, cache_url, database_url, arguments.threads, arguments.seconds, barrier, there)
            processes.append(context.Process(target=_work, args=process_args, daemon=True))
            pipes.append(here)
            processes[-1].start()
        results: dict[str, SituationResult] = {}
        for case in ("cold", "warm", "expired", "invalidated"):
            barrier.wait(START_TIMEOUT_S)
            if case == "invalidated":
                _invalidate(strategy, cache_url, arguments.seconds)
            results[case] = SituationResult()
            for pipe in pipes:
                waits, loads, failed = pipe.recv()
                results[case].waits_ms += waits
                results[case].loads += loads
                results[case].failed += failed
        for process in processes:
            process.join(START_TIMEOUT_S)
    return results


def _work(
    strategy: str, cache_url: str, database_url: str, threads: int, seconds: float, barrier: Barrier, pipe: Connection
) -> None:
    subject = StrategyUnderTest(strategy, cache_url, database_url)
    cases: dict[str, Callable[[], None]] = {
        "cold": lambda: subject.request_together("long", threads),
        "warm": lambda: subject.request_at_rate("long", LONG_S, threads, seconds / 2),
        "expired": lambda: subject.request_at_rate("short", TTL_S, threads, seconds),
        "invalidated": lambda: subject.request_at_rate("long", LONG_S, threads, seconds),
    }
    for case in cases.values():
        barrier.wait(START_TIMEOUT_S * 4)
        subject.result = SituationResult()
        case()
        pipe.send((subject.result.waits_ms, subject.result.loads, subject.result.failed))


def _invalidate(strategy: str, cache_url: str, seconds: float) -> None:
    """Invalidate the hot key once a second, from another process."""
    clock = SystemClock()
    cache = Cache(SharedLevel(cache_url, 5000, clock), clock)
    deadline = time.monotonic() + seconds - 1
    with redis.Redis.from_url(cache_url) as client:
        time.sleep(0.7)
        while time.monotonic() < deadline:
            if strategy.startswith("dogpile"):
                client.delete("long")
            else:
                cache.invalidate(["long"])
            time.sleep(1.0)


def _show(strategy: str, results: dict[str, SituationResult], threads: int) -> None:
    print(f"{strategy}: {threads} threads")
    warm = _percentile(results["warm"].waits_ms, 0.99)
    for case, result in results.items():
        counts = _by_expiry(result.loads)
        loads = f"{sum(counts) / len(counts):.2f} loads each, at most {max(counts)}" if counts != [0] else "no load"
        p50, p99, worst = (_percentile(result.waits_ms, share) for share in (0.5, 0.99, 1.0))
        ratio = f"p99 {p99 / warm:.1f} of warm" if case not in ("warm", "cold") else ""
        expiries = f"{len(counts)} times" if counts != [0] else ""
        print(
            f"  {case:<12} {expiries:>9} {loads:<34} p50 {p50:>8.1f}  p99 {p99:>8.1f}  worst {worst:>8.1f} ms  {ratio}"
            f"{f'  {result.failed} failed' if result.failed else ''}"
        )


def _by_expiry(loads: Sequence[float]) -> list[int]:
    """Return the number of loads for each expiry; loads that begin together belong to one expiry."""
    counts: list[int] = []
    last = 0.0
    for began in sorted(loads):
        if counts and began - last < SAME_EXPIRY_S:
            counts[-1] += 1
        else:
            counts.append(1)
        last = began
    return counts or [0]


def _percentile(figures: Sequence[float], share: float) -> float:
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def _run_all(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def _servers() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shop-stampede-")))
        home.chmod(0o755)
        database_port, cache_port = free_port(), free_port()
        postgres.initialise(home / "pg")
        stack.enter_context(_run_program(postgres.program(home / "pg", database_port)))
        stack.enter_context(_run_program(valkey.cache(home / "cache", cache_port, memory_mb=64)))
        postgres.ensure_database(home / "pg", database_port)
        cache_url = valkey.url(home / "cache", cache_port)
        yield cache_url, postgres.url(home / "pg", database_port).replace("postgresql://", "postgresql+psycopg://")


@contextmanager
def _run_program(program: ServerProgram) -> Iterator[None]:
    process = Popen(program.argv, stdout=DEVNULL, stderr=DEVNULL, cwd="/")
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while not program.healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{program.name} did not start")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(program.stop_signal)
        process.wait(program.stop_timeout_s)


if __name__ == "__main__":
    sys.exit(main())
