"""How long a server that keeps dying is left alone before it is started again.

Pure: it is told what happened and answers with seconds.
"""

from dataclasses import dataclass

from shop.backoff import ExponentialBackoff

BASE_S = 0.5
"""A first death is often a one-off (somebody killed it): be back before a person notices."""
CAP_S = 30.0
"""A server that cannot start must not keep a core busy, but a mended one must come back without being asked."""
STABLE_S = 30.0
"""A server that ran this long has shown that it works: its next death is a first one again."""


@dataclass
class RestartBackoff:
    """The deaths in a row of one server."""

    deaths: int = 0

    def delay_after(self, ran_s: float) -> float:
        """Note a death and return the seconds to wait before the next start.

        Args:
            ran_s: seconds it had run.
        """
        self.deaths = 1 if ran_s >= STABLE_S else self.deaths + 1
        return ExponentialBackoff(BASE_S, CAP_S).bound_s(self.deaths)
