"""HTTP client of the payments provider: the simulator, or a provider with the same API."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpcore

from shop.database.transactions import refuse_in_transaction
from shop.money import Money
from shop.patterns.observability import correlation
from shop.patterns.resilience import deadlines
from shop.payments.provider import (
    ChargeDeclined,
    ChargeRequest,
    ChargeSucceeded,
    ListedCharge,
    ProviderFailed,
    ProviderNotReached,
    ProviderOutcomeUnknown,
    ProviderRefused,
    ProviderThrottled,
    RequestInProgress,
)
from shop.storable_text import is_storable, storable

MAX_CONNECTIONS = 16
"""The most calls in progress in a process. It must not be less than the number of request threads."""
PAGE_SIZE = 1_000
"""Charges per page when all charges are listed."""
NO_SUCH_CARD = "unknown_token"
KEEPALIVE_S = 5.0
"""Seconds that an idle connection stays open. The server keeps it open for longer, so no call uses a closing one."""
_NOT_SENT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.UnsupportedProtocol)
_BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
_NO_ANSWER = "The payments provider does not answer."


@dataclass(frozen=True, slots=True)
class _ProviderResponse:
    status: int
    body: dict[str, Any]


class HttpProvider:
    """The client: one connection pool per process, one total time limit per call, no retries.

    Args:
        base_url: the provider's address.
        timeout_ms: the longest time of one call, from connecting to the last byte; a deadline may end it sooner.
        api_key: the store's API key at the provider, if it needs one.
    """

    def __init__(self, base_url: str, timeout_ms: int, api_key: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_ms / 1000
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._pool = httpcore.ConnectionPool(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_S)

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        body = {
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "token": request.token,
            "metadata": dict(request.metadata),
        }
        response = self._call("POST", "/charges", key=request.key, body=body)
        if response.status == 201:
            charge_id = response.body.get("id")
            if not isinstance(charge_id, str) or not is_storable(charge_id):
                raise ProviderOutcomeUnknown(_NO_ANSWER)
            return ChargeSucceeded(charge_id)
        if response.status == 402 or response.body.get("error") == NO_SUCH_CARD:
            return ChargeDeclined(storable(str(response.body.get("error", response.status))))
        if response.status == 409:  # an earlier attempt with this key is still in progress
            raise RequestInProgress("The payment is still being worked on.")
        if response.status >= 400:
            raise ProviderRefused(f"The provider refused the call: {response.status}.")
        raise ProviderOutcomeUnknown(_NO_ANSWER)

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        response = self._call("GET", "/charges", params={"key": key})
        if response.status != 200:
            raise ProviderRefused(f"The provider refused the call: {response.status}.")
        charges = response.body.get("items")
        if charges == []:
            return None
        match charges:
            case [
                {"id": str(provider_id), "status": "succeeded", "refunded": int(refunded), "currency": str(currency)}
            ] if is_storable(provider_id):
                return ChargeSucceeded(provider_id, Money(refunded, currency))
            case [{"status": "declined"}]:
                return ChargeDeclined("declined")
        raise ProviderOutcomeUnknown(_NO_ANSWER)

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        response = self._call("POST", "/refunds", key=key, body={"charge": provider_id, "amount": amount.amount})
        if response.status == 409:
            raise RequestInProgress("The refund is still being worked on.")
        if response.status != 201:
            reason = storable(str(response.body.get("error", response.status)))
            raise ProviderRefused(f"The provider refused the refund: {reason}.")

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """See :class:`~shop.payments.provider.PaymentProvider`."""
        response = self._call("GET", "/charges", params={"after": after, "limit": str(PAGE_SIZE)})
        if response.status != 200:
            raise ProviderRefused(f"The provider refused the call: {response.status}.")
        try:
            return [
                ListedCharge(
                    charge["id"],
                    charge["key"],
                    Money(charge["amount"], charge["currency"]),
                    Money(charge["refunded"], charge["currency"]),
                    charge["status"] == "succeeded",
                )
                for charge in response.body["items"]
            ]
        except (KeyError, TypeError) as error:
            raise ProviderOutcomeUnknown(_NO_ANSWER) from error

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> _ProviderResponse:
        refuse_in_transaction("The payments provider")
        seconds = min(self._timeout_s, deadlines.remaining())
        timeout = _TotalTimeout(seconds)
        headers = self._headers | correlation.outgoing_headers()
        headers |= {deadlines.HEADER: deadlines.header_value(seconds), "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        url = f"{self._base_url}{path}" + (f"?{urlencode(params)}" if params else "")
        payload = None if body is None else json.dumps(body).encode()
        try:
            with self._pool.stream(
                method, url, headers=list(headers.items()), content=payload, extensions={"timeout": timeout}
            ) as response:
                content = b"".join(timeout.limit(response.iter_stream()))
        except _NOT_SENT as error:
            raise ProviderNotReached(_NO_ANSWER) from error
        except _BROKEN as error:
            raise ProviderOutcomeUnknown(_NO_ANSWER) from error
        return _read_response(response.status, content)


class _TotalTimeout(dict[str, float]):
    """The total time of a call. The limit of each step is the rest of the total.

    The limits of an HTTP client hold for one step each (connect, write, each read). A server that sends one byte now
    and then never exceeds them.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._until = time.monotonic() + seconds

    def get(self, step: str, default: object = None) -> float:  # httpcore asks again for each step
        """Return the remaining seconds, never zero: a socket with a timeout of zero does not wait at all."""
        return max(0.001, self._until - time.monotonic())

    def limit(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks of the body until the time is up.

        Raises:
            httpcore.ReadTimeout: the time is up.
        """
        for chunk in chunks:
            yield chunk
            if time.monotonic() > self._until:
                raise httpcore.ReadTimeout(_NO_ANSWER)


def _read_response(status: int, content: bytes) -> _ProviderResponse:
    if status == 500:
        raise ProviderFailed("The payments provider reports an internal error.")
    if status == 429:
        raise ProviderThrottled(_NO_ANSWER)
    if status > 500:  # from a gateway, or overload: the provider may still do the work
        raise ProviderOutcomeUnknown(_NO_ANSWER)
    try:
        body = json.loads(content)
    except ValueError as error:
        raise ProviderOutcomeUnknown(_NO_ANSWER) from error
    return _ProviderResponse(status, body if isinstance(body, dict) else {})
