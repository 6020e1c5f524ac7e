"""Faults: which dependencies can be broken on purpose, and the channel over which a fault is requested.

Problem: the behaviour of a store with a dead or hanging cache is unknown until it is tried.
Method: a client writes a request into the stack's run directory. The supervisor, which owns the servers, reads it,
breaks the real process, and writes a report; see ``supervisor_channel``. The broken server is never needed to end its
own fault. Each fault ends by itself after a time that the supervisor counts, even if the client is gone. A stack offers
only the servers it runs; servers of other people are not touched.
Source: Basiri et al., "Chaos Engineering" (IEEE Software, 2016).
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

from shop.did_you_mean import did_you_mean
from shop.errors import InvalidFields, ServiceUnavailable, StateConflict
from shop.supervisor_channel import SupervisorChannel

NONE = "none"
FAULT_S, LONGEST_FAULT_S = 600, 3600
"""Seconds after which a fault ends by itself: by default, and at most."""
NOT_OURS = "The stack is another user's: set its faults as that user."


@dataclass(frozen=True, slots=True)
class FaultKind:
    """The faults of one dependency.

    Args:
        name: the dependency.
        values: the possible faults, ``none`` first.
        description: one line: what each value does to the real server.
        percentage: the value that may have a percentage, as in ``failing:50``; empty if none may.
    """

    name: str
    values: tuple[str, ...]
    description: str
    percentage: str = ""


FAULTS: Mapping[str, FaultKind] = MappingProxyType(
    {
        fault.name: fault
        for fault in (
            FaultKind(
                "cache",
                (NONE, "down", "hang", "flush"),
                "down: Valkey is killed and kept down. hang: it is stopped in the middle of its work, connections open."
                " flush: it forgets everything, once.",
            ),
            FaultKind(
                "database",
                (NONE, "hang", "down"),
                "hang: every process of PostgreSQL is stopped. down: all are killed and kept down; it then recovers.",
            ),
            FaultKind(
                "broker",
                (NONE, "down", "hang"),
                "down: the queue's Valkey is killed and kept down. hang: it is stopped, connections open.",
            ),
            FaultKind(
                "web",
                (NONE, "kill"),
                "kill: one of the web server's processes is killed in the middle of its work, once; another starts.",
            ),
            FaultKind(
                "worker",
                (NONE, "down", "hang"),
                "down: the worker is killed and kept down. hang: it is stopped, connections open.",
            ),
            FaultKind(
                "edge",
                (NONE, "down", "hang"),
                "down: nginx is killed and kept down. hang: it is stopped, connections open. This page is"
                " behind the edge: `bin/shop fault clear` ends either.",
            ),
            FaultKind(
                "payments",
                (NONE, "slow", "failing", "down", "hang"),
                "Done to the provider's simulator. slow: each call waits 12 s before it is looked at. failing: one call"
                " in ten is answered 503; failing:50: half of them (1 to 100). down: it is killed and kept down. hang:"
                " it is stopped, connections open.",
                percentage="failing",
            ),
            FaultKind(
                "mail",
                (NONE, "down", "slow"),
                "Made at the client, for the stack has no mail server. down: no letter is taken. slow: each takes 2 s.",
            ),
        )
    }
)


OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("postgres", "postgresql", "db", "sql"), "database"),
        **dict.fromkeys(("valkey", "redis"), "cache"),
        **dict.fromkeys(("queue", "rabbitmq", "amqp"), "broker"),
        **dict.fromkeys(("gunicorn", "app"), "web"),
        **dict.fromkeys(("consumer", "dramatiq"), "worker"),
        **dict.fromkeys(("nginx", "proxy"), "edge"),
        **dict.fromkeys(("provider", "simulator"), "payments"),
        **dict.fromkeys(("smtp", "post"), "mail"),
    }
)
"""Other usual names of a dependency, and its name here."""


@dataclass(frozen=True)
class FaultReport:
    """The supervisor's report.

    Args:
        offered: the dependencies it can break: those it runs.
        active: dependency to value, for all that are offered.
        request_id: of the request that it handled last.
        failed: the part of that request that failed, and why; empty if nothing did.
        ends_at: dependency to the time at which its fault ends by itself, in seconds since the epoch.
    """

    offered: tuple[str, ...] = ()
    active: dict[str, str] = field(default_factory=dict)
    request_id: str = ""
    failed: str = ""
    ends_at: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FaultRequest:
    """A request to the supervisor.

    Args:
        request_id: by which the client recognizes the report on it.
        wanted: dependency to value, for those that change.
        seconds: after so many seconds these faults end by themselves.
    """

    request_id: str
    wanted: dict[str, str]
    seconds: int = FAULT_S


def resolve_name(name: str) -> str:
    """Return the name of a dependency here: `postgres` is `database`. An unknown name stays as it is."""
    return OTHER_NAMES.get(name, name)


def validate(name: str, value: str, seconds: int = FAULT_S) -> None:
    """Refuse a fault that does not exist.

    Args:
        name: the dependency.
        value: its fault, with a percentage if it may have one.
        seconds: after so many seconds it ends.

    Raises:
        InvalidFields: no such dependency, no such fault of it, or it does not end within the limit.
    """
    if name not in FAULTS:
        hint = did_you_mean(name, FAULTS, OTHER_NAMES)
        raise InvalidFields(f"There is no fault {name!r}.{hint}", errors={"name": "unknown fault"})
    known = FAULTS[name]
    if not (value in known.values or _has_percentage(known, value)):
        hint = did_you_mean(value, dict.fromkeys(known.values))
        percentage = f", or {known.percentage}:PERCENT with 1 to 100" if known.percentage else ""
        raise InvalidFields(
            f"{name} takes {', '.join(known.values)}{percentage}; not {value!r}.{hint}",
            errors={"value": "not one of them"},
        )
    if not 1 <= seconds <= LONGEST_FAULT_S:
        raise InvalidFields(
            f"A fault lasts 1 to {LONGEST_FAULT_S:,} seconds, not {seconds}.", errors={"seconds": "out of range"}
        )


def percentage_of(value: str) -> int | None:
    """Return the percentage in a fault's value, as 50 in ``failing:50``; ``None`` if it has none."""
    _, colon, percentage = value.partition(":")
    return int(percentage) if colon else None


def _has_percentage(known: FaultKind, value: str) -> bool:
    return bool(known.percentage) and re.fullmatch(rf"{known.percentage}:([1-9]\d?|100)", value, re.ASCII) is not None


class FaultChannel:
    """File-based channel between a client that requests a fault and the supervisor that applies it.

    Args:
        run_dir: of the stack that runs the servers.
    """

    def __init__(self, run_dir: Path) -> None:
        self._files = SupervisorChannel(run_dir, "faults", NOT_OURS)

    def report(self) -> FaultReport:
        """Return the supervisor's last report; an empty one, which offers nothing, if there is none."""
        fields = self._files.read_report()
        return FaultReport(**{**fields, "offered": tuple(fields["offered"])}) if fields else FaultReport()

    def request(self, name: str, value: str, request_id: str = "", seconds: int = FAULT_S) -> FaultReport:
        """Request a fault, or its end (``none``), and return when the supervisor has applied it.

        Args:
            name: of the dependency.
            value: one of its faults. The active one again begins its time anew.
            request_id: of the HTTP request. nginx repeats that request if its web process died of the fault; as the id
                is the same, the supervisor applies the fault only once.
            seconds: after so many seconds the fault ends by itself.

        Raises:
            InvalidFields: there is no such fault, or it does not end within the limit.
            StateConflict: the server is not one this stack runs.
            ServiceUnavailable: the supervisor did not apply it.
        """
        validate(name, value, seconds)
        if name not in self.report().offered:
            raise StateConflict(f"The {name} is not a server of this stack, and only those can be broken.")
        full_id = f"{request_id} {name}={value}" if request_id else secrets.token_hex(8)
        with self._files.lock():
            return self._apply(FaultRequest(full_id, {name: value}, seconds))

    def clear(self) -> FaultReport:
        """End every fault.

        Raises:
            ServiceUnavailable: the supervisor did not do it.
        """
        with self._files.lock():
            report = self.report()
            if not report.offered:
                return report
            return self._apply(FaultRequest(secrets.token_hex(8), dict.fromkeys(report.offered, NONE)))

    def pending_request(self) -> FaultRequest | None:
        """Return the last request; the supervisor reads it."""
        fields = self._files.read_request()
        return FaultRequest(**fields) if fields else None

    def publish_report(self, report: FaultReport) -> None:
        """Write a report; only the supervisor does."""
        self._files.write_report(asdict(report))

    def close(self) -> None:
        """Delete both files: a stopped stack leaves no request for its next start and no report for a client."""
        self._files.delete_files()

    def _apply(self, request: FaultRequest) -> FaultReport:
        self._files.send(asdict(request))
        report = self.report()
        if report.failed:
            raise ServiceUnavailable(f"The {report.failed}.")
        return report
