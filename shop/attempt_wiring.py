"""The composition root of the reader's attempts: which part of the store is replaced by one.

A process imports ``shop.exercises`` only when a stored value names an attempt. Nothing else of the store imports it: an
architecture rule allows this module alone.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from shop.switches.attempt_slots import AttemptSlots, is_attempt
from shop.switches.registry import SwitchSnapshot
from shop.switches.store import SwitchStore

if TYPE_CHECKING:
    from shop.exercises.in_store.store_attempts import StoreAttempts

Part = TypeVar("Part")


class AttemptSeams:
    """The attempts of one snapshot, in the place of parts of the store.

    Args:
        attempts: of the process.
        snapshot: of the switches.
    """

    def __init__(self, attempts: "StoreAttempts | None" = None, snapshot: SwitchSnapshot | None = None) -> None:
        self._attempts = attempts
        self._values = dict(snapshot.attempts) if snapshot else {}

    def choose(self, name: str, default: Part, **tools: object) -> Part:
        """Return the attempt that a switch names, in the form of a part of the store; otherwise that part itself.

        Args:
            name: of the switch.
            default: the store's own part.
            tools: further parts that the attempt works with.
        """
        if self._attempts is None or name not in self._values:
            return default
        return self._attempts.choose(name, self._values[name], default, tools)


NO_ATTEMPTS = AttemptSeams()


class ProcessAttempts:
    """The attempts of one process; empty, and without any cost, until a stored value names one.

    Args:
        store: of the switches.
        slots: of the begun exercises; ``None`` outside the lab profile.
        process: kind of this process.
        request_replacement: lets this process be replaced; by default it ends, and its parent starts another.
    """

    def __init__(
        self,
        store: SwitchStore,
        slots: AttemptSlots | None,
        process: str,
        request_replacement: Callable[[str], None] | None = None,
    ) -> None:
        self._store = store
        self._slots = slots
        self._process = process
        self._request_replacement = request_replacement
        self._attempts: StoreAttempts | None = None

    def load(self) -> Mapping[str, str]:
        """Return the stored values of the switches; the attempts that they name are loaded."""
        stored = self._store.load()
        if self._slots is not None and any(is_attempt(value) for value in stored.values()):
            return self._running(self._slots).follow(stored)
        if self._attempts is not None:
            self._attempts.follow(stored)
        return stored

    def seams(self, snapshot: SwitchSnapshot) -> AttemptSeams:
        """Return the attempts of a snapshot."""
        return AttemptSeams(self._attempts, snapshot) if snapshot.attempts else NO_ATTEMPTS

    def close(self) -> None:
        """Remove all traces from the process."""
        if self._attempts is not None:
            self._attempts.close()

    def _running(self, slots: AttemptSlots) -> "StoreAttempts":
        if self._attempts is None:
            from shop.exercises.in_store.store_attempts import StoreAttempts

            self._attempts = StoreAttempts(slots, self._process, self._store.replace, self._request_replacement)
        return self._attempts
