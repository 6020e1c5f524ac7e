"""The services that the lab console's pages and API use."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shop.errors import ServiceUnavailable, StateConflict
from shop.faults import NONE, FaultChannel
from shop.lab_console.live_snapshot import LiveSnapshot
from shop.lab_orders import LabOrderChannel, processes_order
from shop.patterns.caching.inspection import MaxMemory
from shop.patterns.caching.valkey_client import CacheUnavailable
from shop.patterns.observability.metrics_summary import MetricsSummary
from shop.settings import Settings
from shop.switches.attempt_notes import AttemptNote, AttemptNotes, latest_notes
from shop.switches.attempt_slots import AttemptSlot, AttemptSlots, version_of
from shop.switches.parameters import CACHE_MEMORY, LAB_PARAMETERS, WEB_PROCESSES, validate
from shop.switches.registry import SwitchPoller, SwitchSnapshot
from shop.switches.store import SwitchStore


class StoredMail(Protocol):
    """A mail in the mailbox."""

    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime


@dataclass(frozen=True)
class AttemptReport:
    """A begun exercise, as the lab shows it.

    Args:
        slot: its place in the store.
        value: the stored value of its switch; ``None`` for the store's own code.
        notes: what went wrong with that version, or with the version that was in force last; the newest first.
        since: when that version was put in force; ``None`` for the store's own code.
    """

    slot: AttemptSlot
    value: str | None
    notes: tuple[AttemptNote, ...]
    since: datetime | None = None


@dataclass(frozen=True)
class ChangedParameter:
    """A parameter of the lab that has not the value with which the stack starts.

    Args:
        name: of the parameter.
        value: its value.
        default: the value to go back to.
    """

    name: str
    value: float
    default: float


@dataclass(frozen=True)
class LabConsoleServices:
    """The services of the lab console, made once per process.

    Args:
        settings: the number of web processes, the port of their metrics, and the directory of their logs.
        switch_store: stores switches and parameters for every process.
        slots: of the begun exercises.
        poller: this process's snapshot of them, refreshed at once after a change made here.
        fault_channel: asks the supervisor for faults, and reads its report.
        orders: asks the supervisor for another number of web processes.
        max_memory: memory limit of the cache; ``None`` if there is no cache.
        summarise: returns the sums of all web processes.
        live: the live figures, one answer for all viewers.
        latest_mails: returns so many mails of the mailbox, the newest first.
        mails_with_ids: returns the mails with these ``Message-ID`` values, the oldest first.
        load_exercises: returns the map of the exercises for the page; raises ``ConfigurationError`` if there are none,
            or the reader's progress cannot be read.
    """

    settings: Settings
    switch_store: SwitchStore
    slots: AttemptSlots
    poller: SwitchPoller
    fault_channel: FaultChannel
    orders: LabOrderChannel
    max_memory: MaxMemory | None
    summarise: Callable[[], MetricsSummary]
    live: LiveSnapshot
    latest_mails: Callable[[int], Sequence[StoredMail]]
    mails_with_ids: Callable[[Collection[str]], Sequence[StoredMail]]
    load_exercises: Callable[[], object]

    def switches_applied(self) -> bool:
        """Return whether every web process applies the stored values of switches and parameters.

        A process that is starting does not count: it reads the values before its first request.
        """
        stored = SwitchSnapshot.from_stored(self.switch_store.load())
        return set(self.summarise().switch_snapshots) == {stored.digest}

    def set_switch(self, name: str, value: str) -> None:
        """Set one switch; every process applies it within a second, this one at once.

        Raises:
            InvalidFields: an unknown name or value.
        """
        self.switch_store.set(name, value)
        self.poller.refresh()

    def attempt_reports(self) -> list[AttemptReport]:
        """Return the begun exercises whose attempt can run in the store."""
        values = dict(self.poller.current().attempts)
        since = self.switch_store.changed_at(values.keys())

        def notes(slot: AttemptSlot) -> list[AttemptNote]:
            if (value := values.get(slot.switch)) is None:
                return latest_notes(self.slots, slot)
            return AttemptNotes(self.slots, slot, version_of(value)).load()

        return [
            AttemptReport(slot, values.get(name), tuple(reversed(notes(slot))), since.get(name))
            for name, slot in self.slots.load().items()
        ]

    def reset_switches(self) -> None:
        """Set all switches and parameters back to their defaults."""
        self.switch_store.reset()
        self.poller.refresh()

    def put_all_back(self) -> None:
        """Set switches and parameters back to their defaults, and end every fault.

        Raises:
            ServiceUnavailable: the supervisor did not end the faults, or did not change the number of web processes.
        """
        self.reset_switches()
        self.fault_channel.clear()
        for parameter in self.changed_parameters():  # those that are not stored: the servers hold them
            self.set_parameter(parameter.name, parameter.default)

    def parameter(self, name: str) -> float | None:
        """Return the value of a parameter; ``None`` if the server that holds it does not answer."""
        if name == WEB_PROCESSES:
            return float(self.orders.report().web_processes) or None
        if name != CACHE_MEMORY:
            return self.poller.current().parameter(name)
        try:
            return self.max_memory.limit_mb() if self.max_memory else None
        except CacheUnavailable:
            return None

    def parameter_default(self, name: str) -> float:
        """Return the value that a parameter has when the stack starts."""
        of_this_stack = {WEB_PROCESSES: self.settings.workers, CACHE_MEMORY: self.settings.cache_memory_mb}
        return float(of_this_stack.get(name, LAB_PARAMETERS[name].default))

    def changed_parameters(self) -> list[ChangedParameter]:
        """Return the parameters that are not at their default.

        The memory of a cache that is no server of this stack has no default here, and a broken cache is not asked.
        """
        faults = self.fault_channel.report()
        asks_cache = "cache" in faults.offered and faults.active.get("cache", NONE) == NONE
        names = [name for name in LAB_PARAMETERS if name != CACHE_MEMORY or asks_cache]
        changed = [(name, self.parameter(name), self.parameter_default(name)) for name in names]
        return [
            ChangedParameter(name, value, default)
            for name, value, default in changed
            if value is not None and value != default
        ]

    def web_processes(self) -> int:
        """Return the number of web processes that answer now."""
        return len(self.summarise().switch_snapshots)

    def set_parameter(self, name: str, value: float) -> None:
        """Set one parameter; every process applies it within a second, this one at once.

        Raises:
            InvalidFields: an unknown name, or a value outside its bounds.
            StateConflict: it belongs to a server that this stack does not run.
            ServiceUnavailable: the cache or the supervisor does not answer.
        """
        if name == WEB_PROCESSES:
            validate(name, value)
            self.orders.send(processes_order(value))
            return
        if name != CACHE_MEMORY:
            self.switch_store.set_parameter(name, value)
            self.poller.refresh()
            return
        validate(name, value)
        if self.max_memory is None or "cache" not in self.fault_channel.report().offered:
            raise StateConflict("The cache is no server of this stack, so its memory cannot be changed from here.")
        try:
            self.max_memory.set_limit_mb(value)
        except CacheUnavailable:
            raise ServiceUnavailable("The cache does not answer.") from None
