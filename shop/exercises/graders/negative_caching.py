"""Checks of the exercise ``negative-caching``: absent names are remembered shortly, in bounded number, and forgotten.

The clock is handed in, so no check waits for a lifetime. The one race, a creation while a load of the name runs, is
played with two threads and events: the order is always the same.
"""

import gc
import threading
import tracemalloc
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from shop.clock import FakeClock
from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten

NAME = "no-such-mug"
VALUE = b"<h1>Mug</h1>"
TTL_S = 2.0
LIMIT = 8
FLOOD = 29
"""Names, more than three times the limit. A cache that empties itself, or a half of it, is not full after so many."""
LONG_NAMES = 30
LONG_NAME_CHARS = 200_000
"""So long that remembered names show in the memory of the process."""
SMALL_LIMIT = 2
BYTES_A_MB = 1_000_000
CREATION_TICKS = 10
TICK_S = 0.025
GIVE_UP_S = 1.0
"""For an event of the attempt's other thread that does not come."""


class NoSuchProduct(Exception):
    """The exception ``not_found`` of the checks."""


class DatabaseDown(Exception):
    """Another exception of ``load``."""


class LookupOutcome(NamedTuple):
    """What one look-up did."""

    value: Any
    error: Exception | None
    loads: int
    """How often it called ``load``."""


class NegativeCacheBench:
    """One negative cache of the attempt, with its clock and the products that exist.

    Args:
        factory: the attempt's.
        calls: the means to call it.
        ttl_s: how long an absence is remembered.
        limit: how many names are remembered.
    """

    def __init__(
        self, factory: Callable[..., Any], calls: AttemptCalls, ttl_s: float = TTL_S, limit: int = LIMIT
    ) -> None:
        self.clock = FakeClock()
        self.clock_calls = 0
        self.products: dict[str, bytes] = {}
        self.database_error: Exception | None = None
        self._calls = calls
        self.made = f"NegativeCache(NoSuchProduct, clock, ttl_s={ttl_s:g}, limit={limit})"
        self.cache = calls.call(self.made, factory, NoSuchProduct, self._tell_time, ttl_s, limit)

    def look_up(self, name: str = NAME, text: str = "") -> LookupOutcome:
        """Call ``get`` once."""
        loads = []

        def load() -> bytes:
            loads.append(name)
            if self.database_error is not None:
                raise self.database_error
            if name not in self.products:
                raise NoSuchProduct(absence(name))
            return self.products[name]

        def get() -> tuple[Any, Exception | None]:
            try:
                return self.cache.get(name, load), None
            except Exception as error:  # noqa: BLE001 - the check decides whether it is the right one
                return None, error

        value, error = self._calls.call(text or f"cache.get({shorten(name)!r}, load)", get)
        return LookupOutcome(value, error, len(loads))

    def create(self, name: str = NAME) -> None:
        """Create a product, and say so."""
        self.products[name] = VALUE
        self._calls.call(f"cache.created({shorten(name)!r})", self.cache.created, name)

    def _tell_time(self) -> float:
        self.clock_calls += 1
        return self.clock.monotonic()


def absence(name: str) -> str:
    """Return the text of the exception for a name."""
    return f"there is no product {name[:20]}"


def check_remembers(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the second look-up of an absent name calls no load, and raises the same."""
    bench = NegativeCacheBench(factory, calls)
    did = f"cache.get({NAME!r}, load) twice, while load() raises NoSuchProduct"
    outcomes = [bench.look_up() for _ in range(2)]
    loads = sum(outcome.loads for outcome in outcomes)
    if loads != 1:
        look = "Remember the name when load() raises not_found, and look there first."
        calls.fail(did, "load() is called once.", f"load() was called {loads} times.", look)
    for which, outcome in zip(("first", "second"), outcomes, strict=True):
        if not isinstance(outcome.error, NoSuchProduct) or str(outcome.error) != absence(NAME):
            expected = f"each call raises NoSuchProduct with the text {absence(NAME)!r}."
            look = "The caller shows the text of the exception: keep it with the name."
            calls.fail(did, expected, f"the {which} call {_told(outcome)}.", look)


def check_exception(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the tracebacks of a remembered absence do not grow with each look-up."""
    bench = NegativeCacheBench(factory, calls)
    depths = [_depth(bench.look_up().error) for _ in range(rule.repetitions)]
    if depths[-1] > depths[1]:
        did = f"cache.get({NAME!r}, load) {rule.repetitions} times, while there is no such product"
        came = f"the traceback has {depths[1]} lines at the second call, and {depths[-1]} at the last."
        look = "Python adds to the traceback of an exception object at each raise. Make a new object for each look-up."
        calls.fail(did, "the traceback of each exception is equally long.", came, look)


def check_found(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a value is returned, and not kept: that is the task of the cache for values."""
    bench = NegativeCacheBench(factory, calls)
    bench.products[NAME] = VALUE
    did = f"cache.get({NAME!r}, load) twice, while load() returns {VALUE!r}"
    for outcome in (bench.look_up(), bench.look_up()):
        if outcome.value != VALUE or outcome.loads != 1:
            came = f"it {_told(outcome)}, and load() was called {_times(outcome.loads)}."
            look = "Keep absent names only. A value has a cache of its own, with another lifetime."
            calls.fail(did, "each call calls load() once, and returns its value.", came, look)


def check_only_not_found(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that another error reaches the caller and is not remembered."""
    bench = NegativeCacheBench(factory, calls)
    bench.products[NAME] = VALUE
    bench.database_error = DatabaseDown("the database does not answer")
    did = f"cache.get({NAME!r}, load), while load() raises DatabaseDown"
    outcome = bench.look_up(text=did)
    look = "Only not_found says that a thing does not exist. After any other error, nothing is known: let it pass."
    if outcome.error is not bench.database_error:
        calls.fail(did, "the caller gets that DatabaseDown.", f"it {_told(outcome)}.", look)
    bench.database_error = None
    outcome = bench.look_up(text=f"{did}; and once more, when the database is back")
    if outcome.value != VALUE:
        did = f"{did}; and once more, when the database is back"
        calls.fail(did, f"the second call returns {VALUE!r}.", f"it {_told(outcome)}.", look)


def check_short(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that an absence is remembered for its lifetime, and that look-ups do not prolong it."""
    for ttl_s in (TTL_S, TTL_S / 4):
        bench = NegativeCacheBench(factory, calls, ttl_s)
        bench.look_up()
        for _ in range(9):
            bench.clock.advance(ttl_s / 10)
            if bench.look_up().loads:
                came = f"load() was called after {bench.clock.monotonic():g} s."
                did = f"{bench.made}, and cache.get({NAME!r}, load) every {ttl_s / 10:g} s"
                look = "Compare clock() with the time at which the name was stored, plus ttl_s."
                calls.fail(did, f"no load for {ttl_s:g} s after the first one.", came, look)
        bench.clock.advance(ttl_s / 5)
        did = f"{bench.made}, and cache.get({NAME!r}, load) every {ttl_s / 10:g} s"
        if not bench.look_up(text=did).loads:
            came = f"load() was not called after {bench.clock.monotonic():g} s either."
            look = "By clock(), the lifetime begins with the load. A look-up answered from memory does not prolong it."
            if not bench.clock_calls:
                came = f"{came[:-1]}, and clock() was never called."
                look = "Ask clock() for the time, and not the module time: the store and the check hand their clock in."
            calls.fail(did, f"a load after more than {ttl_s:g} s.", came, look)


def check_bounded(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a flood of names leaves the newest ones, as many as the limit."""
    bench = NegativeCacheBench(factory, calls)
    names = [f"guess-{number}" for number in range(FLOOD)]
    for name in names:
        bench.look_up(name)
    did = f"{bench.made}, then cache.get for {FLOOD} absent names, and once more for each, the newest first"
    kept = [name for name in reversed(names) if not bench.look_up(name).loads]
    if lost := [name for name in reversed(names[-LIMIT:]) if name not in kept]:
        look = "When the limit is reached, the oldest name goes: this one, and no other. The new one stays."
        came = f"load() was called again for {len(lost)} of these {LIMIT}: {', '.join(lost)}."
        calls.fail(did, f"the newest {LIMIT} names need no second load.", came, look)
    if len(kept) > LIMIT:
        look = "Everybody can invent names. Before you store one more than the limit, delete the oldest."
        came = f"{len(kept)} of {FLOOD} names needed no second load."
        calls.fail(did, f"at most {LIMIT} names are remembered.", came, look)


def check_memory(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that neither absent nor created names stay in memory beyond the limit."""
    bench = NegativeCacheBench(factory, calls, limit=SMALL_LIMIT)
    for words, use in (("cache.get", bench.look_up), ("cache.created", bench.create)):
        grown_mb = _grown_mb(use, bench.products)
        if grown_mb > rule.threshold:
            did = f"{bench.made}, then {words} for {LONG_NAMES} names of {LONG_NAME_CHARS:,} characters each"
            came = f"the memory has grown by {grown_mb:.0f} MB, after {words} for {LONG_NAMES} names."
            look = "Something in your cache keeps each name. Count the creations, for example, and do not list them."
            calls.fail(did, f"the memory grows by at most {rule.threshold:g} MB.", came, look)


def check_later_creation(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a created product is found at once."""
    bench = NegativeCacheBench(factory, calls)
    bench.look_up()
    bench.create()
    did = f"cache.get({NAME!r}, load), then cache.created({NAME!r}), then cache.get({NAME!r}, load)"
    outcome = bench.look_up(text=did)
    if outcome.value != VALUE:
        look = "created(name) has to delete the name."
        calls.fail(did, f"the last call returns {VALUE!r}.", f"it {_told(outcome)}.", look)


def check_creation_during_load(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a load which began before a creation, and found nothing, leaves nothing behind."""
    bench = NegativeCacheBench(factory, calls)
    did = (
        f"cache.get({NAME!r}, load); while its load() reads, the product is created, and another thread calls "
        f"cache.created({NAME!r}); then load() raises NoSuchProduct"
    )
    waited = calls.call(did, _create_during_load, bench.cache)
    if waited:
        look = "A load takes as long as the database does. Hold no lock while load() runs."
        calls.fail(did, "created() returns while load() runs.", "created() waited for the end of load().", look)
    bench.products[NAME] = VALUE
    did = f"{did}; and then cache.get({NAME!r}, load) once more"
    outcome = bench.look_up(text=did)
    if outcome.value != VALUE:
        look = "load() looked before the creation. Note before a load how many creations there were, and compare after."
        calls.fail(did, f"the last call returns {VALUE!r}.", f"it {_told(outcome)}.", look)


def _create_during_load(cache: Any) -> bool:
    """Create a product while another thread's load of it runs; return whether the creation had to wait."""
    loading, created = threading.Event(), threading.Event()

    def load() -> bytes:
        loading.set()
        created.wait(GIVE_UP_S)
        raise NoSuchProduct(absence(NAME))

    def look_up() -> None:
        try:
            cache.get(NAME, load)
        except Exception:  # noqa: BLE001 - an earlier check looks at the exception
            return

    reader = threading.Thread(target=look_up, daemon=True)
    creator = threading.Thread(target=cache.created, args=(NAME,), daemon=True)
    reader.start()
    loading.wait(GIVE_UP_S)
    creator.start()
    for _ in range(CREATION_TICKS):
        creator.join(TICK_S)
    waited = creator.is_alive()
    created.set()
    reader.join(GIVE_UP_S)
    creator.join(GIVE_UP_S)
    return waited


def _grown_mb(use: Callable[[str], object], products: dict[str, bytes]) -> float:
    """Return by how much the memory has grown after the use of many long names."""
    was_tracing = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(LONG_NAMES):
            name = f"{number:0{LONG_NAME_CHARS}}"
            use(name)
            products.pop(name, None)
        gc.collect()
        return (tracemalloc.get_traced_memory()[0] - before) / BYTES_A_MB
    finally:
        if not was_tracing:
            tracemalloc.stop()


def _depth(error: BaseException | None) -> int:
    """Return how many lines the traceback of an exception has."""
    depth, traceback = 0, error.__traceback__ if error else None
    while traceback is not None:
        depth, traceback = depth + 1, traceback.tb_next
    return depth


def _told(outcome: LookupOutcome) -> str:
    if outcome.error is None:
        return f"returned {shorten(outcome.value)}"
    return f"raised {type(outcome.error).__name__}: {shorten(str(outcome.error))}"


def _times(count: int) -> str:
    return {0: "not at all", 1: "once"}.get(count, f"{count} times")


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "remembers": check_remembers,
    "exception": check_exception,
    "found": check_found,
    "only-not-found": check_only_not_found,
    "short": check_short,
    "bounded": check_bounded,
    "memory": check_memory,
    "later-creation": check_later_creation,
    "creation-during-load": check_creation_during_load,
}
