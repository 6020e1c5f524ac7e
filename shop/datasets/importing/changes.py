"""Cache invalidation of an import: by the tags of the changed products, or of the whole catalogue if there are many."""

import time
from collections.abc import Callable, Sequence

from shop.catalog.tags import CATALOGUE

Invalidate = Callable[[Sequence[str]], None]
MOST_TAGS = 2_000
"""Tags of one invalidation. Each costs the cache about a hundred bytes for a day, and the edge cache a look-up."""
EVERY_S = 2.0
"""Seconds between two invalidations; cached values are stale for as long. Each invalidation empties the lists' cache,
so one for each batch would keep it empty all the time."""


class ChangedTags:
    """Collects the tags of committed changes, and invalidates them every :data:`EVERY_S` and at the end.

    Args:
        invalidate: invalidates cached values by tags.
    """

    def __init__(self, invalidate: Invalidate) -> None:
        self._invalidate = invalidate
        self._tags: set[str] = set()
        self._flushed_at = time.monotonic()

    def add(self, tags: set[str]) -> None:
        """Add the tags of a committed batch."""
        self._tags |= tags
        if time.monotonic() - self._flushed_at >= EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Invalidate the collected tags."""
        if self._tags:
            tags = sorted(self._tags) if len(self._tags) <= MOST_TAGS else [CATALOGUE]
            self._tags = set()
            self._invalidate(tags)
        self._flushed_at = time.monotonic()
