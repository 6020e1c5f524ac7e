"""Measures the time of a cache hit: our caches, dogpile.cache, flask-caching and a raw GET, with one Valkey and value.

    .venv/bin/python loadtests/benchmarks/cache_hits.py [--rounds 9] [--calls 3000] [--bytes 6000]

One thread, no telemetry on any side. All sides answer in turn, round by round, from one Valkey that this script starts
and stops. The raw side is redis-py's own client: it reads the same bytes that our shared level stored and parses their
one line of JSON, without tags and lifetimes. Promises: a shared hit takes at most 1.3 times as long and less than a hit
of either library; a local hit takes less than 5 microseconds. Exit code 1 if one is broken.

Printed without a promise: a shared hit on a page with six other products, which has nine tags instead of three. The
fast path knows all nine tags; a normal look-up knows only three of them.
"""

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import flask
import redis
from arms import interleaved
from dogpile.cache import make_region
from flask_caching import Cache as FlaskCaching

from shop.clock import SystemClock
from shop.lab.statistics import FigureSpread
from shop.patterns.caching import CATALOGUE, Cache, LocalLevel, NullLevel, SharedLevel, TaggedValue
from shop.stack import valkey
from shop.stack.program import free_port

RATIO_PROMISED = 1.3
LOCAL_PROMISED_US = 5.0
START_TIMEOUT_S = 10
TAGS = ("product:blue-mug", "category:mugs", "catalogue")
KEY = "product:screen:blue-mug"
STORED = f"shop:1:e:{KEY}"
RAW, SHARED, LOCAL = "raw GET and parse", "ours, shared", "ours, local"
NINE_TAGS, THREE_OF_NINE = "ours, shared, nine tags", "ours, three of nine known"
SHOWN = tuple(f"product:mug-{number}" for number in range(6))
SCREEN = "product:screen:red-mug"
DOGPILE, FLASK_CACHING = "dogpile.cache", "flask-caching"
DOGPILE_MEMORY, FLASK_MEMORY = "dogpile.cache, memory", "flask-caching, memory"

Hit = Callable[[], object]


def main() -> int:
    """Measure and print; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--bytes", type=int, default=6000)
    arguments = parser.parse_args()
    value = json.dumps({"title": "Blue mug", "text": "x" * arguments.bytes}).encode()
    with tempfile.TemporaryDirectory(prefix="shop-hits-") as home, _valkey(Path(home)) as url:
        arms = {**_own_arms(url, value), **_library_arms(url, value)}
        for name, hit in arms.items():
            if hit() is None:
                raise RuntimeError(f"{name} has no hit")
        figures = interleaved({name: _time_calls(hit, arguments.calls) for name, hit in arms.items()}, arguments.rounds)
    return _verdict(figures, len(value))


def _own_arms(url: str, value: bytes) -> dict[str, Hit]:
    clock = SystemClock()
    shared = Cache(SharedLevel(url, 1000, clock), clock)
    local_level = LocalLevel(1_000_000, clock)
    local_level.set_connected(connected=True)
    local = Cache(NullLevel(), clock, local=local_level)
    client = redis.Redis.from_url(url)

    def load() -> bytes:
        return value

    def raw() -> bytes:
        stored = client.get(STORED)
        if not isinstance(stored, bytes):
            raise TypeError(f"{STORED} is not stored")
        header, _, body = stored.partition(b"\n")
        json.loads(header)
        return body

    def load_screen() -> bytes:
        return TaggedValue(value, SHOWN)

    shared.get_or_load(KEY, CATALOGUE, TAGS, load)
    shared.get_or_load(SCREEN, CATALOGUE, TAGS, load_screen, finds_tags=True)
    every = (*TAGS, *SHOWN)
    return {
        RAW: raw,
        SHARED: lambda: shared.get_or_load(KEY, CATALOGUE, TAGS, load),
        NINE_TAGS: lambda: shared.peek(SCREEN, CATALOGUE, every),
        THREE_OF_NINE: lambda: shared.get_or_load(SCREEN, CATALOGUE, TAGS, load_screen, finds_tags=True),
        LOCAL: lambda: local.get_or_load(KEY, CATALOGUE, TAGS, load),
    }


def _library_arms(url: str, value: bytes) -> dict[str, Hit]:
    region = make_region().configure("dogpile.cache.redis", expiration_time=300, arguments={"url": url})
    memory = make_region().configure("dogpile.cache.memory", expiration_time=300)
    app = flask.Flask("bare")
    cached = FlaskCaching(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": url})
    simple = FlaskCaching(app, config={"CACHE_TYPE": "SimpleCache"})

    def load() -> bytes:
        return value

    with app.app_context():
        from_valkey = cached.cached(timeout=300, key_prefix="screen")(load)
        from_memory = simple.cached(timeout=300, key_prefix="screen")(load)

    def in_app(function: Hit) -> Hit:
        context = app.app_context()
        context.push()  # as in a request; the push is not measured
        return function

    return {
        DOGPILE: lambda: region.get_or_create(KEY, load),
        FLASK_CACHING: in_app(from_valkey),
        DOGPILE_MEMORY: lambda: memory.get_or_create(KEY, load),
        FLASK_MEMORY: in_app(from_memory),
    }


def _time_calls(hit: Hit, calls: int) -> Callable[[], float]:
    """Return a function that measures the microseconds of a call."""

    def measure() -> float:
        for _ in range(calls // 10):
            hit()
        started = time.perf_counter()
        for _ in range(calls):
            hit()
        return (time.perf_counter() - started) / calls * 1e6

    return measure


def _verdict(figures: dict[str, list[float]], size: int) -> int:
    print(f"A hit of {size:,} bytes")
    for name, rounds in figures.items():
        print(f"  {name:<24} {_with_spread(rounds)} us")
    ratios = {
        name: [a / b for a, b in zip(figures[SHARED], figures[name], strict=True)]
        for name in (RAW, DOGPILE, FLASK_CACHING)
    }
    limits = {RAW: RATIO_PROMISED, DOGPILE: 1.0, FLASK_CACHING: 1.0}
    broken = 0
    for name, rounds in ratios.items():
        kept = _median(rounds) <= limits[name]
        broken += not kept
        promise = f"at most {limits[name]} promised: {'kept' if kept else 'BROKEN'}"
        print(f"  {SHARED} / {name:<20} {_with_spread(rounds)}   {promise}")
    kept = _median(figures[LOCAL]) < LOCAL_PROMISED_US
    print(f"  {LOCAL}: promised under {LOCAL_PROMISED_US} us: {'kept' if kept else 'BROKEN'}")
    return int(broken + (not kept) > 0)


def _median(figures: Sequence[float]) -> float:
    spread = FigureSpread.of(figures)
    return spread.median if spread else 0.0


def _with_spread(figures: Sequence[float]) -> str:
    return f"{_median(figures):>8.2f} ({min(figures):.2f} to {max(figures):.2f})"


@contextmanager
def _valkey(home: Path) -> Iterator[str]:
    program = valkey.cache(home / "cache", free_port(), memory_mb=64)
    process = subprocess.Popen(program.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not program.healthy():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("Valkey did not start")
            time.sleep(0.02)
        yield valkey.url(home / "cache", program.port)
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)


if __name__ == "__main__":
    logging.disable()
    sys.exit(main())
