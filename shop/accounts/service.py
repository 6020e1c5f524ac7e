"""Accounts: registering, proving who one is, and ending what was proved."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from shop.accounts.credentials import clean_email, clean_registration
from shop.accounts.models import ApiToken, User
from shop.accounts.passwords import Passwords
from shop.clock import Clock
from shop.errors import BadCredentials, Conflict, Invalid
from shop.unit_of_work import Database

TOKEN_PREFIX = "shop_"  # noqa: S105 - not a secret: it lets secret scanners find one that leaked
TOKEN_BYTES = 32
"""256 random bits: nothing to guess, so a plain SHA-256 is enough to keep them by."""
WRONG = "The email or the password is wrong."
"""One sentence for every way a log-in fails."""
TAKEN = "There is already an account with this email."

_COLUMNS = (User.id, User.session_epoch, User.email, User.name, User.role)


@dataclass(frozen=True, slots=True)
class Account:
    """Who somebody was proved to be."""

    user_id: int
    epoch: int
    """Sessions carry it; a raised one ends them all."""
    email: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A bearer token, in the only moment it can be read."""

    token: str
    expires_at: datetime


class Accounts:
    """The use cases of accounts.

    Args:
        database: where accounts are kept.
        clock: says when tokens end.
        passwords: the process's hashing.
        token_lifetime: how long a bearer token is good for.
    """

    def __init__(self, database: Database, clock: Clock, passwords: Passwords, token_lifetime: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._token_lifetime = token_lifetime

    def register(self, email: str, password: str, name: str) -> Account:
        """Open an account with the role ``customer``.

        Raises:
            Invalid: fields are wrong.
            Conflict: the email has an account already.
        """
        email, name = clean_registration(email, password, name)
        password_hash = self._passwords.hash(password)  # before the transaction: it takes long and needs no lock
        opened = insert(User).values(email=email, name=name, password_hash=password_hash)
        with self._database.transaction() as session:
            row = session.execute(opened.on_conflict_do_nothing().returning(*_COLUMNS)).one_or_none()
        if row is None:
            raise Conflict(TAKEN, errors={"email": TAKEN})
        return _account(row)

    def authenticate(self, email: str, password: str) -> Account:
        """Prove who somebody is by password; the work and the answer do not tell whether the account exists.

        Raises:
            BadCredentials: they do not match.
        """
        row = self._find(email)
        stored: str | None = row.password_hash if row else None
        # No connection is held meanwhile: a pool of eight would be gone with eight log-ins.
        matches = self._passwords.matches(password, stored)
        if row is None or stored is None or not matches:
            raise BadCredentials(WRONG)
        if self._passwords.outdated(stored):
            self._renew_hash(row.id, stored, password)
        return _account(row)

    def identity_of(self, user_id: int, epoch: int) -> Account | None:
        """Return the account of a session, or ``None`` if it is gone or its sessions were ended."""
        with self._database.reading() as session:
            row = session.execute(
                select(*_COLUMNS).where(User.id == user_id, User.session_epoch == epoch)
            ).one_or_none()
        return _account(row) if row else None

    def issue_token(self, user_id: int) -> IssuedToken:
        """Make a bearer token; only its hash is kept. The account's expired ones are removed on the way."""
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.now()
        kept = ApiToken(user_id=user_id, token_hash=_fingerprint(token), expires_at=now + self._token_lifetime)
        with self._database.transaction() as session:
            session.execute(delete(ApiToken).where(ApiToken.user_id == user_id, ApiToken.expires_at <= now))
            session.add(kept)
        return IssuedToken(token, kept.expires_at)

    def identity_of_token(self, token: str) -> Account | None:
        """Return the account a bearer token stands for, or ``None`` if it is unknown, revoked or expired."""
        known = (ApiToken.token_hash == _fingerprint(token)) & (ApiToken.expires_at > self._clock.now())
        with self._database.reading() as session:
            row = session.execute(
                select(*_COLUMNS).join(ApiToken, ApiToken.user_id == User.id).where(known)
            ).one_or_none()
        return _account(row) if row else None

    def revoke_token(self, token: str) -> None:
        """Make a bearer token worthless."""
        with self._database.transaction() as session:
            session.execute(delete(ApiToken).where(ApiToken.token_hash == _fingerprint(token)))

    def end_sessions(self, user_id: int) -> None:
        """End every session and every token of the account, on every device, at once."""
        with self._database.transaction() as session:
            session.execute(update(User).where(User.id == user_id).values(session_epoch=User.session_epoch + 1))
            session.execute(delete(ApiToken).where(ApiToken.user_id == user_id))

    def _find(self, email: str) -> Row[*tuple[Any, ...]] | None:
        try:
            email = clean_email(email)
        except Invalid:
            return None  # told apart from a wrong password, it would say which addresses are worth a try
        with self._database.reading() as session:
            return session.execute(select(*_COLUMNS, User.password_hash).where(User.email == email)).one_or_none()

    def _renew_hash(self, user_id: int, stored: str, password: str) -> None:
        renewed = self._passwords.hash(password)
        with self._database.transaction() as session:
            # Only where it still is what was verified: a password changed meanwhile must stay changed.
            session.execute(
                update(User).where(User.id == user_id, User.password_hash == stored).values(password_hash=renewed)
            )


def _account(row: Row[*tuple[Any, ...]]) -> Account:
    return Account(row.id, row.session_epoch, row.email, row.name, row.role)


def _fingerprint(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
