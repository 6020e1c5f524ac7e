"""Checks of the exercise ``readiness``: the probes of one replica, beside other replicas that share its servers."""

from collections.abc import Callable, Mapping
from typing import Any

from shop.exercises.check_rule import CheckRule
from shop.exercises.graders.attempt_calls import AttemptCalls, shorten
from shop.exercises.interfaces.readiness import ReplicaDependency

PAGE = "docs/patterns/probes.md"
RENEWED_S = 2.0
"""Seconds after which an outcome must be a new one."""
FRESH_S = 0.9
"""Seconds within which no check is repeated."""
OUTAGE = "connection refused"


class CheckedPart:
    """A dependency whose fault the check decides.

    Args:
        name: its name.
        shared: whether all replicas use it.
    """

    def __init__(self, name: str, *, shared: bool) -> None:
        self.name = name
        self.fault = ""
        self.checks = 0
        self.dependency = ReplicaDependency(name, shared, self._check)

    def _check(self) -> None:
        self.checks += 1
        if self.fault:
            raise ConnectionError(self.fault)


class CheckedReplica:
    """The attempt's probes of one replica, on a clock of the check.

    Args:
        factory: the attempt's.
        calls: calls it.
        parts: the dependencies; by default a thread of its own, and two servers.
        name: of the replica, for the messages.
    """

    def __init__(
        self,
        factory: Callable[..., Any],
        calls: AttemptCalls,
        parts: tuple[CheckedPart, ...] = (),
        name: str = "replica",
    ) -> None:
        self._calls = calls
        self.name = name
        self.seconds = 100.0
        self.parts = parts or (own_thread(), CheckedPart("cache", shared=True), CheckedPart("payments", shared=True))
        dependencies = [part.dependency for part in self.parts]
        text = f"{getattr(factory, '__name__', 'HealthProbes')}(dependencies, clock)"
        self.probes = calls.call(text, factory, dependencies, lambda: self.seconds)

    def ask(self, method: str, when: str) -> Any:
        """Call one of the probes' methods without arguments."""
        return self._calls.call(f"{self.name}.{method}(), {when}", getattr(self.probes, method))

    def require(self, method: str, when: str, *, expected: bool, look: str) -> None:
        """Fail the check unless a method returns the expected truth value."""
        came = self.ask(method, when)
        if came is not expected:
            self._calls.fail(f"{self.name}.{method}(), {when}", f"{expected}.", f"{shorten(came)}.", look)


def own_thread() -> CheckedPart:
    """Return a part of one replica alone."""
    return CheckedPart("listener thread", shared=False)


def check_own_part(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check a replica whose own part fails, and recovers."""
    replica = CheckedReplica(factory, calls)
    own = replica.parts[0]
    look = "Ready means: nothing of this replica's own is at fault."
    replica.require("is_ready", "everything is well", expected=True, look=look)
    own.fault = "the listener thread has ended"
    replica.seconds += RENEWED_S
    when = "its listener thread (shared=False) has failed for 2 s"
    replica.require(
        "is_ready", when, expected=False, look="A new outcome is due. Another replica can take the requests over."
    )
    _require_report(replica, calls, own, when)
    own.fault = ""
    replica.seconds += RENEWED_S
    look = "Keep an outcome for a second at most: afterwards, check anew."
    replica.require("is_ready", "its listener thread has been well again for 2 s", expected=True, look=look)


def check_shared_outage(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check several replicas while a server fails that all of them use, and then another one as well."""
    cache, payments = CheckedPart("cache", shared=True), CheckedPart("payments", shared=True)
    replicas = [
        CheckedReplica(factory, calls, (cache, own_thread(), payments), f"replica {number}")
        for number in range(1, rule.repetitions + 1)
    ]
    for replica in replicas:
        replica.require("is_ready", "everything is well", expected=True, look="Nothing is at fault yet.")
    for failing, message, when in (
        (cache, OUTAGE, "the cache (shared=True) has failed for 2 s"),
        (payments, "timed out", "the cache and payments (both shared=True) have failed for 2 s"),
    ):
        failing.fault = message
        for replica in replicas:
            replica.seconds += RENEWED_S
        unready = [replica.name for replica in replicas if not replica.ask("is_ready", when)]
        if unready:
            did = f"is_ready() of {len(replicas)} replicas, {when}"
            came = f"{len(unready)} of {len(replicas)} replicas are unready."
            look = f"No replica is left for the load balancer, and none would be better off: see {PAGE}."
            calls.fail(did, "all of them are ready.", came, look)
        for replica in replicas:
            for part in (cache, payments):
                _require_report(replica, calls, part, when)


def check_liveness(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check that liveness asks no dependency."""
    replica = CheckedReplica(factory, calls)
    at_start = {part.name: part.checks for part in replica.parts}
    look = "False has the process killed. A restart repairs no server, and takes its requests away."
    replica.require("is_live", "everything is well", expected=True, look=look)
    for part in replica.parts:
        part.fault = OUTAGE
    replica.seconds += RENEWED_S
    replica.require("is_live", "every dependency has failed for 2 s", expected=True, look=look)
    checked = [part.name for part in replica.parts if part.checks > at_start[part.name]]
    if checked:
        expected = "it calls no check: a dependency that hangs must not delay it."
        look = "The answer itself proves that the process runs."
        calls.fail("replica.is_live(), twice", expected, f"it called the checks of {', '.join(checked)}.", look)


def check_shutdown(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check the probes after the beginning of a shutdown."""
    replica = CheckedReplica(factory, calls)
    replica.require("is_ready", "everything is well", expected=True, look="Nothing is at fault yet.")
    calls.call("replica.begin_shutdown()", replica.probes.begin_shutdown)
    for when, seconds in (("right after begin_shutdown()", 0.0), ("10 s after begin_shutdown()", 10.0)):
        replica.seconds += seconds
        look = "The load balancer must know before the process ends. An outcome from before does not count any more."
        replica.require("is_ready", when, expected=False, look=look)
        look = "The process still answers the requests that it has. False has it killed in the middle of them."
        replica.require("is_live", when, expected=True, look=look)


def check_rate_of_checks(factory: Callable[..., Any], calls: AttemptCalls, rule: CheckRule) -> None:
    """Check how often many probes check the dependencies."""
    replica = CheckedReplica(factory, calls)
    for probes in (1, 2):
        for _ in range(rule.repetitions):
            replica.ask("is_ready", f"{rule.repetitions} times within {FRESH_S} s")
            replica.seconds += FRESH_S / rule.repetitions
        replica.ask("report", "right after them")
        came = {part.name: part.checks for part in replica.parts}
        if set(came.values()) != {probes}:
            did = f"replica.is_ready(), {rule.repetitions} times within {FRESH_S} s, then replica.report()"
            if probes == 2:
                did += "; and the same once more 2 s later"
            expected = f"each dependency is checked {'once' if probes == 1 else 'twice, once in each second'}."
            text = ", ".join(f"{name} {count}" for name, count in came.items())
            look = "Every load balancer asks every replica. Keep the outcome, and the clock's time with it."
            calls.fail(did, expected, f"number of checks: {text}.", look)
        replica.seconds += RENEWED_S


def _require_report(replica: CheckedReplica, calls: AttemptCalls, part: CheckedPart, when: str) -> None:
    report = replica.ask("report", when)
    state = report.get(part.name, "") if isinstance(report, Mapping) else ""
    is_right = part.fault in str(state) if part.fault else state == "ok"
    if not is_right:
        expected = f"{part.name}: {part.fault or 'ok'}."
        look = "Operators must see every fault, also one that leaves the replica ready."
        calls.fail(f"{replica.name}.report(), {when}", expected, f"{shorten(report)}.", look)


CHECKS: Mapping[str, Callable[[Callable[..., Any], AttemptCalls, CheckRule], None]] = {
    "own-part": check_own_part,
    "shared-outage": check_shared_outage,
    "liveness": check_liveness,
    "shutdown": check_shutdown,
    "check-rate": check_rate_of_checks,
}
