"""Which patterns exist to be flipped, and one process's view of how they stand.

Problem: a pattern's worth shows only when the same store runs with and without it.
Method: every switch is declared here with its values, the correct one first. A :class:`Board` polls the stored
values in a thread of its own, so no request ever waits for them, and keeps the last ones when the store of values is
away. A request takes one :class:`Snapshot` and keeps it to its end.
Source: Pete Hodgson, "Feature Toggles" (2017): decide at the edge, not in the middle of the logic.
"""

import difflib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shop import threads
from shop.errors import InvalidFields

FEW = 10
"""Names that can be listed in one sentence."""


@dataclass(frozen=True, slots=True)
class PatternSwitch:
    """One switch.

    Args:
        name: dotted name, as in the contract.
        values: what it can stand at; the first is the default and always correct.
        teaches: one line on what flipping it shows.
        unsafe: values that exist only to be measured, refused outside the lab profile.
    """

    name: str
    values: tuple[str, ...]
    teaches: str
    unsafe: frozenset[str] = frozenset()

    @property
    def default(self) -> str:
        """Return the value it stands at until somebody flips it."""
        return self.values[0]


PARAMETER_PREFIX = "lab."
"""What numbers are called that are kept beside the switches: no switch's name begins so."""

SWITCHES: Mapping[str, PatternSwitch] = MappingProxyType(
    {
        switch.name: switch
        for switch in (
            PatternSwitch(
                "cache.browser",
                ("on", "off"),
                "Validators: who comes back to a page asks whether it changed, and a 304 carries no body.",
            ),
            PatternSwitch(
                "cache.edge",
                ("on", "off"),
                "nginx keeps public answers: a hit reaches no Python at all; a change deletes exactly what it touched.",
            ),
            PatternSwitch(
                "cache.local",
                ("on", "off"),
                "Copies in each process's memory, dropped by broadcast: a hot screen costs no round trip at all.",
            ),
            PatternSwitch(
                "cache.shared",
                ("on", "off"),
                "Cache-aside on Valkey: a warm screen costs one round trip to memory and no query.",
            ),
            PatternSwitch(
                "cache.invalidation",
                ("event", "write-through", "ttl"),
                "What a writer does after its commit: end what it changed, fill it again too, or leave it to time.",
            ),
            PatternSwitch(
                "cache.stampede",
                ("lock+early", "lock", "early", "refresh-ahead", "none"),
                "Who loads when a hot entry ends: one in all processes, some of the readers, or everybody who asks.",
            ),
            PatternSwitch(
                "cache.negative",
                ("on", "off"),
                "Remembers for seconds that there is no such thing: made-up addresses cost no query the second time.",
            ),
            PatternSwitch(
                "cache.jitter",
                ("on", "off"),
                "Lifetimes differ by a tenth: what was filled together does not expire together.",
            ),
            PatternSwitch(
                "cache.stale_if_error",
                ("on", "off"),
                "The last good value stands in while loading fails: browsing outlives the database for a while.",
            ),
            PatternSwitch(
                "api.composite",
                ("on", "off"),
                "One call a screen; off, the product page's script makes one call a part.",
            ),
            PatternSwitch(
                "checkout.idempotency",
                ("on", "off"),
                "A key makes sending again safe; off, a client that times out and tries again orders and pays twice.",
                unsafe=frozenset({"off"}),
            ),
            PatternSwitch(
                "checkout.transaction",
                ("on", "off"),
                "A phase is one transaction; off, every statement commits by itself and a crash leaves broken books.",
                unsafe=frozenset({"off"}),
            ),
            PatternSwitch(
                "checkout.stock",
                ("conditional", "pessimistic", "serializable", "optimistic", "naive"),
                "Five ways to take the last piece; the last one sells it twice.",
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
                "Mail after the answer, tried until it is sent; inline, the shopper waits and a failure loses it.",
            ),
            PatternSwitch(
                "payments.breaker",
                ("on", "off"),
                "Not asking a provider that fails or dawdles; off, every checkout finds out for itself, with a thread.",
            ),
            PatternSwitch(
                "payments.timeout",
                ("on", "off"),
                "A limit a call, inside the request's deadline; off, a thread waits as long as the provider takes.",
            ),
            PatternSwitch(
                "payments.retries",
                ("on", "off"),
                "One layer that asks again, with full jitter and a budget; off, the first hiccup is the shopper's.",
            ),
            PatternSwitch(
                "observability.logs",
                ("json", "off"),
                "One JSON line a request, tied together by the request id; off, nothing is written.",
            ),
        )
    }
)


@dataclass(frozen=True, slots=True)
class SwitchSnapshot:
    """How all switches stand at one moment; hashable, so an object graph can be kept for it."""

    values: tuple[str, ...]
    """One value a switch, in the order of :data:`SWITCHES`."""
    parameters: tuple[tuple[str, str], ...] = ()
    """What an experiment has turned: name and stored value; see ``shop.switches.parameters``."""

    @classmethod
    def from_stored(cls, stored: Mapping[str, str]) -> "SwitchSnapshot":
        """Take the stored values, falling back to the default where one is missing or no longer exists."""
        return cls(
            tuple(
                stored[name] if stored.get(name) in switch.values else switch.default
                for name, switch in SWITCHES.items()
            ),
            tuple(sorted((name, value) for name, value in stored.items() if name.startswith(PARAMETER_PREFIX))),
        )

    def __getitem__(self, name: str) -> str:
        """Return a switch's value; raise ``KeyError`` for a name that does not exist."""
        return self.to_dict()[name]

    def to_dict(self) -> dict[str, str]:
        """Return name to value."""
        return dict(zip(SWITCHES, self.values, strict=True))


def validate(name: str, value: str, *, allow_unsafe: bool) -> None:
    """Refuse a flip that makes no sense.

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
    """Tell whether a value exists only to be measured."""
    return value in SWITCHES[name].unsafe


def did_you_mean(name: str, known: Mapping[str, object], also: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return what to write instead of an unknown name, as a sentence with a blank before it.

    Args:
        name: the unknown one.
        known: the names there are.
        also: other words for some of them.

    Returns:
        `` Did you mean X?`` for the closest; where none is close, all of them if they are few, else an empty text.
    """
    near = difflib.get_close_matches(name.lower(), [*known, *also], n=1)
    if near:
        return f" Did you mean {also.get(near[0], near[0])}?"
    return f" There are {', '.join(known)}." if len(known) <= FEW else ""


class SwitchPoller:
    """One process's current snapshot, kept fresh in the background.

    Args:
        load: reads the stored values; may raise, and then the last snapshot stays.
        refresh_s: seconds between two readings.
        on_failure: told of each reading that failed.
    """

    def __init__(
        self,
        load: Callable[[], Mapping[str, str]],
        refresh_s: float,
        on_failure: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._load = load
        self._refresh_s = refresh_s
        self._on_failure = on_failure
        self._snapshot = SwitchSnapshot.from_stored({})
        self._turn = threading.Lock()  # a reading begun before a flip must not end after the one that saw it
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def current(self) -> SwitchSnapshot:
        """Return the newest snapshot; never blocks, never fails."""
        return self._snapshot

    def refresh(self) -> None:
        """Read the stored values now; keep the last snapshot when that fails."""
        with self._turn:
            try:
                self._snapshot = SwitchSnapshot.from_stored(self._load())
            except Exception as error:  # noqa: BLE001 - whatever the store raises, the last snapshot is still good
                self._on_failure(error)

    def start(self) -> None:
        """Read once, then keep reading in a daemon thread. Call after a fork: threads do not survive one."""
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
        """What is wrong with the reading of switches; empty while its thread lives."""
        return threads.thread_fault(self._thread, self._stopped)

    def _poll(self) -> None:
        while not self._stopped.wait(self._refresh_s):
            self.refresh()
