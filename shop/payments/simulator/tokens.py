"""The test cards: what each token makes the provider do. These are faults on purpose, and named as such."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SLOW_S = 1.5
"""Late, but inside any sensible timeout."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a charge with a token goes.

    Args:
        status: the HTTP status of the answer; money moves only with 201.
        before_s: seconds the provider thinks before it does anything.
        silent: whether it keeps its answer to itself until the caller has given up.
    """

    status: int = 201
    before_s: float = 0.0
    silent: bool = False


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "tok_ok": Behaviour(),
        "tok_declined": Behaviour(status=402),
        "tok_slow": Behaviour(before_s=SLOW_S),
        "tok_timeout_charged": Behaviour(silent=True),
        "tok_error": Behaviour(status=500),
    }
)
