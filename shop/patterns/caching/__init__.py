"""The cache: policies, levels, and the one way to read through them."""

from shop.patterns.caching.broadcast import Listener
from shop.patterns.caching.cache import Cache
from shop.patterns.caching.found import Found, digest
from shop.patterns.caching.levels import Level, NullLevel, SwitchedOff
from shop.patterns.caching.local import Local, LocalLevel, SwitchedOffLocal
from shop.patterns.caching.policy import CATALOGUE, LIVE, PERSONAL, REFERENCE, SEARCH, Policy
from shop.patterns.caching.scaled import ScaledCache
from shop.patterns.caching.shared import SharedLevel

__all__ = [
    "CATALOGUE",
    "LIVE",
    "PERSONAL",
    "REFERENCE",
    "SEARCH",
    "Cache",
    "Found",
    "Level",
    "Listener",
    "Local",
    "LocalLevel",
    "NullLevel",
    "Policy",
    "ScaledCache",
    "SharedLevel",
    "SwitchedOff",
    "SwitchedOffLocal",
    "digest",
]
