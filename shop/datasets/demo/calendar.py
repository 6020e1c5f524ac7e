"""The times of orders: seasonal, weekly and daily demand."""

import bisect
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

from shop.datasets.demo.sizes import EPOCH

DAYS = 365
START = EPOCH - timedelta(days=DAYS)
MONTHS = (0.92, 0.84, 0.93, 0.95, 0.98, 0.93, 0.88, 0.90, 0.98, 1.05, 1.42, 1.38)
WEEKDAYS = (1.06, 1.02, 0.98, 0.98, 0.94, 0.90, 1.12)
HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 9, 11, 12, 12, 13, 12, 11, 11, 12, 13, 15, 18, 20, 18, 12, 6)
GROWTH = 0.25
"""Increase of the orders per day from the beginning to the end of the year."""
SALES = {(11, 28): 2.6, (11, 29): 1.8, (12, 1): 1.9}
"""Black Friday and the days after it."""


class OrderCalendar:
    """Maps a share of the year's orders to the time of the last of them."""

    def __init__(self) -> None:
        weights: list[float] = []
        for day in (START + timedelta(days=day) for day in range(DAYS)):
            growth = 1 + GROWTH * (day - START).days / DAYS
            season = MONTHS[day.month - 1] * WEEKDAYS[day.weekday()] * growth * SALES.get((day.month, day.day), 1.0)
            weights += (season * weight for weight in HOURS)
        total = sum(weights)
        self._cumulative: Sequence[float] = [0.0, *(weight / total for weight in itertools.accumulate(weights))]

    def at(self, share: float) -> datetime:
        """Return the time at which ``share`` of the year's orders, from 0 to 1, have been placed."""
        hour = min(bisect.bisect_right(self._cumulative, share) - 1, DAYS * 24 - 1)
        before, after = self._cumulative[hour], self._cumulative[hour + 1]
        return START + timedelta(hours=hour, seconds=int(3_599 * (share - before) / (after - before)))
