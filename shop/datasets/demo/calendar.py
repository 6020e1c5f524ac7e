"""When people buy: the year's, the week's and the day's rhythm."""

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
"""How much more the shop sells at the end of the year than at its beginning."""
SALES = {(11, 28): 2.6, (11, 29): 1.8, (12, 1): 1.9}
"""Black Friday and the days after it."""


class OrderCalendar:
    """Turns a place in the queue of all orders into the time it was placed at."""

    def __init__(self) -> None:
        hours = itertools.product((START + timedelta(days=day) for day in range(DAYS)), range(24))
        weights = [_weight(day) * HOURS[hour] for day, hour in hours]
        total = sum(weights)
        self._reached: Sequence[float] = [0.0, *(reached / total for reached in itertools.accumulate(weights))]

    def at(self, share: float) -> datetime:
        """Return when ``share`` of the year's orders, from 0 to 1, had been placed."""
        hour = min(bisect.bisect_right(self._reached, share) - 1, DAYS * 24 - 1)
        begun, done = self._reached[hour], self._reached[hour + 1]
        return START + timedelta(hours=hour, seconds=int(3_599 * (share - begun) / (done - begun)))


def _weight(day: datetime) -> float:
    growth = 1 + GROWTH * (day - START).days / DAYS
    return MONTHS[day.month - 1] * WEEKDAYS[day.weekday()] * growth * SALES.get((day.month, day.day), 1.0)
