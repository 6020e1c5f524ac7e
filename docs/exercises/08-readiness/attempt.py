"""Exercise 08: readiness. Complete `HealthProbes`, then run `bin/shop exercise check 8`."""

from collections.abc import Callable, Mapping, Sequence

from shop.exercises.interfaces.readiness import ReplicaDependency


class HealthProbes:
    """The answers of one replica to its probes.

    Args:
        dependencies: what it needs; each has a `name`, `shared` and a `check`, which raises if it is not well.
        clock: returns seconds; it never goes back.
    """

    def __init__(self, dependencies: Sequence[ReplicaDependency], clock: Callable[[], float]) -> None:
        self._dependencies = dependencies
        self._clock = clock

    def is_live(self) -> bool:
        """Return whether the process runs; False has it restarted."""
        return self.is_ready()

    def is_ready(self) -> bool:
        """Return whether the process can take requests; False has the load balancer send it none."""
        return all(state == "ok" for state in self.report().values())

    def report(self) -> Mapping[str, str]:
        """Return the state of each dependency by name: "ok", or its fault."""
        states = {}
        for dependency in self._dependencies:
            try:
                dependency.check()
                states[dependency.name] = "ok"
            except Exception as error:  # noqa: BLE001 - whatever a check raises
                states[dependency.name] = str(error)
        return states

    def begin_shutdown(self) -> None:
        """Prepare the end of the process, which follows some seconds later."""
