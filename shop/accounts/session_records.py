"""The rows of what opens an account (sessions, tokens, links): bounded, ended, forgotten.

Opening and ending take the row of the account first, so they take turns: a log-in that was proved by a password which
is being changed either ends with all other sessions, or is refused because the epoch it was proved under is over.
"""

from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from shop.accounts.models import AccountSession, ApiToken, PasswordReset, User
from shop.clock import Clock
from shop.database.transactions import Database
from shop.errors import BadCredentials

SESSIONS_MAX = 50
"""Browsers an account is signed in with at most; the next log-in ends the oldest. A bound on rows, not a rule that
anybody meets: each private window leaves one behind until it expires."""
TOKENS_MAX = 50
"""Bearer tokens an account holds at most; the next one ends the oldest."""
REAPED_AT_ONCE = 1_000
OVERTAKEN = "The password or the sessions of this account changed meanwhile. Sign in again."


def require_epoch(session: Session, user_id: int, epoch: int) -> None:
    """Lock the account against every other opening and ending of its sessions until the transaction ends.

    Raises:
        BadCredentials: the account is gone, or its epoch was raised.
    """
    current = select(User.id).where(User.id == user_id, User.session_epoch == epoch)
    # FOR NO KEY UPDATE: an order of the account, whose foreign key locks the row too, does not wait.
    if session.scalar(current.with_for_update(key_share=True)) is None:
        raise BadCredentials(OVERTAKEN)


def make_room(session: Session, user_id: int, now: datetime) -> None:
    """Delete the account's expired sessions, and its oldest if another one would be too many."""
    _make_room(session, AccountSession, SESSIONS_MAX, user_id, now)


def make_room_for_token(session: Session, user_id: int, now: datetime) -> None:
    """Delete the account's expired tokens, and its oldest if another one would be too many."""
    _make_room(session, ApiToken, TOKENS_MAX, user_id, now)


def _make_room(
    session: Session, table: type[AccountSession] | type[ApiToken], most: int, user_id: int, now: datetime
) -> None:
    newest = select(table.token_hash).where(table.user_id == user_id).order_by(table.created_at.desc())
    too_many = table.token_hash.not_in(newest.limit(most - 1))
    session.execute(delete(table).where(table.user_id == user_id, or_(table.expires_at <= now, too_many)))


def end_all(session: Session, user_id: int, *, kept: bytes = b"") -> None:
    """Delete every session, token and link of the account, and refuse those that are being opened.

    Args:
        session: of the transaction.
        user_id: the account.
        kept: the hash of a bearer token that stays.
    """
    session.execute(update(User).where(User.id == user_id).values(session_epoch=User.session_epoch + 1))
    session.execute(delete(AccountSession).where(AccountSession.user_id == user_id))
    session.execute(delete(ApiToken).where(ApiToken.user_id == user_id, ApiToken.token_hash != kept))
    session.execute(delete(PasswordReset).where(PasswordReset.user_id == user_id))


class SessionReaper:
    """A loop's body: forgets sessions, tokens and links that expired. Safe to run twice at once.

    Args:
        database: where they are kept.
        clock: says what is over.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def run_once(self) -> int:
        """Delete all that is due, in short transactions; return how many rows that were."""
        return self._forget(AccountSession) + self._forget(ApiToken) + self._forget(PasswordReset)

    def _forget(self, table: type[AccountSession | ApiToken | PasswordReset]) -> int:
        due = select(table.token_hash).where(table.expires_at <= self._clock.now()).limit(REAPED_AT_ONCE)
        gone = delete(table).where(table.token_hash.in_(due.with_for_update(skip_locked=True))).returning(table.user_id)
        total = 0
        while True:
            done = self._database.run_in_transaction(lambda session: len(session.scalars(gone).all()))
            total += done
            if done < REAPED_AT_ONCE:
                return total
