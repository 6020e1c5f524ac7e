"""The store's own idempotency keys, in the form of the exercise ``idempotency``."""

import uuid
from datetime import timedelta

from sqlalchemy.orm import Session

from shop.errors import InvalidFields, StateConflict
from shop.patterns.idempotency.key_store import KeyStore
from shop.patterns.idempotency.keys import RequestKey
from shop.patterns.idempotency.replay_rules import ReplayedRequest, StoredResponse, raise_unless_claimed

_CLAIM = "exercise.claim"


class IdempotencyMiddleware:
    """Claims and finishes keys; see :class:`shop.exercises.interfaces.idempotency.IdempotencyHooks`."""

    def __init__(self) -> None:
        self._keys = KeyStore(ttl=timedelta(hours=24), claim_ttl=timedelta(seconds=13))

    def before(self, session: Session, request: RequestKey) -> StoredResponse | None:
        """Claim the key."""
        claim = session.info[_CLAIM] = uuid.uuid4()
        try:
            raise_unless_claimed(self._keys.claim(session, request, claim))
        except ReplayedRequest as replayed:
            return replayed.response
        except (InvalidFields, StateConflict) as refusal:
            status = 422 if isinstance(refusal, InvalidFields) else 409
            return StoredResponse(status, refusal.detail.encode(), "text/plain")
        return None

    def after(self, session: Session, request: RequestKey, response: StoredResponse) -> None:
        """Store the response."""
        finish = self._keys.finish_statement(request, session.info[_CLAIM], response)
        session.execute(finish.statement, finish.parameters)
