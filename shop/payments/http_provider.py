"""A provider spoken to over HTTP: the simulator, or anything with its manners."""

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
    RequestInProgress,
)
from shop.storable import is_storable, storable

MAX_CONNECTIONS = 16
"""Calls a process can have under way; beyond its request threads there is nobody to make one."""
PAGE = 1_000
"""Charges fetched at once when all are listed."""
NO_SUCH_CARD = "unknown_token"
KEEPALIVE_S = 5.0
"""How long an unused connection is kept: shorter than a server's own patience, or calls would meet it closing."""
_NOT_SENT = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.UnsupportedProtocol)
_BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
_AWAY = "The payments provider does not answer."


@dataclass(frozen=True, slots=True)
class _ProviderAnswer:
    status: int
    body: dict[str, Any]


class HttpProvider:
    """The client: one pool of connections a process, one total time limit a call, no retries of its own.

    Args:
        base_url: where the provider listens.
        timeout_ms: what one call may take, from connecting to the last byte, where no deadline ends it sooner.
        api_key: what we are known by there, where one is needed.
    """

    def __init__(self, base_url: str, timeout_ms: int, api_key: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_ms / 1000
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._pool = httpcore.ConnectionPool(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEPALIVE_S)

    def charge(self, request: ChargeRequest) -> ChargeSucceeded | ChargeDeclined:
        """See :class:`~shop.payments.provider.Provider`."""
        body = {
            "amount": request.amount.amount,
            "currency": request.amount.currency,
            "token": request.token,
            "metadata": dict(request.metadata),
        }
        answer = self._call("POST", "/charges", key=request.key, body=body)
        if answer.status == 201:
            return ChargeSucceeded(_text(answer.body, "id"))
        if answer.status == 402 or answer.body.get("error") == NO_SUCH_CARD:
            return ChargeDeclined(storable(str(answer.body.get("error", answer.status))))
        if answer.status == 409:  # an earlier attempt under this key is still at work
            raise RequestInProgress("The payment is still being worked on.")
        if answer.status >= 400:
            raise ProviderRefused(f"The provider refused the call: {answer.status}.")
        raise ProviderOutcomeUnknown(_AWAY)

    def find_charge(self, key: str) -> ChargeSucceeded | ChargeDeclined | None:
        """See :class:`~shop.payments.provider.Provider`."""
        answer = self._call("GET", "/charges", params={"key": key})
        if answer.status != 200:
            raise ProviderRefused(f"The provider refused the call: {answer.status}.")
        found = answer.body.get("items")
        if found == []:
            return None
        match found:
            case [
                {"id": str(provider_id), "status": "succeeded", "refunded": int(refunded), "currency": str(currency)}
            ] if is_storable(provider_id):
                return ChargeSucceeded(provider_id, Money(refunded, currency))
            case [{"status": "declined"}]:
                return ChargeDeclined("declined")
        raise ProviderOutcomeUnknown(_AWAY)

    def refund(self, key: str, provider_id: str, amount: Money) -> None:
        """See :class:`~shop.payments.provider.Provider`."""
        answer = self._call("POST", "/refunds", key=key, body={"charge": provider_id, "amount": amount.amount})
        if answer.status == 409:
            raise RequestInProgress("The refund is still being worked on.")
        if answer.status != 201:
            said = storable(str(answer.body.get("error", answer.status)))
            raise ProviderRefused(f"The provider refused the refund: {said}.")

    def list_charges(self, after: str = "") -> Sequence[ListedCharge]:
        """See :class:`~shop.payments.provider.Provider`."""
        answer = self._call("GET", "/charges", params={"after": after, "limit": str(PAGE)})
        if answer.status != 200:
            raise ProviderRefused(f"The provider refused the call: {answer.status}.")
        try:
            return [_listed(item) for item in answer.body["items"]]
        except (KeyError, TypeError) as error:
            raise ProviderOutcomeUnknown(_AWAY) from error

    def close(self) -> None:
        """Give the connections back."""
        self._pool.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> _ProviderAnswer:
        refuse_in_transaction("The payments provider")
        seconds = min(self._timeout_s, deadlines.remaining())
        allowance = _TotalTimeout(seconds)
        headers = self._headers | correlation.outgoing_headers()
        headers |= {deadlines.HEADER: deadlines.header_value(seconds), "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        url = f"{self._base_url}{path}" + (f"?{urlencode(params)}" if params else "")
        content = None if body is None else json.dumps(body).encode()
        try:
            with self._pool.stream(
                method, url, headers=list(headers.items()), content=content, extensions={"timeout": allowance}
            ) as response:
                answer = b"".join(allowance.watch(response.iter_stream()))
        except _NOT_SENT as error:
            raise ProviderNotReached(_AWAY) from error
        except _BROKEN as error:
            raise ProviderOutcomeUnknown(_AWAY) from error
        return _read(response.status, answer)


class _TotalTimeout(dict[str, float]):
    """A call's time, shared by its steps: whoever asks for a step's limit is told what is left of the whole.

    An HTTP client's own limits are one a step (connect, write, each read), so a peer that sends a byte now and then is
    never too slow for them.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._until = time.monotonic() + seconds

    def get(self, step: str, default: object = None) -> float:  # httpcore asks anew for each step
        """Return the seconds left, never quite zero: zero would mean "do not wait at all" to a socket."""
        return max(0.001, self._until - time.monotonic())

    def watch(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Pass the body on until the time is up.

        Raises:
            httpcore.ReadTimeout: it is up.
        """
        for chunk in chunks:
            yield chunk
            if time.monotonic() > self._until:
                raise httpcore.ReadTimeout(_AWAY)


def _listed(item: Mapping[str, Any]) -> ListedCharge:
    amount, refunded = Money(item["amount"], item["currency"]), Money(item["refunded"], item["currency"])
    return ListedCharge(item["id"], item["key"], amount, refunded, item["status"] == "succeeded")


def _text(body: Mapping[str, Any], name: str) -> str:
    if not isinstance(value := body.get(name), str) or not is_storable(value):
        raise ProviderOutcomeUnknown(_AWAY)
    return value


def _read(status: int, content: bytes) -> _ProviderAnswer:
    if status == 500:
        raise ProviderFailed("The payments provider reports an error of its own.")
    if status > 500 or status == 429:  # somebody in between, or overload: the work may go on behind it
        raise ProviderOutcomeUnknown(_AWAY)
    try:
        body = json.loads(content)
    except ValueError as error:
        raise ProviderOutcomeUnknown(_AWAY) from error
    return _ProviderAnswer(status, body if isinstance(body, dict) else {})
