"""A cache in a hurry: every time-to-live multiplied by one factor, so that an experiment can watch entries expire."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from shop.patterns.caching.cache import Cache, Load
from shop.patterns.caching.policy import Policy

SHORTEST_S = 1
"""Below it nothing would be kept: the level counts whole seconds."""


class ScaledCache(Cache):
    """A cache whose policies' times-to-live are scaled; all else is the cache's own.

    Args:
        factor: above zero.
        given: what :class:`Cache` is built from.
        named: likewise.
    """

    def __init__(self, factor: float, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._factor = factor

    def get_or_load(self, key: str, policy: Policy, tags: Sequence[str], load: Load) -> bytes:
        """Read through the cache as if the policy's time-to-live were scaled."""
        return super().get_or_load(key, scaled(policy, self._factor), tags, load)


def scaled(policy: Policy, factor: float) -> Policy:
    """Return a policy with its time-to-live scaled, in whole seconds; one that stores nothing goes on doing so."""
    return replace(policy, ttl_s=max(SHORTEST_S, round(policy.ttl_s * factor))) if policy.ttl_s else policy
