"""When a call that did not work is made again, and when no longer. Pure.

Problem: a call that cannot work, made again every two seconds for ever, is a load, fills the log and is seen by nobody.
Method: each failure is counted in the payment's row, with the time of the next attempt: the pause doubles up to a
bound, with jitter. A refund ends: a definite no of the provider is believed after a few attempts, silence after some
days. Then it is a case for staff.
Source: AWS Builders' Library, "Timeouts, retries and backoff with jitter".
"""

from datetime import timedelta

from shop.backoff import ExponentialBackoff

BASE_S = 2.0
REFUND_CAP_S = 3600.0
"""A provider that was away for days is asked within an hour of its return."""
SETTLE_CAP_S = 60.0
"""An order whose payment is open holds pieces, so it is looked at sooner, and for as long as it takes."""
REFUSALS = 8
"""About four minutes: a refusal can be our own mistake, such as a key being changed."""
ATTEMPTS = 80
"""Two to three days: longer than an outage over a weekend."""


def pause(attempts: int, chance: float, cap_s: float) -> timedelta:
    """Return how long to wait after so many failures.

    Args:
        attempts: 1 or more.
        chance: evenly from 0 to 1; decides on the second half of the pause, so that many refunds do not stay in step.
        cap_s: what no pause exceeds.
    """
    return timedelta(seconds=ExponentialBackoff(BASE_S, cap_s).equal_jitter_s(attempts, chance))


def is_exhausted(attempts: int, *, refused: bool) -> bool:
    """Tell whether no further attempt is made by itself.

    Args:
        attempts: failures so far, the last one counted.
        refused: whether the last one was a definite no.
    """
    return attempts >= (REFUSALS if refused else ATTEMPTS)
