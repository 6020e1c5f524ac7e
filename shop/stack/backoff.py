"""Exponential backoff between the restarts of a server that keeps dying. Pure: no clock and no I/O."""

from dataclasses import dataclass

from shop.backoff import ExponentialBackoff

BASE_S = 0.5
"""Often a server dies once (an operator killed it): restart it before its users notice."""
CAP_S = 30.0
"""A server that cannot start must not keep a core busy; a repaired one must come back without a command."""
STABLE_S = 30.0
"""A server that ran this long works: its next death counts as the first one again."""


@dataclass
class RestartBackoff:
    """Counts the deaths in a row of one server."""

    deaths: int = 0

    def delay_after(self, ran_s: float) -> float:
        """Count a death and return the seconds to wait before the next start.

        Args:
            ran_s: seconds that the server had run.
        """
        self.deaths = 1 if ran_s >= STABLE_S else self.deaths + 1
        return ExponentialBackoff(BASE_S, CAP_S).bound_s(self.deaths)
