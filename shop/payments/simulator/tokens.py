"""The test cards: what each token makes the provider do. These are faults on purpose, and named as such."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SLOW_S = 1.5
"""Late, but inside any sensible timeout."""


@dataclass(frozen=True, slots=True)
class TokenBehaviour:
    """How a charge with a token goes.

    Args:
        status: the HTTP status of the answer; money moves only with 201.
        before_s: seconds the provider thinks before it does anything.
        silent: whether it keeps its answer to itself until the caller has given up.
    """

    status: int = 201
    delay_s: float = 0.0
    silent: bool = False


BEHAVIOURS: Mapping[str, TokenBehaviour] = MappingProxyType(
    {
        "tok_ok": TokenBehaviour(),
        "tok_declined": TokenBehaviour(status=402),
        "tok_slow": TokenBehaviour(delay_s=SLOW_S),
        "tok_timeout_charged": TokenBehaviour(silent=True),
        "tok_error": TokenBehaviour(status=500),
    }
)
