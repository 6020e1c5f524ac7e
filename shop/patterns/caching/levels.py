"""Where entries are kept: the face every level has, and the two that keep nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Versions = tuple[str | None, ...]
"""How each tag stands, in the order asked; ``None`` for a tag the level knows nothing of."""


class Away(Exception):
    """The level does not answer, or is being left alone because it did not."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a level holds under a key, and how the tags stand, read at one moment."""

    stored: bytes | None
    versions: Versions


class Level(Protocol):
    """A store of encoded entries that also keeps a version for each tag.

    Every method but :meth:`invalidate` raises :class:`Away` when the level cannot answer within its time.
    """

    @property
    def name(self) -> str:
        """Return its name, as ``Cache-Status`` shows it."""

    @property
    def enabled(self) -> bool:
        """Tell whether it can hold anything at all."""

    def read(self, key: str, tags: Sequence[str]) -> Reading:
        """Return the entry and the tags' versions, in one round trip."""

    def claim(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return how the tags stand now, giving a version to each that has none. Call it before a load."""

    def write(self, key: str, stored: bytes, ttl_s: int) -> None:
        """Keep an encoded entry for at most ``ttl_s`` seconds."""

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Give every tag a version never seen before.

        Returns:
            Whether it is done; ``False`` when the level is away and is owed it, in front of its next answer.
        """

    def close(self) -> None:
        """Give back what it holds of the machine."""


class NullLevel:
    """Keeps nothing: what a store without a cache is wired with."""

    name = "none"
    enabled = False

    def read(self, key: str, tags: Sequence[str]) -> Reading:
        """Return that there is nothing."""
        return Reading(None, (None,) * len(tags))

    def claim(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Return versions that no entry will ever be compared with."""
        return ("",) * len(tags)

    def write(self, key: str, stored: bytes, ttl_s: int) -> None:
        """Forget it at once."""

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Agree: nothing is kept, so nothing is stale."""
        return True

    def close(self) -> None:
        """Hold nothing to give back."""


class SwitchedOff(NullLevel):
    """A level that is neither read nor written, but still told of invalidations.

    Without that, an entry stored before the switch was turned off would be served, stale, once it is turned on again.
    """

    def __init__(self, level: Level) -> None:
        self.name = level.name
        self._level = level

    def invalidate(self, tags: Sequence[str]) -> bool:
        """Pass it on."""
        return self._level.invalidate(tags)
