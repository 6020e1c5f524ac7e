"""What the caches of one process do, as figures: by layer and time-to-live class, and never by key.

A class is one of a handful, a layer one of three, an outcome one of a list: the number of series is bounded whatever is
asked for.
"""

from functools import singledispatchmethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shop.patterns.caching.events import (
    CameLate,
    CopiesEvicted,
    EntryStored,
    Event,
    FillAwaited,
    InvalidationUnheard,
    LoadFinished,
    LocalSize,
    LockLost,
    LookupFinished,
    RefillFailed,
    RefreshDropped,
    TooLarge,
    WentAway,
    WrongType,
)

LOAD_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From one small query to the statement timeout."""
SERVED_STALE = "hit-stale"


class CacheMetrics:
    """Counts what caches say.

    Args:
        registry: where the figures are found again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, says: str, labels: list[str]) -> Counter:
            return Counter(f"shop_cache_{name}", says, labels, registry=registry)

        self._answers = counter("answers", "Cache look-ups.", ["layer", "ttl_class", "outcome"])
        self._loads = counter("loads", "Loaders run.", ["ttl_class", "why", "outcome"])
        self._load_s = Histogram(
            "shop_cache_load_seconds", "What loads took.", ["ttl_class"], buckets=LOAD_BUCKETS_S, registry=registry
        )
        self._waits_s = Histogram(
            "shop_cache_wait_seconds",
            "What look-ups waited for another's load.",
            ["on", "ended"],
            buckets=LOAD_BUCKETS_S,
            registry=registry,
        )
        self._stored = counter("stored_bytes", "Bytes put into the shared level.", ["layer", "ttl_class"])
        self._evictions = counter("evictions", "Copies that made room for others.", ["layer"])
        self._evicted = counter("evicted_bytes", "Bytes of copies that made room for others.", ["layer"])
        self._troubles = counter(
            "troubles",
            "What did not go as meant: values too large, fills too late, locks lost, refreshes dropped, types wrong.",
            ["kind"],
        )
        self._outages = counter("outages", "Pauses begun because a cache did not answer.", ["layer"])
        self._held = Gauge(
            "shop_cache_held_bytes",
            "Bytes of copies in this server's processes.",
            ["layer"],
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._of_answer: dict[tuple[str, str, str], Counter] = {}

    def answered(self, event: LookupFinished) -> None:
        """Count one look-up; this is on the way of every hit."""
        outcome = SERVED_STALE if event.outcome == "hit" and event.detail.startswith("stale") else event.outcome
        key = (event.level, event.policy, outcome)
        counter = self._of_answer.get(key)
        if counter is None:  # labels() looks up under a lock and checks its arguments: do it once a combination
            counter = self._of_answer[key] = self._answers.labels(*key)
        counter.inc()

    def counted(self, layer: str, ttl_class: str, outcome: str, count: int) -> None:
        """Add look-ups that somebody else has counted."""
        self._answers.labels(layer, ttl_class, outcome).inc(count)

    @singledispatchmethod
    def note(self, event: Event) -> None:
        """Count any other event; nothing for what only logs tell of."""

    @note.register
    def _(self, event: LoadFinished) -> None:
        self._loads.labels(event.policy, event.why, event.outcome).inc()
        self._load_s.labels(event.policy).observe(event.seconds)

    @note.register
    def _(self, event: FillAwaited) -> None:
        self._waits_s.labels(event.on, event.ended).observe(event.seconds)

    @note.register
    def _(self, event: EntryStored) -> None:
        self._stored.labels(event.level, event.policy).inc(event.bytes)

    @note.register
    def _(self, event: LocalSize) -> None:
        self._held.labels(event.level).set(event.bytes)

    @note.register
    def _(self, event: CopiesEvicted) -> None:
        self._evictions.labels(event.level).inc(event.copies)
        self._evicted.labels(event.level).inc(event.bytes)

    @note.register
    def _(self, event: TooLarge) -> None:
        self._troubles.labels("too-large").inc()

    @note.register
    def _(self, event: InvalidationUnheard) -> None:
        self._troubles.labels("unheard").inc()

    @note.register
    def _(self, event: WrongType) -> None:
        self._troubles.labels("wrong-type").inc(event.keys)

    @note.register
    def _(self, event: CameLate) -> None:
        self._troubles.labels("late-fill").inc()

    @note.register
    def _(self, event: LockLost) -> None:
        self._troubles.labels("lock-lost").inc()

    @note.register
    def _(self, event: RefreshDropped) -> None:
        self._troubles.labels("refresh-dropped").inc()

    @note.register
    def _(self, event: RefillFailed) -> None:
        self._troubles.labels("refill-failed").inc()

    @note.register
    def _(self, event: WentAway) -> None:
        self._outages.labels(event.level).inc()
