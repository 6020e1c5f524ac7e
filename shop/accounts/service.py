"""Account service: registration, authentication, sessions and bearer tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from shop.accounts import session_records
from shop.accounts.credentials import clean_name, clean_registration
from shop.accounts.models import AccountSession, ApiToken, User
from shop.accounts.passwords import PasswordHashing
from shop.accounts.secret_tokens import hash_token, new_token
from shop.clock import Clock
from shop.database.transactions import Database
from shop.email_address import canonical_email
from shop.errors import BadCredentials, InvalidFields, StateConflict, TooManyRequests

TOKEN_PREFIX = "shop_"  # noqa: S105 - not a secret: with it, secret scanners recognise a leaked token
SESSION_LIFETIME = timedelta(days=14)
WRONG_CREDENTIALS = "The email or the password is wrong."
"""The same message for every failed log-in."""
EMAIL_TAKEN = "There is already an account with this email. Sign in, or set a new password if you have forgotten yours."

COLUMNS = (User.id, User.session_epoch, User.email, User.name, User.role)
"""The columns of an :class:`AccountIdentity`."""


@dataclass(frozen=True, slots=True)
class AccountIdentity:
    """An authenticated account."""

    user_id: int
    epoch: int
    """The session epoch at the time of authentication. If it has been incremented since, no session is opened."""
    email: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new session token or bearer token. It is readable only here; the table stores its hash."""

    token: str
    expires_at: datetime


class AccountService:
    """Registers and authenticates accounts, and opens and ends their sessions and tokens.

    Args:
        database: the store's database.
        clock: gives the time at which sessions and tokens expire.
        passwords: hashes passwords; one for the whole process.
        token_lifetime: lifetime of a bearer token.
        session_lifetime: lifetime of a browser's session.
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
        """Create an account with the role ``customer``.

        Raises:
            InvalidFields: a field is wrong.
            StateConflict: the email already has an account.
            TooManyRequests: the hashing queue is full.
        """
        email, name = clean_registration(email, password, name)
        password_hash = self._passwords.hash(password)  # before the transaction: hashing is slow and needs no lock
        statement = insert(User).values(email=email, name=name, password_hash=password_hash)
        with self._database.transaction() as session:
            row = session.execute(statement.on_conflict_do_nothing().returning(*COLUMNS)).one_or_none()
        if row is None:
            raise StateConflict(EMAIL_TAKEN, errors={"email": EMAIL_TAKEN})
        return to_account(row)

    def authenticate(self, email: str, password: str) -> AccountIdentity:
        """Authenticate an account by its password. Duration and error do not reveal whether the account exists.

        Raises:
            BadCredentials: the email or the password is wrong.
            TooManyRequests: the hashing queue is full.
        """
        self._passwords.refuse_if_full()
        stored_email = canonical_email(email)  # also of a value that is not an email: it finds no account
        with self._database.reading() as session:
            row = session.execute(select(*COLUMNS, User.password_hash).where(User.email == stored_email)).one_or_none()
        stored: str | None = row.password_hash if row else None
        # No database connection is held while hashing: eight log-ins would take the whole pool of eight.
        matches = self._passwords.matches(password, stored)
        if row is None or stored is None or not matches:
            raise BadCredentials(WRONG_CREDENTIALS)
        if self._passwords.needs_rehash(stored):
            self._renew_hash(row.id, stored, password)
        return to_account(row)

    def open_session(self, account: AccountIdentity) -> IssuedToken:
        """Open a session for a browser. Only the hash of its token is stored.

        Raises:
            BadCredentials: all sessions of the account were ended after its authentication.
        """
        token, now = new_token(), self._clock.now()
        expires_at = now + self._session_lifetime
        with self._database.transaction() as session:
            session_records.require_epoch(session, account.user_id, account.epoch)
            session_records.evict_sessions(session, account.user_id, now)
            session.add(
                AccountSession(
                    token_hash=hash_token(token), user_id=account.user_id, created_at=now, expires_at=expires_at
                )
            )
        return IssuedToken(token, expires_at)

    def identity_of_session(self, token: str) -> AccountIdentity | None:
        """Return the account of a browser's session, or ``None`` if the session has ended. This is one query."""
        is_valid = (AccountSession.token_hash == hash_token(token)) & (AccountSession.expires_at > self._clock.now())
        with self._database.reading() as session:
            row = session.execute(
                select(*COLUMNS).join(AccountSession, AccountSession.user_id == User.id).where(is_valid)
            ).one_or_none()
        return to_account(row) if row else None

    def end_session(self, token: str) -> None:
        """End the session of one browser. Its token and every copy of the token become invalid."""
        with self._database.transaction() as session:
            session.execute(delete(AccountSession).where(AccountSession.token_hash == hash_token(token)))

    def issue_token(self, user_id: int, epoch: int = 0) -> IssuedToken:
        """Issue a bearer token. Only its hash is stored.

        This deletes the account's expired tokens, and its oldest token if the account holds the maximum.

        Args:
            user_id: the account.
            epoch: the session epoch at the time of authentication; 0 if its sessions were never ended all at once.

        Raises:
            BadCredentials: all tokens of the account were ended after its authentication.
        """
        token = TOKEN_PREFIX + new_token()
        now = self._clock.now()
        row = ApiToken(user_id=user_id, token_hash=hash_token(token), expires_at=now + self._token_lifetime)
        with self._database.transaction() as session:
            session_records.require_epoch(session, user_id, epoch)
            session_records.evict_tokens(session, user_id, now)
            session.add(row)
        return IssuedToken(token, row.expires_at)

    def identity_of_token(self, token: str) -> AccountIdentity | None:
        """Return the account of a bearer token, or ``None`` if the token is unknown, revoked or expired."""
        is_valid = (ApiToken.token_hash == hash_token(token)) & (ApiToken.expires_at > self._clock.now())
        with self._database.reading() as session:
            row = session.execute(
                select(*COLUMNS).join(ApiToken, ApiToken.user_id == User.id).where(is_valid)
            ).one_or_none()
        return to_account(row) if row else None

    def revoke_token(self, token: str) -> None:
        """Revoke a bearer token."""
        with self._database.transaction() as session:
            session.execute(delete(ApiToken).where(ApiToken.token_hash == hash_token(token)))

    def end_sessions(self, user_id: int) -> None:
        """End every session and every token of the account, on every device."""
        with self._database.transaction() as session:
            session_records.end_all(session, user_id)

    def rename(self, user_id: int, name: str) -> None:
        """Change the name of an account. Existing reviews keep the old name.

        Raises:
            InvalidFields: the name is not valid.
        """
        name, error = clean_name(name)
        if error is not None:
            raise InvalidFields("Some fields are not right.", errors={"name": error})
        with self._database.transaction() as session:
            session.execute(update(User).where(User.id == user_id).values(name=name))

    def _renew_hash(self, user_id: int, stored: str, password: str) -> None:
        try:
            new_hash = self._passwords.hash(password)
        except TooManyRequests:
            return  # the log-in has succeeded; the next log-in renews the hash
        with self._database.transaction() as session:
            # Only if the stored hash is still the verified one: a password change in between must not be undone.
            session.execute(
                update(User).where(User.id == user_id, User.password_hash == stored).values(password_hash=new_hash)
            )


def to_account(row: Row[*tuple[Any, ...]]) -> AccountIdentity:
    """Convert a row of :data:`COLUMNS`."""
    return AccountIdentity(row.id, row.session_epoch, row.email, row.name, row.role)
