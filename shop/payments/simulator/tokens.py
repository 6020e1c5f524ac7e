"""The tokens of the test cards, with the behaviour of a charge for each. The faults are intended."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SLOW_S = 1.5
"""Slow, but shorter than a usual timeout."""


@dataclass(frozen=True, slots=True)
class TokenBehaviour:
    """The behaviour of a charge.

    Args:
        status: the HTTP status of the response; only with 201 the card is charged.
        delay_s: seconds before the charge.
        silent: whether the response is delayed until the caller has given up.
    """

    status: int = 201
    delay_s: float = 0.0
    silent: bool = False


TOKENS: Mapping[str, TokenBehaviour] = MappingProxyType(
    {
        "tok_ok": TokenBehaviour(),
        "tok_declined": TokenBehaviour(status=402),
        "tok_slow": TokenBehaviour(delay_s=SLOW_S),
        "tok_timeout_charged": TokenBehaviour(silent=True),
        "tok_error": TokenBehaviour(status=500),
    }
)
