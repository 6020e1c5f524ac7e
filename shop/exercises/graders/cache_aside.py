"""Checks of the exercise ``cache-aside``: read, load on a miss, store; and do without a cache that is down."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten

TTLS_S = (10.0, 300.0, 21_600.0)
"""Seconds of three classes of the store: not-found responses, products, the category tree."""
TTL_S = 300.0
KEY = "screen:mug"
VALUE = b"<h1>Mug</h1>"
CALL = 'get_or_load(cache, "screen:mug", 300, load)'
STEPS = "Three steps: read the cache; on a miss, call load(); store its value."


class LoadError(Exception):
    """The database cannot be read."""


class ObservedCache:
    """A cache in memory that can be down for reads, for writes, or for both.

    Args:
        entries: stored before the check.
        down: the calls that raise: ``get``, ``set``.
    """

    def __init__(self, entries: Mapping[str, bytes] | None = None, down: tuple[str, ...] = ()) -> None:
        self.entries = dict(entries or {})
        self.lifetimes_s: list[Any] = []
        """Of the stored values, in seconds."""
        self._down = down

    def get(self, key: str) -> bytes | None:
        """Return a stored value."""
        self._raise_if_down("get")
        return self.entries.get(key)

    def set(self, key: str, value: bytes, ttl_s: float) -> None:
        """Store a value and note its lifetime."""
        self._raise_if_down("set")
        self.entries[key] = value
        self.lifetimes_s.append(ttl_s)

    def _raise_if_down(self, call: str) -> None:
        if call in self._down:
            raise ConnectionError("the cache does not answer")


class ObservedLoad:
    """The function ``load`` of a check; counts its calls.

    Args:
        value: returned by each call.
        error: raised by each call instead, if it is given.
    """

    def __init__(self, value: bytes = VALUE, error: Exception | None = None) -> None:
        self.count = 0
        self._value = value
        self._error = error

    def __call__(self) -> bytes:
        """Return the value, or raise the error."""
        self.count += 1
        if self._error is not None:
            raise self._error
        return self._value


def check_miss(get_or_load: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a miss loads once, returns the value, and stores it under its key."""
    cache, load = ObservedCache(), ObservedLoad()
    did = f"{CALL}, while the cache is empty"
    _expect_value(calls, did, VALUE, calls.call(did, get_or_load, cache, KEY, TTL_S, load))
    if load.count != 1:
        calls.fail(did, "load() is called once.", f"load() was called {load.count} times.", STEPS)
    if cache.entries != {KEY: VALUE}:
        expected = f"afterwards the cache holds {shorten(VALUE)} under {KEY!r}."
        came = f"it holds {shorten(cache.entries)}." if cache.entries else "the cache is still empty."
        calls.fail(did, expected, came, "After load(), store its value with cache.set(key, value, ttl_s).")


def check_hit(get_or_load: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a stored value is returned without a load, also an empty one."""
    for value, note in ((VALUE, ""), (b"", ", the empty value")):
        load = ObservedLoad(b"from the database")
        did = f"{CALL}, while the cache holds {value!r}{note}"
        returned = calls.call(did, get_or_load, ObservedCache({KEY: value}), KEY, TTL_S, load)
        if load.count:
            look = "Only None means that the cache has no value: an empty value is a value, too."
            came = f"load() was called {_times(load.count)} for the stored value {value!r}."
            calls.fail(did, "load() is not called.", came, look)
        _expect_value(calls, did, value, returned)


def check_lifetime(get_or_load: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that each value is stored with the lifetime that the caller gave."""
    for ttl_s in TTLS_S:
        cache = ObservedCache()
        did = f'get_or_load(cache, "screen:mug", {ttl_s:g}, load), while the cache is empty'
        calls.call(did, get_or_load, cache, KEY, ttl_s, ObservedLoad())
        if not all(_is_close(stored_s, ttl_s) for stored_s in cache.lifetimes_s):
            came = f"cache.set was called with a lifetime of {shorten(cache.lifetimes_s[-1])}."
            calls.fail(did, f"a lifetime of {ttl_s:g} seconds.", came, "Pass the given ttl_s on to cache.set.")


def check_failed_load(get_or_load: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the error of a load reaches the caller after one try, and that nothing is stored."""
    for error in (LoadError("the database is away"), ConnectionError("the database does not answer")):
        cache, load, name = ObservedCache(), ObservedLoad(error=error), type(error).__name__
        did = f"{CALL}, while load() raises {name}"
        raised, value = calls.call(did, partial(_outcome, get_or_load), cache, KEY, TTL_S, load)
        look = "A page for an outage is the caller's matter: let the exception of load() pass."
        if cache.entries:
            calls.fail(did, "nothing is stored.", f"the cache holds {shorten(cache.entries)}.", look)
        if load.count != 1:
            came = f"load() was called {_times(load.count)}."
            look = "Your code takes an error of load() for one of the cache. Guard cache.get and cache.set alone."
            calls.fail(did, "load() is called once.", came, look)
        if raised is not error:
            came = f"it raised {shorten(raised)}." if raised else f"it returned {shorten(value)}."
            calls.fail(did, f"the caller gets that {name}.", came, look)


def check_cache_down(get_or_load: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a cache that is down costs one load, and no error."""
    for down, words in ((("get", "set"), "cache.get and cache.set raise"), (("set",), "cache.set raises")):
        load = ObservedLoad()
        did = f"{CALL}, while {words} ConnectionError"
        raised, value = calls.call(did, partial(_outcome, get_or_load), ObservedCache(down=down), KEY, TTL_S, load)
        if raised is not None:
            look = "A cache that is down makes the store slower, not unavailable: catch ConnectionError, and load."
            calls.fail(did, "the value of load().", f"it raised {type(raised).__name__}: {raised}.", look)
        if load.count != 1:
            look = "After cache.set has failed, the value is there already: return it, and do not load again."
            calls.fail(did, "load() is called once.", f"load() was called {_times(load.count)}.", look)
        _expect_value(calls, did, VALUE, value)


def _outcome(function: Callable[..., Any], *arguments: Any) -> tuple[Exception | None, Any]:
    """Return the exception of a call, or its value."""
    try:
        return None, function(*arguments)
    except Exception as error:  # noqa: BLE001 - the check decides whether it is the right one
        return error, None


def _expect_value(calls: AttemptCalls, did: str, expected: bytes, value: Any) -> None:
    if value != expected:
        look = "Return the value in every case: the stored one after a hit, the loaded one after a miss."
        calls.fail(did, f"it returns {expected!r}.", f"it returned {shorten(value)}.", look)


def _is_close(stored_s: Any, ttl_s: float) -> bool:
    return isinstance(stored_s, int | float) and math.isclose(stored_s, ttl_s, rel_tol=1e-6)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "miss": check_miss,
    "hit": check_hit,
    "lifetime": check_lifetime,
    "failed-load": check_failed_load,
    "cache-down": check_cache_down,
}
