"""Checks of the exercise ``stampede-lock``: one load, and a lock that is released by its owner alone.

The lock is a key in a real Valkey. Time is handed in and moves only in ``sleep``, so no check waits. Each race is
played in a fixed order: the check acts for the other process at a chosen moment, in ``load``, in ``sleep``, or right
after one of the attempt's commands.
"""

import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.graders.observed_valkey import ObservedValkey

LOCK = "lock:screen:home"
LOCK_S = 2.0
MAX_WAIT_S = 1.0
VALUE = b"<h1>Home</h1>"
OTHER = b"token-of-another-process"
NO_EXPIRY = -1
"""The reply to PTTL for a key without an expiry."""
OTHER_MS = 60_000
"""The other process holds its lock longer than any check lasts."""
ENDLESS_S = 10 * MAX_WAIT_S
ENDLESS_CALLS = 2000
"""Commands and sleeps of one call; a right answer needs fewer than a hundred."""
THREADS = 8
MEETING_S = 1.0
"""For threads that neither wait nor load."""
MADE = "load_once = stampede_lock(valkey, lock_s=2, max_wait_s=1, clock, sleep)"
CALL = f"load_once({LOCK!r}, read, load)"


class FailedLoad(Exception):
    """The database cannot be read."""


class StillWaiting(BaseException):
    """The attempt waits without an end; not an ``Exception``, so that the attempt does not catch it."""


class ThreadClock:
    """A clock of its own for each thread, which moves only when the thread sleeps."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def monotonic(self) -> float:
        """Return the seconds that this thread has slept."""
        return getattr(self._of_thread, "seconds", 0.0)

    def advance(self, seconds: float) -> None:
        """Move the clock of this thread."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")  # as time.sleep does
        self._of_thread.seconds = self.monotonic() + seconds


class ThreadMeeting:
    """Lets one thread load until all others have begun to wait for it: the order of a race that goes well."""

    def __init__(self) -> None:
        self.begin = threading.Barrier(THREADS).wait
        self._arrived: set[int] = set()
        self._everybody = threading.Condition()
        self._loaded = threading.Event()

    def load(self) -> None:
        """Take as long as the other threads need to begin their wait, or a load."""
        with self._everybody:
            self._arrived.add(threading.get_ident())
            self._everybody.notify_all()
            self._everybody.wait_for(lambda: len(self._arrived) == THREADS, MEETING_S)
        self._loaded.set()

    def sleep(self) -> None:
        """Take as long as the load does."""
        with self._everybody:
            self._arrived.add(threading.get_ident())
            self._everybody.notify_all()
        self._loaded.wait(MEETING_S)


class LockBench:
    """One process of the store that uses the attempt's lock; the check plays the others.

    Args:
        factory: the attempt's.
        calls: the means to call it.
    """

    def __init__(self, factory: Callable[..., Any], calls: AttemptCalls) -> None:
        self.valkey = ObservedValkey(calls.servers.valkey(), self._count_command)
        self.valkey.execute("FLUSHDB")
        self.clock = ThreadClock()
        self.stored: bytes | None = None
        """The value in the cache."""
        self.loads: list[float] = []
        """When each load began."""
        self.after_command: Callable[[], object] = lambda: None
        self.interrupt_at = 0
        """The command of the attempt after which another process takes the lock; 0 for none."""
        self.during_load: Callable[[], object] = lambda: None
        self.after_sleep: Callable[[], object] = lambda: None
        self._calls = calls
        self._count = 0
        arguments = (self.valkey.client, LOCK_S, MAX_WAIT_S, self.clock.monotonic, self.sleep)
        self.load_once = calls.call(MADE, factory, *arguments)

    def run(self, did: str = CALL) -> None:
        """Let the attempt look the value up, and expect it.

        Args:
            did: the situation.
        """
        try:
            value = self._calls.call(did, self.load_once, LOCK, self.read, self.load)
        except StillWaiting:
            came = f"it was still waiting after {self.clock.monotonic():.0f} s and {self._count} commands and sleeps."
            look = "Each round of your loop has to sleep a little, and to compare clock() with the end of the wait."
            self._calls.fail(did, f"it waits at most {MAX_WAIT_S:g} s.", came, look)
        if value != VALUE:
            look = "Return the value in every case: that of load(), or that of read()."
            self._calls.fail(did, f"it returns {VALUE!r}.", f"it returned {shorten(value)}.", look)

    def read(self) -> bytes | None:
        """Return the value in the cache."""
        return self.stored

    def load(self) -> bytes:
        """Load the value, and store it."""
        self.loads.append(self.clock.monotonic())
        self.during_load()
        self.stored = VALUE
        return VALUE

    def sleep(self, seconds: float) -> None:
        """Sleep, without waiting."""
        self.clock.advance(seconds)
        self._count_command()
        if self.clock.monotonic() > ENDLESS_S:
            raise StillWaiting
        self.after_sleep()

    def holder(self) -> bytes | None:
        """Return the token in the lock."""
        token: bytes | None = self.valkey.execute("GET", LOCK)
        return token

    def left_s(self) -> float:
        """Return the seconds after which the lock ends by itself; 0 if it is free, infinity if it never ends."""
        left_ms = self.valkey.execute("PTTL", LOCK)
        return math.inf if left_ms == NO_EXPIRY else max(0, left_ms) / 1000

    def take_for_other(self) -> None:
        """Let another process hold the lock."""
        self.valkey.execute("SET", LOCK, OTHER, "PX", OTHER_MS)

    def _count_command(self) -> None:
        self._count += 1
        if self._count > ENDLESS_CALLS:
            raise StillWaiting
        if self.interrupt_at and len(self.valkey.commands) == self.interrupt_at:
            self.take_for_other()
        self.after_command()


def check_lock(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the lock is held while the value is loaded, and ends by itself if nobody releases it."""
    bench = LockBench(factory, calls)
    seen: list[tuple[bytes | None, float]] = []
    bench.during_load = lambda: seen.append((bench.holder(), bench.left_s()))
    did = f"{CALL}, while the lock is free and the cache has no value"
    bench.run(did)
    holder, left_s = seen[0] if seen else (None, 0.0)
    if holder is None:
        came = f"while load() ran, Valkey had no key {LOCK!r}." if seen else "load() was not called."
        look = "SET with NX and PX takes a lock that is free, and gives it an end, in one command."
        calls.fail(did, f"while load() runs, the key {LOCK!r} stands in Valkey.", came, look)
    if not LOCK_S / 2 <= left_s <= LOCK_S:
        came = "the lock never expires." if math.isinf(left_s) else f"the lock expires after {left_s:.3g} s."
        look = (
            "PX takes milliseconds, EX takes seconds. Without an end, a process that dies blocks all others for ever."
        )
        calls.fail(did, f"the lock expires by itself after {LOCK_S:g} s.", came, look)


def check_expiry(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the lock has an end at each moment, also between two commands."""
    bench = LockBench(factory, calls)
    endless: list[str] = []
    bench.after_command = lambda: endless.append(bench.valkey.last) if math.isinf(bench.left_s()) else None
    bench.run()
    if endless:
        did = f"{CALL}, while the lock is free; the process is killed right after its command {endless[0]}"
        look = "SET has the options NX and PX: one command takes the lock and gives it an end."
        calls.fail(did, "the lock expires by itself.", f"after {endless[0]}, the lock has no expiry yet.", look)


def check_released(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the lock is free after the load, also if the load failed."""

    def fail_load() -> None:
        raise FailedLoad("the database does not answer")

    bench = LockBench(factory, calls)
    bench.run()
    _expect_free(calls, bench, f"{CALL}, while the lock is free")
    bench = LockBench(factory, calls)
    bench.during_load = fail_load
    did = f"{CALL}, while load() raises FailedLoad"
    error = calls.call(did, _error_of, bench)
    if not isinstance(error, FailedLoad):
        came = "it raised nothing." if error is None else f"it raised {type(error).__name__}: {shorten(str(error))}."
        calls.fail(did, "the caller gets that FailedLoad.", came, "Let the exception of load() pass.")
    _expect_free(calls, bench, did, "after the failed load")


def check_own_token(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that each load has a token of its own, also two loads of one process."""
    bench = LockBench(factory, calls)
    tokens: list[bytes | None] = []
    bench.during_load = lambda: tokens.append(bench.holder())
    for _ in range(2):
        bench.stored = None
        bench.run()
    if len(set(tokens)) < len(tokens):
        did = f"{CALL} twice, one after the other"
        look = "Two threads of one process may hold the lock one after the other: each needs a new random token."
        calls.fail(did, "two different tokens.", f"both times, the lock contained {shorten(tokens[0])}.", look)


def check_others_lock(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that the attempt never touches the lock of another process, wherever it is interrupted."""
    bench = LockBench(factory, calls)
    bench.run()
    for place, command in enumerate(bench.valkey.commands, start=1):
        bench = LockBench(factory, calls)
        bench.interrupt_at = place
        did = (
            f"{CALL}; right after its command {place}, {command}, the process is paused until its lock has expired, "
            "and another process takes the lock"
        )
        bench.run(did)
        held = bench.holder()
        if held != OTHER or bench.left_s() < OTHER_MS / 2000:
            came = "is gone" if held is None else "has another end now" if held == OTHER else f"holds {shorten(held)}"
            look = "Compare and delete in one step: a script, as EVAL runs it, is not interrupted by other commands."
            expected = "the lock of the other process stays as it is."
            calls.fail(did, expected, f"after {command}: the lock of the other process {came}.", look)


def check_second_read(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a caller which gets the lock reads once more before it loads."""
    bench = LockBench(factory, calls)

    def store_before() -> None:
        if bench.holder() is not None:
            bench.stored = VALUE

    bench.after_command = store_before
    did = f"{CALL}; just before it takes the lock, another process has stored the value and released the lock"
    bench.run(did)
    if bench.loads:
        look = "Between the miss and the lock, another process may have loaded. Read again while you hold the lock."
        calls.fail(did, "load() is not called.", "load() was called for a value that the cache has.", look)
    _expect_free(calls, bench, did)


def check_wait(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a caller waits for a lock that is never released, and loads by itself in the end."""
    bench = LockBench(factory, calls)
    bench.take_for_other()
    did = f"{CALL}, while another process holds the lock and never releases it"
    bench.run(did)
    waited_s = bench.loads[0] if bench.loads else bench.clock.monotonic()
    if not MAX_WAIT_S / 2 <= waited_s <= MAX_WAIT_S + rule.threshold or not bench.loads:
        expected = f"load() is called after {MAX_WAIT_S:g} s, without the lock."
        look = "Sleep in short pauses until clock() has reached the end of the wait."
        came = f"load() was called after {waited_s:.2f} s." if bench.loads else "load() was not called."
        calls.fail(did, expected, came, look)
    if bench.holder() != OTHER:
        look = "A caller that has waited in vain does not own the lock, and leaves it alone."
        calls.fail(did, "the other process still has its lock.", "the lock is gone.", look)


def check_wake(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that a waiting caller takes the value soon after another process has stored it."""
    bench, done_s = LockBench(factory, calls), MAX_WAIT_S / 5
    bench.take_for_other()

    def store_for_other() -> None:
        if bench.clock.monotonic() >= done_s and bench.stored is None:
            bench.stored = VALUE
            bench.valkey.execute("DEL", LOCK)

    bench.after_sleep = store_for_other
    did = f"{CALL}, while another process holds the lock, stores the value after {done_s:g} s and releases the lock"
    bench.run(did)
    waited_s = bench.clock.monotonic()
    if bench.loads:
        look = "After each pause, read the value before you try to take the lock, or read it while you hold the lock."
        calls.fail(did, "load() is not called.", f"load() was called after {bench.loads[0]:.2f} s.", look)
    if waited_s > done_s + rule.threshold:
        expected = f"it returns the value within {rule.threshold:g} s."
        look = "Sleep in short pauses, a twentieth of a second each, and read after each."
        calls.fail(did, expected, f"it returned the value {waited_s - done_s:.2f} s later.", look)


def check_one_load(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that of many threads, which miss at the same moment, one loads."""
    bench, meeting = LockBench(factory, calls), ThreadMeeting()
    bench.during_load = meeting.load
    bench.after_sleep = meeting.sleep

    did = f"{CALL} by {THREADS} threads of one process at the same moment"

    def look_up() -> None:
        meeting.begin()
        bench.run(did)

    calls.together(*[look_up] * THREADS)
    if len(bench.loads) != 1:
        look = "A caller that does not get the lock waits, and reads again after each pause."
        calls.fail(did, "load() is called once.", f"load() was called {len(bench.loads)} times.", look)
    _expect_free(calls, bench, did)


def _error_of(bench: LockBench) -> Exception | None:
    """Return the exception of a look-up."""
    try:
        bench.load_once(LOCK, bench.read, bench.load)
    except Exception as error:  # noqa: BLE001 - the check decides whether it is the right one
        return error
    return None


def _expect_free(calls: AttemptCalls, bench: LockBench, did: str, when: str = "after the load") -> None:
    if (held := bench.holder()) is not None:
        look = "Release in `finally`. And compare like with like: the client returns bytes, and b'a' is not 'a'."
        came = f"the key is still there {when}, with {shorten(held)}."
        calls.fail(did, f"afterwards, Valkey has no key {LOCK!r}.", came, look)


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "lock": check_lock,
    "expiry": check_expiry,
    "released": check_released,
    "own-token": check_own_token,
    "others-lock": check_others_lock,
    "second-read": check_second_read,
    "wait": check_wait,
    "wake": check_wake,
    "one-load": check_one_load,
}
