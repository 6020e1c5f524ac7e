"""The rules: which responses are stored under a key, and how an earlier request with the key is treated. Pure."""

from dataclasses import dataclass

from shop.errors import InvalidFields, StateConflict
from shop.patterns.idempotency.key_owners import is_account
from shop.patterns.idempotency.keys import HEADER

DECLINED = 402
TOO_LONG_TYPE = "too-long"
"""Stored instead of the content type if the response was too long to be stored."""
FINAL_REFUSALS = frozenset({DECLINED, 403, 404, 410})
"""Refusals that the same request would get again: they are stored like any other response."""
MAX_BODY = 64 * 1024
"""Longest body that is stored, in bytes; the response of a full cart has 50,000."""
RETRY_AFTER_S = 2
REUSED = "This key was used for another request; use a new one."
TOO_LONG = (
    "The request was executed, but its response was too long to be stored. Check the result; do not send it again."
)
IN_FLIGHT = "A request with this key is in progress; try again in a moment."


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored response, which every further request with the key gets."""

    status: int
    body: bytes
    content_type: str
    location: str | None = None

    def bounded(self) -> "StoredResponse":
        """Return the response, or one without body that says it was too long to be stored."""
        if len(self.body) <= MAX_BODY:
            return self
        return StoredResponse(self.status, b"", TOO_LONG_TYPE, self.location)

    @property
    def is_complete(self) -> bool:
        """Return whether the body was stored."""
        return self.content_type != TOO_LONG_TYPE


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The outcome of a claim.

    Args:
        is_acquired: whether the caller has the key now.
        same_request: whether an earlier request with the key has the same fingerprint; ``None`` without such a request.
        response: the response to that request, if it is finished.
    """

    is_acquired: bool
    same_request: bool | None = None
    response: StoredResponse | None = None


class ReplayedRequest(Exception):
    """The request was executed before.

    Args:
        response: its stored response.
    """

    def __init__(self, response: StoredResponse) -> None:
        super().__init__()
        self.response = response


def is_storable(status: int, owner: str) -> bool:
    """Return whether a response may be stored and replayed.

    Successes and final refusals are stored. Responses that may differ for the same key are not: malformed or invalid
    fields (400, 413, 415, 422), a client that is not signed in (401), a conflict (409), a limit (429), and errors of
    the store. After such a response the key is free again: the claim is rolled back with the transaction of the work,
    or released if the work has several transactions (:meth:`KeyLease.close`).
    """
    return 200 <= status < 400 or is_storable_refusal(status, owner)


def is_storable_refusal(status: int, owner: str) -> bool:
    """Return whether a refusal is stored under a key of this owner.

    A declined payment is always stored. Another final refusal changed nothing, and the same request is refused again,
    so it is stored for accounts only: a client can make any number of guests, and each of their keys would be a row.
    """
    return status in FINAL_REFUSALS and (status == DECLINED or is_account(owner))


def raise_unless_claimed(result: ClaimResult) -> None:
    """Raise the reason why a claim failed; do nothing if the caller has the key.

    Raises:
        ReplayedRequest: the request was executed before, and its response is stored.
        InvalidFields: the key was used for another request (422).
        StateConflict: a request with the key is in progress, or its response was too long to be stored (409).
    """
    if result.is_acquired:
        return
    if result.same_request is False:
        raise InvalidFields(REUSED, errors={HEADER: REUSED})
    if result.response is not None and not result.response.is_complete:
        raise StateConflict(TOO_LONG)
    if result.response is not None:
        raise ReplayedRequest(result.response)
    raise StateConflict(IN_FLIGHT, retry_after=RETRY_AFTER_S)
