"""The figures of one edge's purger: how often it deleted, and how much."""

from prometheus_client import CollectorRegistry, Counter


class EdgeMetrics:
    """Counts deletions.

    Args:
        registry: where the figures are found again.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._purges = Counter("shop_edge_purges", "Deletions of what had ended.", ["kind"], registry=registry)
        self._failures = Counter(
            "shop_edge_purge_failures", "Deletions that failed and are tried again.", registry=registry
        )
        self._files = Counter("shop_edge_purged_answers", "Answers deleted.", ["kind"], registry=registry)

    def purge_failed(self) -> None:
        """Count that something which has ended could not be deleted at once, and is tried again."""
        self._failures.inc()

    def purged(self, kind: str, answers: int) -> None:
        """Count one deletion.

        Args:
            kind: ``tags``, ``late`` where it is the repetition for late fills, or ``flush`` where all is dropped.
            answers: how many answers were there to delete.
        """
        self._purges.labels(kind).inc()
        self._files.labels(kind).inc(answers)
