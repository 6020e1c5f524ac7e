"""HTTP client that signs in to the running store; for the store, each is a client with an address of its own."""

import re
import time
from dataclasses import dataclass

import httpx

from shop.demo_accounts import DEMO_PASSWORD, SHOPPER
from shop.lab.guest_client import tls_context
from shop.lab.source_addresses import simulated_client
from shop.lab.store_client import API, TIMEOUT_S

NO_ANSWER = 0
WRONG_PASSWORD = "a guess"  # noqa: S105 - it is wrong on purpose
REMAINING = re.compile(r'"[^"]+";r=(\d+);t=(\d+)')
"""The ``RateLimit`` header of the store."""


@dataclass(frozen=True, slots=True)
class LogInAnswer:
    """The answer to one log-in.

    Args:
        status: HTTP status; :data:`NO_ANSWER` without an answer.
        ms: milliseconds until the answer.
        remaining: log-ins that the client has left in its window; ``None`` if the store told no limit.
        reset_s: seconds until the window ends; ``None`` as well.
    """

    status: int
    ms: float
    remaining: int | None = None
    reset_s: int | None = None

    @property
    def is_over_limit(self) -> bool:
        """Return whether the client was refused because of its own limit, and not because the store was busy."""
        return self.status == httpx.codes.TOO_MANY_REQUESTS and self.remaining == 0

    @property
    def pause_s(self) -> float | None:
        """Return the pause that spreads the remaining log-ins over the rest of the window; ``None`` if none is told."""
        if self.remaining is None or self.reset_s is None:
            return None
        return self.reset_s / max(1, self.remaining)


class LogInClient:
    """Signs in as the shopper of the demo data, and out again.

    Args:
        base_url: the store's address.
    """

    def __init__(self, base_url: str) -> None:
        self._client = simulated_client(base_url, TIMEOUT_S, tls_context())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def sign_in(self) -> LogInAnswer:
        """Sign in with the right password; then sign out, so that no session is left."""
        answer = self._log_in(DEMO_PASSWORD)
        if answer.status == httpx.codes.OK:
            self._send("DELETE", None)
        return answer

    def guess(self) -> LogInAnswer:
        """Sign in with a wrong password."""
        return self._log_in(WRONG_PASSWORD)

    def _log_in(self, password: str) -> LogInAnswer:
        began = time.monotonic()
        response = self._send("POST", {"email": SHOPPER.email, "password": password})
        ms = (time.monotonic() - began) * 1000
        if response is None:
            return LogInAnswer(NO_ANSWER, ms)
        told = REMAINING.fullmatch(response.headers.get("RateLimit", ""))
        remaining, reset_s = (int(told[1]), int(told[2])) if told else (None, None)
        return LogInAnswer(response.status_code, ms, remaining, reset_s)

    def _send(self, method: str, body: object) -> httpx.Response | None:
        try:
            return self._client.request(method, f"{API}/session", json=body)
        except httpx.HTTPError:
            return None
