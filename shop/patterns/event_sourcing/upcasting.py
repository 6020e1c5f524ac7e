"""Upcasting: convert stored events to the present version of their schema. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]
Step = Callable[[Data], Data]
"""Converts an event's data from one version to the next."""


class UnknownEventVersion(Exception):
    """This code cannot read a stored event: newer code has written it, or it is damaged."""


class EventUpcasters:
    """One step for each version, so that a new version needs no change of older steps.

    Args:
        current: event type to the version that this code writes.
        steps: event type and version to the step that converts its data to the next version.
    """

    def __init__(self, current: Mapping[str, int], steps: Mapping[tuple[str, int], Step]) -> None:
        self._current = current
        self._steps = steps

    def upcast(self, kind: str, schema_version: int, data: Data) -> Data:
        """Return the data in the present version.

        Raises:
            UnknownEventVersion: the type is unknown, or no steps lead from its version to the present one.
        """
        if kind not in self._current:
            raise UnknownEventVersion(f"{kind} is an unknown event type")
        for version in range(schema_version, self._current[kind]):
            step = self._steps.get((kind, version))
            if step is None:
                raise UnknownEventVersion(f"{kind} of version {version} cannot be converted")
            data = step(data)
        if schema_version > self._current[kind]:
            raise UnknownEventVersion(f"{kind} of version {schema_version} was written by a newer release")
        return data
