"""The retry schedule of refunds and open payments: when a failed call is repeated, and when it is given up. Pure.

Problem: a call that can never succeed, repeated every two seconds for ever, is load and fills the log, and staff does
not see it.
Method: the payment's row counts the failures and has the time of the next attempt. The delay doubles up to a cap, with
jitter. A refund is given up after a few refusals in a row, or after some days without an answer. Then staff must
act.
Source: AWS Builders' Library, "Timeouts, retries and backoff with jitter".
"""

from datetime import timedelta

from shop.backoff import ExponentialBackoff

BASE_S = 2.0
REFUND_CAP_S = 3600.0
"""After an outage of days, the provider gets the call within an hour."""
SETTLE_CAP_S = 60.0
"""An open payment keeps stock reserved, so it is tried more often, and is never given up."""
MAX_REFUSALS = 8
"""They take about four minutes. A refusal can be a mistake of ours, such as a wrong API key during a change of keys."""
MAX_ATTEMPTS = 80
"""They take two to three days, which is longer than an outage over a weekend."""


def retry_delay(attempts: int, chance: float, cap_s: float) -> timedelta:
    """Return the delay after a number of failures.

    Args:
        attempts: 1 or more.
        chance: a random number from 0 to 1; it sets the second half of the delay, so many refunds do not stay in step.
        cap_s: the longest delay.
    """
    return timedelta(seconds=ExponentialBackoff(BASE_S, cap_s).equal_jitter_s(attempts, chance))


def is_exhausted(attempts: int, refusals: int) -> bool:
    """Tell whether the store gives up.

    Args:
        attempts: the failures, including the last one.
        refusals: how many of them, the last ones in a row, the provider has refused.
    """
    return refusals >= MAX_REFUSALS or attempts >= MAX_ATTEMPTS
