"""The rate limits of the stores that tests start in their own process or as a web server.

A whole stack (``StackInstance``) has the default limits, so its tests show that these suffice.
"""

from collections.abc import Mapping

NO_RATE_LIMITS: Mapping[str, int] = dict.fromkeys(
    ("writes_per_minute", "logins_per_minute", "registrations_per_minute", "tokens_per_minute"), 1_000_000
)
"""Settings that refuse nobody: a test is one client, and writes more in a minute than a person does."""
