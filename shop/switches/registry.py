"""The switches: their declaration, and each process's snapshot of their values.

Problem: the effect of a pattern shows only if the same store runs with and without it.
Method: every switch is declared here with its values, the correct one first. A :class:`SwitchPoller` reads the stored
values in a background thread, so no request waits for them; if the store of values fails, the last values stay. A
request takes one :class:`SwitchSnapshot` at its start and keeps it to its end.
Source: Pete Hodgson, "Feature Toggles" (2017): decide at the edge, not in the middle of the logic.
"""

import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from shop import threads
from shop.did_you_mean import did_you_mean
from shop.errors import InvalidFields
from shop.switches import parameters
from shop.switches.attempt_slots import ATTEMPT, STORE, AttemptSlot, is_attempt

ATTEMPT_REFRESH_S = 0.25
"""Longest pause between two reads while an attempt of the reader is in force: a save is to be in force within a
second."""


@dataclass(frozen=True, slots=True)
class PatternSwitch:
    """One switch.

    Args:
        name: dotted name, as in the contract.
        values: all values; the first is the default and always correct.
        description: one line: what a change of the switch shows.
        unsafe: values that exist only for measurements, refused outside the lab profile.
    """

    name: str
    values: tuple[str, ...]
    description: str
    unsafe: frozenset[str] = frozenset()

    @property
    def default(self) -> str:
        """Return the value of a switch that was not set."""
        return self.values[0]


SWITCHES: Mapping[str, PatternSwitch] = MappingProxyType(
    {
        switch.name: switch
        for switch in (
            PatternSwitch(
                "cache.browser",
                ("on", "off"),
                "Validators: a returning browser asks if the page has changed, and a 304 response has no body.",
            ),
            PatternSwitch(
                "cache.edge",
                ("on", "off"),
                "nginx stores public responses: a hit runs no Python, and a change purges exactly what depends on it.",
            ),
            PatternSwitch(
                "cache.local",
                ("on", "off"),
                "Copies in each process's memory, invalidated by broadcast: a hot page needs no round trip at all.",
            ),
            PatternSwitch(
                "cache.shared",
                ("on", "off"),
                "Cache-aside on Valkey: a warm page costs one round trip to memory and no query.",
            ),
            PatternSwitch(
                "cache.invalidation",
                ("event", "write-through", "ttl"),
                "What a writer does after its commit: invalidate what it changed, also refill it, or let it expire.",
            ),
            PatternSwitch(
                "cache.stampede",
                ("lock+early", "lock", "early", "refresh-ahead", "none"),
                "Which requests load when a hot entry expires: one in all processes, some readers, or every request.",
            ),
            PatternSwitch(
                "cache.negative",
                ("on", "off"),
                'Stores "not found" for seconds: a made-up URL costs no query the second time.',
            ),
            PatternSwitch(
                "cache.jitter",
                ("on", "off"),
                "Lifetimes differ by a tenth: entries that were stored together do not expire together.",
            ),
            PatternSwitch(
                "cache.stale_if_error",
                ("on", "off"),
                "Returns the last good value while loading fails: browsing survives a database outage for a while.",
            ),
            PatternSwitch(
                "api.composite",
                ("on", "off"),
                "One call per screen; off, the product page's script makes one call per part.",
            ),
            PatternSwitch(
                "web.prefetch",
                ("off", "on"),
                "Browsers request a product's page while the pointer rests on its link: a faster click, more requests.",
            ),
            PatternSwitch(
                "checkout.idempotency",
                ("on", "off"),
                "A key makes a retry safe; off, a client that times out and tries again orders and pays twice.",
                unsafe=frozenset({"off"}),
            ),
            PatternSwitch(
                "checkout.transaction",
                ("on", "off"),
                "Each phase is one transaction; off, every statement commits alone, and a crash leaves broken books.",
                unsafe=frozenset({"off"}),
            ),
            PatternSwitch(
                "checkout.stock",
                ("conditional", "pessimistic", "serializable", "optimistic", "naive"),
                "Five ways to take the last piece; the last way, naive, sells it twice.",
                unsafe=frozenset({"naive"}),
            ),
            PatternSwitch(
                "orders.projection",
                ("inline", "async"),
                "The rows behind lists and counts of orders: written with the event, or a moment later by the worker.",
            ),
            PatternSwitch(
                "orders.confirmation",
                ("queue", "inline"),
                "Mail after the response, retried until sent; inline, the shopper waits and a failure loses the mail.",
            ),
            PatternSwitch(
                "payments.breaker",
                ("on", "off"),
                "Stops calling a provider that fails or is slow; off, every checkout waits for it and holds a thread.",
            ),
            PatternSwitch(
                "payments.timeout",
                ("on", "off"),
                "A limit per call, inside the request's deadline; off, a thread waits as long as the provider takes.",
            ),
            PatternSwitch(
                "payments.retries",
                ("on", "off"),
                "Retries in one layer, with full jitter and a budget; off, the first failure reaches the shopper.",
            ),
            PatternSwitch(
                "retry.budget",
                ("share", "quota", "throttle", "off"),
                "What limits all retries together: a share of the calls, tokens that answers return, or a client that"
                " refuses calls itself; off, each call has all its attempts.",
            ),
            PatternSwitch(
                "overload.rate_limit",
                ("on", "off"),
                "How many writes and log-ins a client may send in a minute; off, one client can keep the store busy.",
            ),
            PatternSwitch(
                "overload.shedding",
                ("gradient", "aimd", "off"),
                "Refuses what the store cannot serve in time, crawlers first and checkouts last; off, all threads run,"
                " and nobody is refused for another.",
            ),
            PatternSwitch(
                "overload.queue",
                ("codel", "fifo", "adaptive-lifo"),
                "The order of requests that wait for a thread, and how long they may: a queue that stands serves"
                " everybody late.",
            ),
            PatternSwitch(
                "overload.lanes",
                ("shared", "sharded", "shuffle"),
                "Which request threads a client may use: all; one lane of eight; or two of eight, which almost no other"
                " client has both of. One client can hold its own lanes only.",
            ),
            PatternSwitch(
                "observability.logs",
                ("json", "off"),
                "One JSON line per request, joined by the request id; off, nothing is written.",
            ),
        )
    }
)
_POSITIONS: Mapping[str, int] = MappingProxyType({name: position for position, name in enumerate(SWITCHES)})
_PARAMETER_POSITIONS: Mapping[str, int] = MappingProxyType(
    {name: position for position, name in enumerate(parameters.LAB_PARAMETERS)}
)
_PARAMETER_DEFAULTS = parameters.parse_values({})


@dataclass(frozen=True, slots=True)
class SwitchSnapshot:
    """The values of all switches and parameters at one moment; hashable, so it can be the key of an object graph."""

    values: tuple[str, ...]
    """One value per switch, in the order of :data:`SWITCHES`; the default for a switch whose value is an attempt."""
    parameters: tuple[float, ...] = _PARAMETER_DEFAULTS
    """One value per parameter, in the order of ``LAB_PARAMETERS``."""
    attempts: tuple[tuple[str, str], ...] = ()
    """The switches whose stored value is the reader's code, by name, with that value (``attempt:1a2b3c4d``)."""

    @classmethod
    def from_stored(cls, stored: Mapping[str, str]) -> "SwitchSnapshot":
        """Build a snapshot from stored values; a value that is missing or no longer exists counts as the default."""
        return cls(
            tuple(
                stored[name] if stored.get(name) in switch.values else switch.default
                for name, switch in SWITCHES.items()
            ),
            parameters.parse_values(stored),
            tuple(sorted((name, value) for name, value in stored.items() if is_attempt(value))),
        )

    def __getitem__(self, name: str) -> str:
        """Return the value of a switch.

        Raises:
            KeyError: there is no such switch.
        """
        return self.values[_POSITIONS[name]]

    def parameter(self, name: str) -> float:
        """Return the value of a parameter.

        Raises:
            KeyError: there is no such parameter.
        """
        return self.parameters[_PARAMETER_POSITIONS[name]]

    def to_dict(self) -> dict[str, str]:
        """Return the stored values of the switches by name."""
        return {**dict(zip(SWITCHES, self.values, strict=True)), **dict(self.attempts)}

    @property
    def digest(self) -> int:
        """Return a number of 32 bits: two processes with the same one have the same values."""
        return zlib.crc32(repr((self.values, self.parameters, self.attempts)).encode())


def list_switches(slots: Mapping[str, AttemptSlot]) -> dict[str, PatternSwitch]:
    """Return every switch by name; those of begun exercises take one more value.

    Args:
        slots: of the begun exercises, by switch.
    """
    listed = dict(SWITCHES)
    for name, slot in sorted(slots.items()):
        known = SWITCHES.get(name) or PatternSwitch(
            name, (STORE,), f"Exercise {slot.number}, {slot.slug}: the store's own code, or your attempt."
        )
        listed[name] = replace(known, values=(*known.values, ATTEMPT))
    return listed


def validate(name: str, value: str, *, allow_unsafe: bool) -> None:
    """Refuse a value that a switch cannot take.

    Raises:
        InvalidFields: no such switch, no such value, or an unsafe value where those are refused.
    """
    switch = SWITCHES.get(name)
    if switch is None:
        raise InvalidFields(
            f"There is no switch {name!r}.{did_you_mean(name, SWITCHES)}", errors={"name": "unknown switch"}
        )
    if value not in switch.values:
        raise InvalidFields(
            f"{name} takes {', '.join(switch.values)}; not {value!r}.", errors={"value": "not one of its values"}
        )
    if is_unsafe(name, value) and not allow_unsafe:
        raise InvalidFields(
            f"{name}={value} is unsafe and refused outside the lab profile.", errors={"value": "unsafe"}
        )


def is_unsafe(name: str, value: str) -> bool:
    """Return whether a value exists only for measurements, or is the reader's code."""
    return value in SWITCHES[name].unsafe or is_attempt(value)


class SwitchPoller:
    """Keeps the current snapshot of one process up to date in the background.

    Args:
        load: reads the stored values; if it raises, the last snapshot stays.
        refresh_s: seconds between two reads.
        on_failure: called with the error of each failed read.
        on_read: called with each snapshot, also an unchanged one.
    """

    def __init__(
        self,
        load: Callable[[], Mapping[str, str]],
        refresh_s: float,
        on_failure: Callable[[Exception], None] = lambda error: None,
        on_read: Callable[[SwitchSnapshot], None] = lambda snapshot: None,
    ) -> None:
        self._load = load
        self._refresh_s = refresh_s
        self._on_failure = on_failure
        self._on_read = on_read
        self.prepare: Callable[[SwitchSnapshot], None] = lambda snapshot: None
        """Called with each new snapshot before it is in force."""
        self._snapshot = SwitchSnapshot.from_stored({})
        self._lock = threading.Lock()  # a read that began before a change must not overwrite the read that saw it
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def current(self) -> SwitchSnapshot:
        """Return the newest snapshot; never blocks, never fails."""
        return self._snapshot

    def refresh(self) -> None:
        """Read the stored values now; keep the last snapshot if that fails."""
        with self._lock:
            try:
                snapshot = SwitchSnapshot.from_stored(self._load())
                if snapshot != self._snapshot:
                    self.prepare(snapshot)
                    self._snapshot = snapshot
                self._on_read(self._snapshot)
            except Exception as error:  # noqa: BLE001 - whatever the store raises, the last snapshot is still good
                self._on_failure(error)

    def start(self) -> None:
        """Read once, then keep reading in a daemon thread. Call it after a fork: a child process has no thread."""
        self.refresh()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._poll, name="switches", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and wait for the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=self._refresh_s * 2)

    @property
    def fault(self) -> str:
        """Return the fault of the polling thread; empty while it lives."""
        return threads.thread_fault(self._thread, self._stopped)

    def _poll(self) -> None:
        while not self._stopped.wait(self._pause_s()):
            self.refresh()

    def _pause_s(self) -> float:
        return min(self._refresh_s, ATTEMPT_REFRESH_S) if self._snapshot.attempts else self._refresh_s
