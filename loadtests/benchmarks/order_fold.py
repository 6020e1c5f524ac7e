"""Measures the time to fold an order's event stream, to decide whether snapshots would help.

    .venv/bin/python loadtests/benchmarks/order_fold.py

No store needs to run. Each stream is the longest that an order can have (placed by a guest, adopted, paid, shipped,
delivered); the number of order lines varies. The figures are medians of five rounds.
"""

import statistics
import time
from datetime import UTC, datetime

from shop.money import Money
from shop.orders.events import (
    OrderAdopted,
    OrderDelivered,
    OrderedLine,
    OrderEvent,
    OrderPlaced,
    OrderShipped,
    PaymentCharged,
    serialize,
)
from shop.orders.order_state import fold
from shop.patterns.event_sourcing import StoredEvent

ROUNDS = 5
FOLDS = 2_000
AT = datetime(2026, 1, 1, tzinfo=UTC)


def stream(lines: int) -> list[StoredEvent]:
    """Return the longest stream of an order of so many lines."""
    placed = OrderPlaced(
        "ord_1", "S-1", None, tuple(OrderedLine(n, f"Product {n}", 1, Money(999)) for n in range(lines))
    )
    events: list[OrderEvent] = [placed, OrderAdopted(7), PaymentCharged("ch_1"), OrderShipped(), OrderDelivered()]
    serialized = [serialize(event) for event in events]
    return [
        StoredEvent(number, event.type, event.schema_version, event.data, AT)
        for number, event in enumerate(serialized, start=1)
    ]


def microseconds(lines: int) -> float:
    """Return the time of one fold, in microseconds."""
    events = stream(lines)
    times_us = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(FOLDS):
            fold(events)
        times_us.append((time.perf_counter() - started) / FOLDS * 1e6)
    return statistics.median(times_us)


def main() -> None:
    """Print a table."""
    print(f"{'lines':>6} {'events':>7} {'one fold':>12}")
    for lines in (1, 3, 10, 100):
        print(f"{lines:>6} {len(stream(lines)):>7} {microseconds(lines):>9.1f} µs")


if __name__ == "__main__":
    main()
