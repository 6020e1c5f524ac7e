"""Which dependencies can be made to fail on purpose, and the desk where such a fault is ordered.

Problem: what a store does when its cache is dead or hangs is known once it has been seen, not before.
Method: whoever wants a fault writes it down in the stack's run directory; the supervisor, which owns the servers, looks
there several times a second, does it to the real process, and writes down what is in force. Two small files, each
with one writer and replaced whole, and no dependency between the two sides: the one that is broken on purpose is never
needed to mend it. A stack offers only what it runs itself; nobody's own server is touched.
Source: Basiri et al., "Chaos Engineering" (IEEE Software, 2016).
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shop.errors import InvalidFields, ServiceUnavailable, StateConflict
from shop.private_files import write_private
from shop.switches.registry import nearest

NONE = "none"
ANSWER_TIMEOUT_S = 5.0
"""The supervisor looks every 0.2 s; a server that is made to hang has children to be found first."""
POLL_S = 0.02
ANOTHERS = "The stack is another user's: order its faults as that user."


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What can be done to one dependency.

    Args:
        name: the dependency.
        values: ``none`` first.
        does: one line on what is really done.
    """

    name: str
    values: tuple[str, ...]
    does: str


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
                "payments",
                (NONE, "slow", "failing", "down", "hang"),
                "Done to the provider's simulator. slow: each call waits 12 s before it is looked at. failing: one call"
                " in ten is answered 503. down: it is killed and kept down. hang: it is stopped, connections open.",
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
        **dict.fromkeys(("provider", "simulator"), "payments"),
        **dict.fromkeys(("smtp", "post"), "mail"),
    }
)
"""What people call a dependency, and what it is called here."""


@dataclass(frozen=True)
class FaultReport:
    """What the supervisor says.

    Args:
        offered: the dependencies it can break: those it runs.
        in_force: dependency to value, of all that are offered.
        order: the order it last dealt with.
        failed: what of it could not be done, and why; empty where all was.
    """

    offered: tuple[str, ...] = ()
    in_force: dict[str, str] = field(default_factory=dict)
    order: str = ""
    failed: str = ""


@dataclass(frozen=True)
class FaultRequest:
    """What somebody wants: dependency to value, and a name of its own so that its answer is known."""

    order: str
    wanted: dict[str, str]


def check(name: str, value: str) -> None:
    """Refuse a fault there is none of.

    Raises:
        Invalid: no such dependency, or nothing of that name can be done to it.
    """
    if name not in FAULTS:
        near = nearest(name, FAULTS, OTHER_NAMES)
        raise InvalidFields(f"There is no fault {name!r}.{near}", errors={"name": "unknown fault"})
    known = FAULTS[name].values
    if value not in known:
        near = nearest(value, dict.fromkeys(known))
        raise InvalidFields(
            f"{name} takes {', '.join(known)}; not {value!r}.{near}", errors={"value": "not one of them"}
        )


class FaultChannel:
    """Where faults are ordered, and where it is said what is in force.

    Args:
        run_dir: of the stack whose servers are meant.
    """

    def __init__(self, run_dir: Path) -> None:
        self._orders, self._report = run_dir / "faults.order.json", run_dir / "faults.json"

    def report(self) -> FaultReport:
        """Return what the supervisor last said; that it offers nothing, where there is none."""
        found = _read(self._report)
        return FaultReport(**{**found, "offered": tuple(found["offered"])}) if found else FaultReport()

    def order(self, name: str, value: str, request_id: str = "") -> FaultReport:
        """Have a fault put in force, or ended with ``none``, and return once it is.

        Args:
            name: of the fault.
            value: what is wanted of it.
            request_id: of the request that wants it. Repeated, it is the same order and is carried out once: the web
                process that took it may have died of it, and then nginx sends it again.

        Raises:
            Invalid: there is no such fault.
            Conflict: the server is not one this stack runs.
            Unavailable: the supervisor did not carry it out.
        """
        check(name, value)
        if name not in self.report().offered:
            raise StateConflict(f"The {name} is no server of this stack: what others run is not broken from here.")
        known_as = f"{request_id} {name}={value}" if request_id else ""
        with self._taking_turns():  # the order says how all stands: made of an old report, it would end another's fault
            return self._order({**self.report().in_force, name: value}, known_as)

    def clear(self) -> FaultReport:
        """End every fault.

        Raises:
            Unavailable: the supervisor did not carry it out.
        """
        with self._taking_turns():
            report = self.report()
            return self._order(dict.fromkeys(report.offered, NONE)) if report.offered else report

    def orders(self) -> FaultRequest | None:
        """Return what is wanted now; read by the supervisor."""
        found = _read(self._orders)
        return FaultRequest(found["order"], found["wanted"]) if found else None

    def say(self, report: FaultReport) -> None:
        """Write down what is in force; written by the supervisor alone."""
        _write(self._report, asdict(report))

    def close(self) -> None:
        """Leave nothing behind: no order for the next start, no report of a stack that is gone."""
        self._orders.unlink(missing_ok=True)
        self._report.unlink(missing_ok=True)

    @contextmanager
    def _taking_turns(self) -> Iterator[None]:
        """Let one process at a time look at what is in force, order something else, and see it carried out.

        Raises:
            Unavailable: the run directory is another user's.
        """
        try:
            # The directory itself is locked: a file beside it would belong to whoever made it, root or not.
            place = os.open(self._orders.parent, os.O_RDONLY)
        except FileNotFoundError:
            yield  # no stack has run here
            return
        except PermissionError:
            raise ServiceUnavailable(ANOTHERS) from None
        try:
            fcntl.flock(place, fcntl.LOCK_EX)  # the system gives it back when a process dies
            yield
        finally:
            os.close(place)

    def _order(self, wanted: dict[str, str], known_as: str = "") -> FaultReport:
        order = known_as or secrets.token_hex(8)
        try:
            _write(self._orders, asdict(FaultRequest(order, wanted)))
        except PermissionError:
            raise ServiceUnavailable(ANOTHERS) from None
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while (report := self.report()).order != order:
            if time.monotonic() > deadline:
                raise ServiceUnavailable(
                    "Nobody carried it out: does the stack's supervisor still run? See `shop status`."
                )
            time.sleep(POLL_S)
        if report.failed:
            raise ServiceUnavailable(f"The {report.failed}.")
        return report


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    except PermissionError:
        raise ServiceUnavailable(ANOTHERS) from None
    return found


def _write(path: Path, document: object) -> None:
    write_private(path, json.dumps(document))
