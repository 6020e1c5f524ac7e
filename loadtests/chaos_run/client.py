"""One client: fills a cart, checks out under one key until it has a final answer, cancels. It uses only HTTP."""

import random
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from shop.lab.loopback import check_loopback

from .outcome import AWAY, DECLINED, NOTHING, ORDERED, REFUSED, CheckoutOutcome, CheckoutPlan

API = "/api/v1"
PATIENT_S = 12.0
"""Longer than the store's limit for a request."""
PAUSE_S = (0.1, 0.6)
"""Between two attempts."""
AWAY_AFTER = 3
"""Attempts with a card that makes the provider fail; then the client stops."""
ADDRESS = {"name": "Robin", "line1": "Lindenweg 4", "city": "Berlin", "postcode": "10115", "country": "DE"}
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int = 0
    """0 if no answer came."""
    body: Mapping[str, object] | None = None
    retryable: bool = True
    """Whether a repeated request may get another answer."""


class ChaosClient:
    """One connection pool, used by one shopper after the other.

    Args:
        base_url: the store's address on this machine.
        rng: draws pauses.
    """

    def __init__(self, base_url: str, rng: random.Random) -> None:
        self._client = httpx.Client(base_url=check_loopback(base_url), timeout=PATIENT_S, trust_env=False)
        self._rng = rng

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def shop(self, plan: CheckoutPlan, max_wait_s: float) -> CheckoutOutcome | None:
        """Carry out a plan; return its outcome, or ``None`` if the cart could not be filled."""
        outcome = CheckoutOutcome(plan)
        self._client.cookies.clear()
        deadline = time.monotonic() + max_wait_s
        if not self._fill_cart(outcome, deadline):
            return outcome if outcome.senseless else None
        self._check_out(outcome, deadline)
        outcome.cookies = dict(self._client.cookies)
        if outcome.end == ORDERED and plan.cancels:
            self._cancel(outcome, deadline)
        return outcome

    def ask_again(self, outcome: CheckoutOutcome, max_wait_s: float) -> None:
        """Repeat a checkout that got no answer, under the same key and with the same body."""
        self._client.cookies.clear()
        for name, value in outcome.cookies.items():
            self._client.cookies.set(name, value)
        self._check_out(outcome, time.monotonic() + max_wait_s, returned=True)

    def _fill_cart(self, outcome: CheckoutOutcome, deadline: float) -> bool:
        item = {"product": outcome.plan.product, "quantity": outcome.plan.quantity}
        while time.monotonic() < deadline:
            key = secrets.token_hex(8)
            answer = self._post(outcome, f"{API}/cart/items", item, key, PATIENT_S, (200, 201, 409, 503))
            if answer.status in (200, 201):
                return True
            if not answer.retryable:
                return False
            self._pause()
        return False

    def _check_out(self, outcome: CheckoutOutcome, deadline: float, *, returned: bool = False) -> None:
        plan, attempts = outcome.plan, 0
        while outcome.end == NOTHING and time.monotonic() < deadline:
            timeout_s = plan.haste_s if plan.haste_s is not None and not attempts and not returned else PATIENT_S
            twin = threading.Thread(target=self._send_checkout, args=(outcome, timeout_s, 0), name="twin", daemon=True)
            if plan.twice:
                twin.start()
            self._send_checkout(outcome, timeout_s, attempts)
            if plan.twice:
                twin.join()
            attempts += 1
            if plan.gone and not returned:
                return
            if outcome.end == NOTHING:
                self._pause()

    def _send_checkout(self, outcome: CheckoutOutcome, timeout_s: float, attempts: int) -> None:
        """Send one checkout request and record its answer. An order is final, also if a twin gets another answer."""
        plan = outcome.plan
        body = {"email": plan.email, "address": ADDRESS, "payment": {"token": plan.token}}
        answer = self._post(outcome, f"{API}/checkout", body, f"chaos-{plan.number}", timeout_s, (201, 402, 409, 503))
        if answer.status == 201:
            order: Mapping[str, object] = answer.body["order"]  # type: ignore[index,assignment]  # the store's own shape
            outcome.orders.add(str(order["id"]))
            lines: list[Mapping[str, object]] = order["lines"]  # type: ignore[assignment]
            outcome.lines = {str(line["product"]): int(str(line["quantity"])) for line in lines}
            outcome.total = int(order["total"]["amount"])  # type: ignore[index]
            outcome.end = ORDERED
        elif answer.status == 402 and outcome.end != ORDERED:
            outcome.end = DECLINED
        elif answer.status == 409 and not answer.retryable and outcome.end == NOTHING:
            outcome.end = REFUSED
        elif answer.status == 503 and plan.token == "tok_error" and attempts + 1 >= AWAY_AFTER:  # noqa: S105 - a test card
            outcome.end = AWAY if outcome.end == NOTHING else outcome.end

    def _cancel(self, outcome: CheckoutOutcome, deadline: float) -> None:
        outcome.cancel = "asked"
        (order,) = list(outcome.orders)[:1]
        path, key = f"{API}/orders/{order}/cancel", f"cancel-{outcome.plan.number}"
        while time.monotonic() < deadline:
            answer = self._post(outcome, path, {}, key, PATIENT_S, (200, 202, 409, 503))
            if answer.status in (200, 202) and answer.body is not None:
                outcome.cancel = str(answer.body["status"])
                return
            if not answer.retryable:
                outcome.cancel = REFUSED
                return
            self._pause()

    def _post(
        self,
        outcome: CheckoutOutcome,
        path: str,
        body: Mapping[str, object],
        key: str,
        timeout_s: float,
        documented: tuple[int, ...],
    ) -> _Answer:
        outcome.requests += 1
        try:
            response = self._client.post(path, json=body, headers={"Idempotency-Key": key}, timeout=timeout_s)
        except httpx.HTTPError:
            return _Answer()
        status, media_type = response.status_code, response.headers.get("Content-Type", "").partition(";")[0]
        if status not in documented or media_type != (PROBLEM if status >= 400 else "application/json"):
            outcome.senseless.append(f"POST {path}: {status} {response.text[:200]}")
            return _Answer(status, None, retryable=status >= 500)
        retryable = status == 503 or (status == 409 and "Retry-After" in response.headers)
        return _Answer(status, response.json(), retryable)

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(*PAUSE_S))
