"""A measure for each of the cache's switches, taken from outside."""

import contextlib
import itertools
import threading

import redis

from shop.catalog.editing import ProductChange
from shop.clock import SystemClock
from shop.patterns.caching import CATALOGUE, CachePolicy
from shop.patterns.caching.entry import CacheEntry, encode
from shop.patterns.caching.refresh import POPULAR
from tests.support.polling import until

PRODUCT = "/api/v1/products/blue-mug"
THREADS = 4
_numbers = itertools.count(1)


def new_key():
    """Return an unused key: the cache keeps its entries when a switch changes."""
    return f"measured:{next(_numbers)}"


def plant(runtime, key, *, fresh_s, load_s=0.0):
    """Store an entry that looks as if it was loaded some time ago."""
    now = SystemClock().now().timestamp()
    runtime.cache.shared.write(key, encode(CacheEntry(b"old", now + fresh_s, now + 600, load_s, ())), 600)


def queries_of(answer):
    return int(answer.headers["Server-Timing"].split('desc="')[1].split()[0])


def read_after_an_edit(client, runtime):
    """Return whether a new price is visible at once, and whether its first reader made no query."""
    client.get(PRODUCT)
    price = next(_numbers)
    runtime.services().catalog.edit("blue-mug", ProductChange(price=price))
    answer = client.get(PRODUCT)
    return answer.json["price"]["amount"] == price, queries_of(answer) == 0


def loads_of_a_cold_key(client, runtime):
    """Return how many threads load a cold key, and which thread refreshes an entry that will soon expire."""
    cache, key, loads, together = runtime.services().cache, new_key(), [], threading.Barrier(THREADS)

    def cold():
        loads.append(threading.get_ident())
        return b"new"

    def slow():
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(0.5)  # longer than the others need to come here, if they may
        return cold()

    asking = [threading.Thread(target=cache.get_or_load, args=(key, CATALOGUE, [], slow)) for _ in range(THREADS)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    cold_loads, key = len(loads), new_key()
    loads.clear()
    client.put("/api/v1/switches/cache.local", json={"value": "off"})
    try:
        return cold_loads, refreshing_thread(runtime, key, cold, loads)
    finally:
        client.put("/api/v1/switches/cache.local", json={"value": "on"})


def refreshing_thread(runtime, key, load, loads):
    cache = runtime.services().cache
    plant(runtime, key, fresh_s=CATALOGUE.ttl_s * 0.1, load_s=1e9)
    for _ in range(int(POPULAR) + 1):
        cache.get_or_load(key, CATALOGUE, [], load)
    if threading.get_ident() in loads:
        return "a reader"
    until(lambda: runtime.cache.refresh_worker.pending_loads == 0)
    return "a thread of its own" if loads else "nobody"


def queries_of_a_repeated_not_found(client, runtime):
    path = f"/api/v1/products/no-such-mug-{next(_numbers)}"
    assert client.get(path).status_code == 404
    answer = client.get(path)
    assert answer.status_code == 404
    return queries_of(answer)


def lifetimes_differ(client, runtime):
    keys = [new_key() for _ in range(8)]
    for key in keys:
        runtime.services().cache.get_or_load(key, CachePolicy("catalogue", ttl_s=300), [], lambda: b"v")
    with redis.Redis.from_url(runtime.settings.cache_url) as valkey:
        left = [valkey.pttl(f"shop:1:e:{key}") for key in keys]
    return max(left) - min(left) > 2000


def answers_while_loading_fails(client, runtime):
    key = new_key()
    plant(runtime, key, fresh_s=-1)
    try:
        return runtime.services().cache.get_or_load(key, CATALOGUE, [], lambda: 1 / 0)
    except ZeroDivisionError:
        return "an error"


CACHE_MEASURES = {
    "cache.invalidation": read_after_an_edit,
    "cache.stampede": loads_of_a_cold_key,
    "cache.negative": queries_of_a_repeated_not_found,
    "cache.jitter": lifetimes_differ,
    "cache.stale_if_error": answers_while_loading_fails,
}
