"""The times of orders: seasonal, weekly and daily demand."""

import bisect
import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

DAYS = 365
MONTHS = (0.92, 0.84, 0.93, 0.95, 0.98, 0.93, 0.88, 0.90, 0.98, 1.05, 1.42, 1.38)
WEEKDAYS = (1.06, 1.02, 0.98, 0.98, 0.94, 0.90, 1.12)
HOURS = (3, 2, 1, 1, 1, 2, 4, 7, 9, 11, 12, 12, 13, 12, 11, 11, 12, 13, 15, 18, 20, 18, 12, 6)
GROWTH = 0.25
"""Increase of the orders per day from the beginning to the end of the year."""
SALES = {0: 2.6, 1: 1.8, 3: 1.9}
"""Days after Black Friday to the increase of their orders."""
FRIDAY = 4
BLACK_FRIDAYS = range(23, 30)
"""Days of November on which the Friday after the fourth Thursday may be."""


def end_before(today: date) -> datetime:
    """Return the end of the generated year for a day of loading: its midnight in UTC, so all dates are before it."""
    return datetime.combine(today, time(), UTC)


class OrderCalendar:
    """Maps a share of the year's orders to the time of the last of them.

    Args:
        end: the end of the year, a midnight.
    """

    def __init__(self, end: datetime) -> None:
        self.start = end - timedelta(days=DAYS)
        self.last = end - timedelta(seconds=1)
        weights: list[float] = []
        for day in (self.start + timedelta(days=day) for day in range(DAYS)):
            growth = 1 + GROWTH * (day - self.start).days / DAYS
            season = MONTHS[day.month - 1] * WEEKDAYS[day.weekday()] * growth * _sales_increase(day)
            weights += (season * weight for weight in HOURS)
        total = sum(weights)
        self._cumulative: Sequence[float] = [0.0, *(weight / total for weight in itertools.accumulate(weights))]

    def at(self, share: float) -> datetime:
        """Return the time at which ``share`` of the year's orders, from 0 to 1, have been placed."""
        hour = min(bisect.bisect_right(self._cumulative, share) - 1, DAYS * 24 - 1)
        before, after = self._cumulative[hour], self._cumulative[hour + 1]
        return self.start + timedelta(hours=hour, seconds=int(3_599 * (share - before) / (after - before)))


def _sales_increase(day: date) -> float:
    fridays = ((day - timedelta(days=days), factor) for days, factor in SALES.items())
    return next((factor for friday, factor in fridays if _is_black_friday(friday)), 1.0)


def _is_black_friday(day: date) -> bool:
    return day.month == 11 and day.weekday() == FRIDAY and day.day in BLACK_FRIDAYS
