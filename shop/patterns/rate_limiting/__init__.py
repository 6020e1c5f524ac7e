"""Rate limiting: each client may send so many requests of a kind in a minute."""

from shop.patterns.rate_limiting.limiter import (
    ClientRateLimiter,
    NoRateLimiter,
    RateDecision,
    RateLimiter,
    RatePolicy,
)

__all__ = ["ClientRateLimiter", "NoRateLimiter", "RateDecision", "RateLimiter", "RatePolicy"]
