"""The store's health probes in the form of the exercise ``readiness``."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from wsgiref.util import setup_testing_defaults

from shop.exercises.interfaces.readiness import ReplicaDependency
from shop.exercises.store_defaults.handed_in_clock import HandedInClock
from shop.patterns.health.readiness import HealthDependency, ReadinessCheck
from shop.web.health_probes import HealthProbeMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class StoreProbes:
    """The store's probes, asked over WSGI.

    Args:
        readiness: the store's own.
    """

    def __init__(self, readiness: ReadinessCheck) -> None:
        self._application = HealthProbeMiddleware(_not_found, readiness)
        self.begin_shutdown = readiness.stop_taking_traffic

    def is_live(self) -> bool:
        """Return whether ``/livez`` answers 200."""
        return self._get("/livez")[0] == 200

    def is_ready(self) -> bool:
        """Return whether ``/readyz`` answers 200."""
        return self._get("/readyz")[0] == 200

    def report(self) -> Mapping[str, str]:
        """Return the states in the document of ``/readyz``."""
        states = json.loads(self._get("/readyz")[1])["dependencies"]
        return {name: state["detail"] or state["state"] for name, state in states.items()}

    def _get(self, path: str) -> tuple[int, bytes]:
        statuses: list[int] = []
        environ: dict[str, object] = {"PATH_INFO": path}
        setup_testing_defaults(environ)

        def start(status: str, *_: object) -> Callable[[bytes], object]:
            statuses.append(int(status[:3]))
            return lambda data: None

        body = b"".join(self._application(environ, start))
        return statuses[0], body


def health_probes(dependencies: Sequence[ReplicaDependency], clock: Callable[[], float]) -> StoreProbes:
    """Return the store's probes.

    Args:
        dependencies: a shared one is handed in as not required.
        clock: measures the age of an outcome.
    """
    own = [HealthDependency(each.name, not each.shared, each.check) for each in dependencies]
    return StoreProbes(ReadinessCheck(own, HandedInClock(clock)))


def _not_found(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    start_response("404 Not Found", [])
    return []
