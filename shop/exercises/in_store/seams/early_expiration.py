"""Exercise ``early-expiration``: from when a reader treats an entry as expired."""

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten
from shop.patterns.caching.entry import BETA, CacheEntry
from shop.patterns.caching.loader import CacheLoader, CacheRequest
from shop.patterns.caching.stampede import StampedeStrategy

StrategyMaker = Callable[[CacheLoader], StampedeStrategy]


def adapt(attempt: LoadedAttempt, default: StrategyMaker, **tools: object) -> StrategyMaker:
    """Return the store's own strategy, which asks the attempt when to refresh."""

    def make(loader: CacheLoader) -> StampedeStrategy:
        strategy: Any = default(loader)
        strategy.refresh_at = partial(_refresh_at, attempt, strategy.refresh_at)
        made: StampedeStrategy = strategy
        return made

    return make


def _refresh_at(
    attempt: LoadedAttempt, own: Callable[[CacheRequest, CacheEntry], float], request: CacheRequest, entry: CacheEntry
) -> float:
    arguments = (entry.fresh_until, entry.load_s, random.random(), BETA)
    text = f"{attempt.place.slot.defines}({entry.fresh_until:.3f}, {entry.load_s:.4f}, {arguments[2]:.3f}, {BETA:g})"
    find_fault = partial(_fault, entry.fresh_until)
    at: float = attempt.call(text, attempt.defined, arguments, partial(own, request, entry), find_fault)
    return at


def _fault(fresh_until: float, value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    if not is_number:
        return f"{shorten(value)}, which is no time."
    return "" if value <= fresh_until else f"{value:.3f}, which is after the expiry."
