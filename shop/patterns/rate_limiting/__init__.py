"""Rate limiting: each client may send so many requests of a kind in a minute."""

from shop.patterns.rate_limiting.policy import (
    NoRateLimiter,
    RateDecision,
    RateLimiter,
    RatePolicy,
)

__all__ = ["NoRateLimiter", "RateDecision", "RateLimiter", "RatePolicy"]
