"""Accounts: registering, proving who one is, and ending what was proved."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from shop.accounts import session_records
from shop.accounts.credentials import clean_name, clean_registration, kept_spelling
from shop.accounts.models import AccountSession, ApiToken, User
from shop.accounts.passwords import PasswordHashing
from shop.accounts.secret_tokens import new_token, token_hash
from shop.clock import Clock
from shop.database.transactions import Database
from shop.errors import BadCredentials, InvalidFields, StateConflict, TooManyRequests

TOKEN_PREFIX = "shop_"  # noqa: S105 - not a secret: it lets secret scanners find one that leaked
SESSION_LIFETIME = timedelta(days=14)
WRONG = "The email or the password is wrong."
"""One sentence for every way a log-in fails."""
TAKEN = "There is already an account with this email. Sign in, or set a new password if you have forgotten yours."

COLUMNS = (User.id, User.session_epoch, User.email, User.name, User.role)
"""What an :class:`Account` is read from."""


@dataclass(frozen=True, slots=True)
class AccountIdentity:
    """Who somebody was proved to be."""

    user_id: int
    epoch: int
    """As it was when this was proved; nothing is opened for an account whose epoch was raised since."""
    email: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A session's or a bearer token, in the only moment it can be read."""

    token: str
    expires_at: datetime


class AccountService:
    """The use cases of accounts.

    Args:
        database: where accounts are kept.
        clock: says when tokens end.
        passwords: the process's hashing.
        token_lifetime: how long a bearer token is good for.
        session_lifetime: how long a browser stays signed in.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        passwords: PasswordHashing,
        token_lifetime: timedelta,
        session_lifetime: timedelta = SESSION_LIFETIME,
    ) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords
        self._token_lifetime = token_lifetime
        self._session_lifetime = session_lifetime

    def register(self, email: str, password: str, name: str) -> AccountIdentity:
        """Open an account with the role ``customer``.

        Raises:
            InvalidFields: fields are wrong.
            StateConflict: the email has an account already.
            TooManyRequests: too many passwords are being hashed.
        """
        email, name = clean_registration(email, password, name)
        password_hash = self._passwords.hash(password)  # before the transaction: it takes long and needs no lock
        opened = insert(User).values(email=email, name=name, password_hash=password_hash)
        with self._database.transaction() as session:
            row = session.execute(opened.on_conflict_do_nothing().returning(*COLUMNS)).one_or_none()
        if row is None:
            raise StateConflict(TAKEN, errors={"email": TAKEN})
        return to_account(row)

    def authenticate(self, email: str, password: str) -> AccountIdentity:
        """Prove who somebody is by password; the work and the answer do not tell whether the account exists.

        Raises:
            BadCredentials: they do not match.
            TooManyRequests: too many passwords are being verified.
        """
        self._passwords.refuse_if_full()
        row = self._find(email)
        stored: str | None = row.password_hash if row else None
        # No connection is held meanwhile: a pool of eight would be gone with eight log-ins.
        matches = self._passwords.matches(password, stored)
        if row is None or stored is None or not matches:
            raise BadCredentials(WRONG)
        if self._passwords.needs_rehash(stored):
            self._renew_hash(row.id, stored, password)
        return to_account(row)

    def open_session(self, account: AccountIdentity) -> IssuedToken:
        """Sign a browser in: make a session of its own; only the hash of its token is kept.

        Raises:
            BadCredentials: all sessions of the account were ended after this was proved.
        """
        token, now = new_token(), self._clock.now()
        expires_at = now + self._session_lifetime
        with self._database.transaction() as session:
            session_records.require_epoch(session, account.user_id, account.epoch)
            session_records.make_room(session, account.user_id, now)
            session.add(
                AccountSession(
                    token_hash=token_hash(token), user_id=account.user_id, created_at=now, expires_at=expires_at
                )
            )
        return IssuedToken(token, expires_at)

    def identity_of_session(self, token: str) -> AccountIdentity | None:
        """Return the account that a browser is signed in to, or ``None`` if its session ended; one query."""
        known = (AccountSession.token_hash == token_hash(token)) & (AccountSession.expires_at > self._clock.now())
        with self._database.reading() as session:
            row = session.execute(
                select(*COLUMNS).join(AccountSession, AccountSession.user_id == User.id).where(known)
            ).one_or_none()
        return to_account(row) if row else None

    def end_session(self, token: str) -> None:
        """Sign one browser out: its token, and any copy of it, is worthless."""
        with self._database.transaction() as session:
            session.execute(delete(AccountSession).where(AccountSession.token_hash == token_hash(token)))

    def issue_token(self, user_id: int, epoch: int = 0) -> IssuedToken:
        """Make a bearer token; only its hash is kept.

        The account's expired ones are removed on the way, and its oldest where it holds the most it may.

        Args:
            user_id: the account.
            epoch: of the account when its owner was proved; 0 if its sessions were never ended all at once.

        Raises:
            BadCredentials: all tokens of the account were ended after that.
        """
        token = TOKEN_PREFIX + new_token()
        now = self._clock.now()
        kept = ApiToken(user_id=user_id, token_hash=token_hash(token), expires_at=now + self._token_lifetime)
        with self._database.transaction() as session:
            session_records.require_epoch(session, user_id, epoch)
            session_records.make_room_for_token(session, user_id, now)
            session.add(kept)
        return IssuedToken(token, kept.expires_at)

    def identity_of_token(self, token: str) -> AccountIdentity | None:
        """Return the account a bearer token stands for, or ``None`` if it is unknown, revoked or expired."""
        known = (ApiToken.token_hash == token_hash(token)) & (ApiToken.expires_at > self._clock.now())
        with self._database.reading() as session:
            row = session.execute(
                select(*COLUMNS).join(ApiToken, ApiToken.user_id == User.id).where(known)
            ).one_or_none()
        return to_account(row) if row else None

    def revoke_token(self, token: str) -> None:
        """Make a bearer token worthless."""
        with self._database.transaction() as session:
            session.execute(delete(ApiToken).where(ApiToken.token_hash == token_hash(token)))

    def end_sessions(self, user_id: int) -> None:
        """End every session and every token of the account, on every device, at once."""
        with self._database.transaction() as session:
            session_records.end_all(session, user_id)

    def rename(self, user_id: int, name: str) -> None:
        """Change the name of an account. Reviews keep the name they were written under.

        Raises:
            InvalidFields: it is no name.
        """
        name, fault = clean_name(name)
        if fault is not None:
            raise InvalidFields("Some fields are not right.", errors={"name": fault})
        with self._database.transaction() as session:
            session.execute(update(User).where(User.id == user_id).values(name=name))

    def _find(self, email: str) -> Row[*tuple[Any, ...]] | None:
        """Return an account by its address; ``None`` also for what is no address, which is worth no other answer."""
        kept = kept_spelling(email)
        with self._database.reading() as session:
            return session.execute(select(*COLUMNS, User.password_hash).where(User.email == kept)).one_or_none()

    def _renew_hash(self, user_id: int, stored: str, password: str) -> None:
        try:
            renewed = self._passwords.hash(password)
        except TooManyRequests:
            return  # the log-in is right and has been waited for; the next one renews
        with self._database.transaction() as session:
            # Only where it still is what was verified: a password changed meanwhile must stay changed.
            session.execute(
                update(User).where(User.id == user_id, User.password_hash == stored).values(password_hash=renewed)
            )


def to_account(row: Row[*tuple[Any, ...]]) -> AccountIdentity:
    """Return the account of a row of :data:`COLUMNS`."""
    return AccountIdentity(row.id, row.session_epoch, row.email, row.name, row.role)
