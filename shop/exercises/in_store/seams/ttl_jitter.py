"""Exercise ``ttl-jitter``: the lifetime of each entry that the cache stores."""

import math
from collections.abc import Callable
from typing import Any

from shop.exercises.in_store.loaded_attempt import LoadedAttempt
from shop.exercises.short_text import shorten

Lifetime = Callable[[float], float]
JitterMaker = Callable[[Callable[[], float]], Lifetime]


def adapt(attempt: LoadedAttempt, default: JitterMaker) -> JitterMaker:
    """Return the attempt in the form of ``jittered`` in ``shop/patterns/caching/entry.py``."""

    def jittered(draw: Callable[[], float]) -> Lifetime:
        own = default(draw)
        lifetime: Lifetime = attempt.make("jittered(draw)", (draw,), lambda: own)
        if lifetime is own:
            return own

        def guarded(ttl_s: float) -> float:
            text = f"lifetime({ttl_s:g})"
            seconds: float = attempt.call(text, lifetime, (ttl_s,), lambda: own(ttl_s), _seconds_fault)
            return seconds

        return guarded

    return jittered


def _seconds_fault(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return "" if is_number and value > 0 else f"{shorten(value)}, which is no lifetime in seconds."
