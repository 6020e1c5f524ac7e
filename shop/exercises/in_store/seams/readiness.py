"""Exercise ``readiness``: the answer of a web process to ``/readyz``."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.interfaces.readiness import ReplicaDependency
from shop.exercises.short_text import shorten
from shop.patterns.health.readiness import ReadinessCheck

OWN_PARTS = frozenset({"threads"})
"""The dependencies that a process does not share with the others."""


@dataclass(frozen=True)
class AttemptHealth:
    """The attempt's answer, in the form of the store's report."""

    ready: bool
    states: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """Return the document that ``/readyz`` sends."""
        dependencies = {
            name: {"state": "ok", "required": False, "detail": ""}
            if state == "ok"
            else {"state": "away", "required": False, "detail": state}
            for name, state in self.states.items()
        }
        return {"status": "ready" if self.ready else "not ready", "dependencies": dependencies}


class AttemptReadiness:
    """The attempt in the form of a :class:`ReadinessCheck`.

    Args:
        attempt: the reader's code.
        probes: what it returned.
        own: the store's own check.
    """

    def __init__(self, attempt: LoadedAttempt, probes: Any, own: ReadinessCheck) -> None:
        self._attempt = attempt
        self._probes = probes
        self._own = own

    def latest(self) -> Any:
        """Return the report."""
        ready = self._attempt.call("is_ready()", self._probes.is_ready, (), lambda: None, _ready_fault)
        states = self._attempt.call("report()", self._probes.report, (), lambda: None, _report_fault)
        return self._own.latest() if ready is None or states is None else AttemptHealth(ready, states)


def adapt(attempt: LoadedAttempt, default: ReadinessCheck) -> Any:
    """Return the attempt's check, one a process."""
    dependencies = [
        ReplicaDependency(each.name, each.name not in OWN_PARTS, attempt.wrap_store(each.check, passes_errors=False))
        for each in default.dependencies
    ]
    text = f"{attempt.place.slot.defines}(dependencies, time.monotonic)"
    make = partial(attempt.make, text, (dependencies, time.monotonic), lambda: None)
    probes = attempt.once("probes", make)
    return default if probes is None else AttemptReadiness(attempt, probes, default)


def _ready_fault(value: Any) -> str:
    return "" if isinstance(value, bool) else f"{shorten(value)}, which is neither True nor False."


def _report_fault(value: Any) -> str:
    is_report = isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
    return "" if is_report else f"{shorten(value)}, which is no text for each dependency."
