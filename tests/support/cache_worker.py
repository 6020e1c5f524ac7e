"""A process that uses the cache on command, and prints the result; see :mod:`cache_processes`."""

import json
import sys
import threading
import time
from functools import partial

import redis

from shop.clock import SystemClock
from shop.patterns.caching import (
    Cache,
    CachePolicy,
    EarlyExpiry,
    InvalidationListener,
    LocalLevel,
    LockedLoad,
    LockWithEarlyExpiry,
    NoProtection,
    SharedLevel,
    StampedeState,
    lock,
)
from shop.patterns.caching.events import FillAwaited, LoadFinished, LockLost
from shop.patterns.caching.lock import LockWatchdog

STRATEGIES = {"none": NoProtection, "early": EarlyExpiry, "lock": LockedLoad, "lock+early": LockWithEarlyExpiry}
GATE_TIMEOUT_S = 20


class Worker:
    """The cache of one process, and a loader that waits at a gate until the test opens it."""

    def __init__(self, url, strategy="lock", listening=True, max_wait_s=15.0, watch_s=lock.TTL_S / 3, grace_s=60):
        self.client = redis.Redis.from_url(url)
        self.policy = CachePolicy("catalogue", 60, stale_while_revalidate_s=grace_s, stale_if_error_s=grace_s)
        self.seen = []
        clock = SystemClock()
        state = StampedeState(watchdog=LockWatchdog(watch_s), max_wait_s=max_wait_s)
        make_strategy = STRATEGIES[strategy]
        if strategy.startswith("lock"):
            make_strategy = partial(make_strategy, state=state)
        self.local = LocalLevel(1_000_000, clock)
        self.level = SharedLevel(url, 5000, clock, self.seen.append)
        self.cache = Cache(self.level, clock, self.seen.append, self.local, strategy=make_strategy)
        if listening:
            InvalidationListener(url, self.local, fill_waiters=state.fill_waiters).start()

    def load(self):
        value = self.client.get("source") or b""
        self.client.incr("loads")
        self.client.blpop(["gate"], timeout=GATE_TIMEOUT_S)
        if value == b"failing":
            raise RuntimeError("the load failed")
        return value

    def ask(self, threads=1, key="k", tags=("a",)):
        """Start look-ups in several threads at once; return the value and the duration of each."""
        answers = []

        def one():
            self.client.incr("asked")
            started = time.perf_counter()
            try:
                got = self.cache.get_or_load(key, self.policy, tags, self.load).decode()
            except RuntimeError as error:
                got = f"error: {error}"
            answers.append((got, time.perf_counter() - started))

        at_once = [threading.Thread(target=one) for _ in range(threads)]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join()
        return {
            "got": [got for got, _ in answers],
            "seconds": [seconds for _, seconds in answers],
            "why": [event.why for event in self.seen if isinstance(event, LoadFinished)],
            "gave_up": sum(isinstance(event, FillAwaited) and event.ended == "gave-up" for event in self.seen),
            "locks_lost": sum(isinstance(event, LockLost) for event in self.seen),
        }

    def invalidate(self, tags=("a",)):
        """Invalidate the entries with the tags."""
        self.cache.invalidate(tags)
        return {}


def main():
    worker = Worker(**json.loads(sys.argv[1]))
    say("ready")
    for line in sys.stdin:
        asked = json.loads(line)
        say(getattr(worker, asked.pop("do"))(**asked))


def say(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
