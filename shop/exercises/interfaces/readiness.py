"""The interface of the exercise ``readiness``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ReplicaDependency:
    """One thing that a replica needs for its work.

    Args:
        name: its name in the report.
        shared: whether all replicas use the same one, such as a server. Otherwise it is this replica's own part, such
            as one of its threads.
        check: returns if it is well; otherwise raises an exception whose message is the fault. It always ends soon.
    """

    name: str
    shared: bool
    check: Callable[[], None]


class HealthProbes(Protocol):
    """The answers of one replica to its probes."""

    def is_live(self) -> bool:
        """Return whether the process runs; ``False`` has it restarted."""
        ...

    def is_ready(self) -> bool:
        """Return whether the process can take requests; ``False`` has the load balancer send it none."""
        ...

    def report(self) -> Mapping[str, str]:
        """Return the state of each dependency by name: ``ok``, or its fault."""
        ...

    def begin_shutdown(self) -> None:
        """Prepare the end of the process, which follows some seconds later."""
        ...


class HealthProbesFactory(Protocol):
    """Builds the answers when a web process starts."""

    def __call__(self, dependencies: Sequence[ReplicaDependency], clock: Callable[[], float]) -> HealthProbes:
        """Return the answers of this replica.

        Args:
            dependencies: what it needs.
            clock: returns seconds; it never goes back.
        """
        ...
