"""Rows of sessions, tokens and reset links: their limits, their end, and the reaper.

Every function locks the account's row first, so opening and ending a session take turns. If the password changes
during a log-in, the new session either ends with all other sessions, or is refused because the epoch has changed.
"""

from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from shop.accounts.models import AccountSession, ApiToken, PasswordReset, User
from shop.clock import Clock
from shop.database.transactions import Database
from shop.errors import BadCredentials

SESSIONS_MAX = 50
"""Signed-in browsers of one account; the next log-in ends the oldest session. This bounds the table: each private
window leaves a session behind until it expires. Customers rarely reach it."""
TOKENS_MAX = 50
"""Bearer tokens of one account; the next token ends the oldest."""
REAP_BATCH_ROWS = 1_000
EPOCH_CHANGED = "The password or the sessions of this account changed in the meantime. Sign in again."


def require_epoch(session: Session, user_id: int, epoch: int) -> None:
    """Check the account's session epoch and lock the account's row until the transaction ends.

    Raises:
        BadCredentials: the account does not exist, or its epoch has been incremented.
    """
    current = select(User.id).where(User.id == user_id, User.session_epoch == epoch)
    # FOR NO KEY UPDATE does not conflict with the lock of a new order's foreign key.
    if session.scalar(current.with_for_update(key_share=True)) is None:
        raise BadCredentials(EPOCH_CHANGED)


def evict_sessions(session: Session, user_id: int, now: datetime) -> None:
    """Delete the account's expired sessions, and its oldest if the account has :data:`SESSIONS_MAX`."""
    _evict(session, AccountSession, SESSIONS_MAX, user_id, now)


def evict_tokens(session: Session, user_id: int, now: datetime) -> None:
    """Delete the account's expired tokens, and its oldest if the account has :data:`TOKENS_MAX`."""
    _evict(session, ApiToken, TOKENS_MAX, user_id, now)


def _evict(
    session: Session, table: type[AccountSession] | type[ApiToken], limit: int, user_id: int, now: datetime
) -> None:
    newest = select(table.token_hash).where(table.user_id == user_id).order_by(table.created_at.desc())
    over_limit = table.token_hash.not_in(newest.limit(limit - 1))
    session.execute(delete(table).where(table.user_id == user_id, or_(table.expires_at <= now, over_limit)))


def end_all(session: Session, user_id: int, *, except_token: bytes = b"") -> None:
    """Delete every session, token and link of the account, and increment its epoch, which refuses pending log-ins.

    Args:
        session: of the transaction.
        user_id: the account.
        except_token: the hash of a bearer token that stays.
    """
    session.execute(update(User).where(User.id == user_id).values(session_epoch=User.session_epoch + 1))
    session.execute(delete(AccountSession).where(AccountSession.user_id == user_id))
    session.execute(delete(ApiToken).where(ApiToken.user_id == user_id, ApiToken.token_hash != except_token))
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))


class SessionReaper:
    """Deletes expired sessions, tokens and links in a background loop. Two reapers may run at the same time.

    Args:
        database: the store's database.
        clock: gives the current time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def run_once(self) -> int:
        """Delete all expired rows in short transactions; return the number of rows."""
        return sum(self._delete_expired(table) for table in (AccountSession, ApiToken, PasswordReset))

    def _delete_expired(self, table: type[AccountSession | ApiToken | PasswordReset]) -> int:
        expired = select(table.token_hash).where(table.expires_at <= self._clock.now()).limit(REAP_BATCH_ROWS)
        unlocked = expired.with_for_update(skip_locked=True)
        statement = delete(table).where(table.token_hash.in_(unlocked)).returning(table.user_id)
        total = 0
        while True:
            deleted = self._database.run_in_transaction(lambda session: len(session.scalars(statement).all()))
            total += deleted
            if deleted < REAP_BATCH_ROWS:
                return total
