"""Which answers are kept under a key, and what an earlier request under it means. Pure."""

from dataclasses import dataclass

from shop.errors import InvalidFields, StateConflict
from shop.patterns.idempotency.keys import HEADER

DECLINED = 402
TOO_LONG_TYPE = "too-long"
"""In place of the content type of an answer that was too long to be kept."""
FINAL_REFUSALS = frozenset({DECLINED, 403, 404, 410})
"""What the same request would be told again, whatever the sender mends: it is an answer like any other."""
ACCOUNTS = "user:"
"""Before the id of an account that owns a key; see ``checkout.phases``."""
MAX_BODY = 64 * 1024
"""Bytes of an answer that are kept under a key; a full cart's are 50,000."""
RETRY_AFTER_S = 2
REUSED = "This key was used for another request; take a new one."
TOO_LONG = "This was done, and its answer was too long to be kept. Read what it changed; do not send it again."
IN_FLIGHT = "A request with this key is being worked on; ask again in a moment."


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What was answered first, and is answered again."""

    status: int
    body: bytes
    content_type: str
    location: str | None = None

    def bounded(self) -> "StoredResponse":
        """Return what is kept of it: itself, or that it was done and is too long."""
        if len(self.body) <= MAX_BODY:
            return self
        return StoredResponse(self.status, b"", TOO_LONG_TYPE, self.location)

    @property
    def is_whole(self) -> bool:
        """Whether it can be given again."""
        return self.content_type != TOO_LONG_TYPE


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """What a claim met.

    Args:
        taken: whether the key is the caller's now.
        same: whether the request it was used for had the same fingerprint; ``None`` where it was not used.
        answer: what that request was answered, if it was.
    """

    taken: bool
    same: bool | None = None
    answer: StoredResponse | None = None


class ReplayedRequest(Exception):
    """The request was answered before.

    Args:
        answer: what it was answered.
    """

    def __init__(self, answer: StoredResponse) -> None:
        super().__init__()
        self.answer = answer


def is_storable(status: int, owner: str) -> bool:
    """Tell whether an answer is the last word on its request, and kept for its owner.

    Kept is what was done, and what will never be done. Not kept is what may turn out otherwise for the very same key:
    malformed and wrong fields (400, 413, 415, 422), who is not signed in (401), a conflict (409), a limit (429), and
    whatever broke on our side, which was rolled back with the claim.
    """
    return 200 <= status < 400 or is_storable_refusal(status, owner)


def is_storable_refusal(status: int, owner: str) -> bool:
    """Tell whether a refusal is kept under a key of this owner.

    A declined payment always is. What else is refused for good changed nothing and is refused the same way when it is
    asked again, so it is kept for accounts alone: strangers and guests are made in any number, and each key of each of
    them would be a row.
    """
    return status in FINAL_REFUSALS and (status == DECLINED or owner.startswith(ACCOUNTS))


def raise_unless_claimed(seen: ClaimResult) -> None:
    """Let the caller go on, if the key is its own now.

    Raises:
        ReplayedRequest: the request was answered before.
        InvalidFields: the key was used for another request (422).
        StateConflict: a request under it is under way, or was done and its answer was too long to be kept (409).
    """
    if seen.taken:
        return
    if seen.same is False:
        raise InvalidFields(REUSED, errors={HEADER: REUSED})
    if seen.answer is not None and not seen.answer.is_whole:
        raise StateConflict(TOO_LONG)
    if seen.answer is not None:
        raise ReplayedRequest(seen.answer)
    raise StateConflict(IN_FLIGHT, retry_after=RETRY_AFTER_S)
