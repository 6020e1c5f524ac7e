"""One client: fills a cart, checks out under one key until she knows, cancels. Over HTTP, as any script could."""

import random
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from shop.lab.loopback import check_loopback

from .told import AWAY, DECLINED, NOTHING, ORDERED, REFUSED, Told, Wish

API = "/api/v1"
PATIENT_S = 12.0
"""Longer than the store lets a request take."""
PAUSE_S = (0.1, 0.6)
"""Between two tries."""
AWAY_AFTER = 3
"""Tries in vain with a card the provider chokes on, then she gives up."""
ADDRESS = {"name": "Robin", "line1": "Lindenweg 4", "city": "Berlin", "postcode": "10115", "country": "DE"}
PROBLEM = "application/problem+json"


@dataclass(frozen=True, slots=True)
class _Heard:
    status: int = 0
    """0 where no answer came."""
    body: Mapping[str, object] | None = None
    again: bool = True
    """Whether the same request may be sent again, and may then be answered otherwise."""


class Client:
    """One connection pool, used by one shopper after the other.

    Args:
        base_url: where the store listens; on this machine.
        chance: draws pauses.
    """

    def __init__(self, base_url: str, chance: random.Random) -> None:
        self._client = httpx.Client(base_url=check_loopback(base_url), timeout=PATIENT_S, trust_env=False)
        self._chance = chance

    def close(self) -> None:
        """Give back the connections."""
        self._client.close()

    def shop(self, wish: Wish, patience_s: float) -> Told | None:
        """Do what is wished; return what was told, or ``None`` where not even the cart could be filled."""
        told = Told(wish)
        self._client.cookies.clear()
        until = time.monotonic() + patience_s
        if not self._fill(told, until):
            return told if told.senseless else None
        self._check_out(told, until)
        told.cookies = dict(self._client.cookies)
        if told.end == ORDERED and wish.cancels:
            self._cancel(told, until)
        return told

    def ask_again(self, told: Told, patience_s: float) -> None:
        """Send a check-out once more that never got an answer, under the same key and with the same body."""
        self._client.cookies.clear()
        for name, value in told.cookies.items():
            self._client.cookies.set(name, value)
        self._check_out(told, time.monotonic() + patience_s, returned=True)

    def _fill(self, told: Told, until: float) -> bool:
        wish = told.wish
        while time.monotonic() < until:
            item = {"product": wish.product, "quantity": wish.quantity}
            heard = self._post(told, f"{API}/cart/items", item, secrets.token_hex(8), PATIENT_S, (200, 201, 409, 503))
            if heard.status in (200, 201):
                return True
            if not heard.again:
                return False
            self._rest()
        return False

    def _check_out(self, told: Told, until: float, *, returned: bool = False) -> None:
        wish, tries = told.wish, 0
        body = {"email": wish.email, "address": ADDRESS, "payment": {"token": wish.token}}
        while told.end == NOTHING and time.monotonic() < until:
            timeout_s = wish.haste_s if wish.haste_s is not None and not tries and not returned else PATIENT_S
            twin = self._twin(told, body, timeout_s) if wish.twice else None
            self._heard(told, self._checked(told, body, timeout_s), tries)
            if twin is not None:
                twin.join()
            tries += 1
            if wish.gone and not returned:
                return
            if told.end == NOTHING:
                self._rest()

    def _twin(self, told: Told, body: Mapping[str, object], timeout_s: float) -> threading.Thread:
        twin = threading.Thread(
            target=lambda: self._heard(told, self._checked(told, body, timeout_s), 0), name="twin", daemon=True
        )
        twin.start()
        return twin

    def _checked(self, told: Told, body: Mapping[str, object], timeout_s: float) -> _Heard:
        key = f"chaos-{told.wish.number}"
        return self._post(told, f"{API}/checkout", body, key, timeout_s, (201, 402, 409, 503))

    def _heard(self, told: Told, heard: _Heard, tries: int) -> None:
        """Note what an answer says. An order is the last word, whatever a twin was told meanwhile."""
        if heard.status == 201:
            order: Mapping[str, object] = heard.body["order"]  # type: ignore[index,assignment]  # the store's own shape
            told.orders.add(str(order["id"]))
            lines: list[Mapping[str, object]] = order["lines"]  # type: ignore[assignment]
            told.lines = {str(line["product"]): int(str(line["quantity"])) for line in lines}
            told.total = int(order["total"]["amount"])  # type: ignore[index]
            told.end = ORDERED
        elif heard.status == 402 and told.end != ORDERED:
            told.end = DECLINED
        elif heard.status == 409 and not heard.again and told.end == NOTHING:
            told.end = REFUSED
        elif heard.status == 503 and told.wish.token == "tok_error" and tries + 1 >= AWAY_AFTER:  # noqa: S105 - a test card
            told.end = AWAY if told.end == NOTHING else told.end

    def _cancel(self, told: Told, until: float) -> None:
        told.cancel = "asked"
        (order,) = list(told.orders)[:1]
        while time.monotonic() < until:
            heard = self._post(
                told, f"{API}/orders/{order}/cancel", {}, f"cancel-{told.wish.number}", PATIENT_S, (200, 202, 409, 503)
            )
            if heard.status in (200, 202) and heard.body is not None:
                told.cancel = str(heard.body["status"])
                return
            if not heard.again:
                told.cancel = REFUSED
                return
            self._rest()

    def _post(
        self,
        told: Told,
        path: str,
        body: Mapping[str, object],
        key: str,
        timeout_s: float,
        known: tuple[int, ...],
    ) -> _Heard:
        told.requests += 1
        try:
            answer = self._client.post(path, json=body, headers={"Idempotency-Key": key}, timeout=timeout_s)
        except httpx.HTTPError:
            return _Heard()
        status, kind = answer.status_code, answer.headers.get("Content-Type", "").partition(";")[0]
        wanted = PROBLEM if status >= 400 else "application/json"
        if status not in known or kind != wanted:
            told.senseless.append(f"POST {path}: {status} {answer.text[:200]}")
            return _Heard(status, None, again=status >= 500)
        again = status == 503 or (status == 409 and "Retry-After" in answer.headers)
        return _Heard(status, answer.json(), again)

    def _rest(self) -> None:
        time.sleep(self._chance.uniform(*PAUSE_S))
