"""What an import tells the caches: what it changed, by name while that is little, else everything at once."""

import time
from collections.abc import Callable, Sequence

from shop.catalog.tags import CATALOGUE

Invalidate = Callable[[Sequence[str]], None]
MOST_TAGS = 2_000
"""Tags ended by name at once. Each costs the cache some hundred bytes for a day, and the edge a look-up."""
EVERY_S = 2.0
"""Between two words to the caches while batches follow each other; what they changed in between is old for that long.
Each word leaves the lists cold, so one a batch would leave them so all the time."""


class ChangedTags:
    """Collects the tags of committed changes and passes them on, now and then and at the end.

    Args:
        invalidate: ends what the caches made from tags.
    """

    def __init__(self, invalidate: Invalidate) -> None:
        self._invalidate = invalidate
        self._tags: set[str] = set()
        self._told_at = time.monotonic()

    def add(self, tags: set[str]) -> None:
        """Note what a committed batch changed."""
        self._tags |= tags
        if time.monotonic() - self._told_at >= EVERY_S:
            self.tell()

    def tell(self) -> None:
        """Pass on what was noted."""
        if self._tags:
            tags = sorted(self._tags) if len(self._tags) <= MOST_TAGS else [CATALOGUE]
            self._tags = set()
            self._invalidate(tags)
        self._told_at = time.monotonic()
