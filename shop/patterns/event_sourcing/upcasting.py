"""Old events read as if they had been written today. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]
Step = Callable[[Data], Data]
"""Lifts an event's data by one version."""


class UnknownEventVersion(Exception):
    """A stored event that this code has no way to read: written by a newer one, or damaged."""


class EventUpcasters:
    """One step a version, so that a new version never touches the older steps.

    Args:
        current: type to the version this code writes.
        steps: type and version to what lifts its data to the next one.
    """

    def __init__(self, current: Mapping[str, int], steps: Mapping[tuple[str, int], Step]) -> None:
        self._current = current
        self._steps = steps

    def upcast(self, kind: str, schema_version: int, data: Data) -> Data:
        """Return the data in the shape of today.

        Raises:
            UnknownEventVersion: no way leads from its version to today's.
        """
        if kind not in self._current:
            raise UnknownEventVersion(f"{kind} is no event that is known here")
        for version in range(schema_version, self._current[kind]):
            step = self._steps.get((kind, version))
            if step is None:
                raise UnknownEventVersion(f"{kind} of version {version} cannot be lifted")
            data = step(data)
        if schema_version > self._current[kind]:
            raise UnknownEventVersion(f"{kind} of version {schema_version} was written by a newer store")
        return data
