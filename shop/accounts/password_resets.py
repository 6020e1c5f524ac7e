"""Password reset: a mailed link that works once and for 30 minutes.

Problem: a form that sends a reset link can reveal whether an account exists, by its text, its status code or its
response time. An attacker can also use it to send mail to any customer.
Method: the request only enqueues a message with the address, and does not look up the account. The worker looks it up
and sends the link. An account has at most three valid links, so it receives at most three mails in 30 minutes. Setting
a password with one link ends all links and all sessions of the account.
Source: OWASP, "Forgot Password Cheat Sheet"; NIST SP 800-63B, 6.1.2.3.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from shop.accounts import session_records
from shop.accounts.credentials import clean_email
from shop.accounts.models import PasswordReset, User
from shop.accounts.password_policy import password_error
from shop.accounts.passwords import PasswordHashing
from shop.accounts.secret_tokens import hash_token, new_token
from shop.clock import Clock
from shop.database.transactions import Database
from shop.errors import InvalidFields, NotFound
from shop.patterns.outbox import messages

TOPIC = "account.password-forgotten"
AGGREGATE = "account"
LIFETIME = timedelta(minutes=30)
LINKS_MAX = 3
"""Valid links of an account at the same time. Further requests send no mail."""
INVALID_LINK = "This link does not work any more: it was used, it is older than 30 minutes, or a part of it is missing."
"""The same message for every link that is not valid."""


@dataclass(frozen=True, slots=True)
class ResetLink:
    """A new link: its recipient and its token. The token is readable only here; the table stores its hash."""

    email: str
    name: str
    token: str


class PasswordResets:
    """Resets the password of an owner who has forgotten it.

    Args:
        database: the store's database.
        clock: gives the time at which links expire.
        passwords: hashes passwords; one for the whole process.
    """

    def __init__(self, database: Database, clock: Clock, passwords: PasswordHashing) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords

    def request(self, email: str) -> None:
        """Enqueue the request for a link. The work is the same whether or not the address has an account.

        Raises:
            InvalidFields: the email is not valid.
        """
        email = clean_email(email)
        aggregate_id = hashlib.sha256(email.encode()).hexdigest()[:32]
        with self._database.transaction() as session:
            # At most one waiting message per address: a second request while mail is slow adds nothing.
            if not messages.is_waiting(session, AGGREGATE, aggregate_id, TOPIC):
                messages.enqueue(session, AGGREGATE, aggregate_id, TOPIC, {"email": email})

    def issue(self, email: str, message_id: uuid.UUID) -> ResetLink | None:
        """Create a link for the account of an address. Only the hash of its token is stored.

        Args:
            email: the address in the message that :meth:`request` enqueued.
            message_id: the id of that message; a second call with the same id replaces the first token.

        Returns:
            The link, or ``None`` if the account does not exist or has :data:`LINKS_MAX` valid links.
        """
        token, now = new_token(), self._clock.now()
        with self._database.transaction() as session:
            owner = session.execute(
                select(User.id, User.name).where(User.email == email).with_for_update(key_share=True)
            ).one_or_none()
            if owner is None:
                return None
            others = (PasswordReset.user_id == owner.id) & (PasswordReset.message_id != message_id)
            valid_links = select(func.count()).where(others, PasswordReset.expires_at > now)
            if session.scalars(valid_links).one() >= LINKS_MAX:
                return None
            values = {"token_hash": hash_token(token), "created_at": now, "expires_at": now + LIFETIME}
            link = insert(PasswordReset).values(message_id=message_id, user_id=owner.id, **values)
            session.execute(link.on_conflict_do_update(index_elements=["message_id"], set_=values))
        return ResetLink(email, owner.name, token)

    def check(self, token: str) -> str:
        """Return the email of the account whose password the link may set.

        Raises:
            NotFound: the link is not valid.
        """
        is_valid = (PasswordReset.token_hash == hash_token(token)) & (PasswordReset.expires_at > self._clock.now())
        with self._database.reading() as session:
            email = session.scalar(
                select(User.email).join(PasswordReset, PasswordReset.user_id == User.id).where(is_valid)
            )
        if email is None:
            raise NotFound(INVALID_LINK)
        return email

    def reset(self, token: str, password: str) -> None:
        """Set a password with a link. Every session, token and link of the account ends.

        Raises:
            NotFound: the link is not valid.
            InvalidFields: the password is not allowed; the link stays valid.
        """
        if (error := password_error(password, self.check(token))) is not None:
            raise InvalidFields("Some fields are not right.", errors={"password": error})
        password_hash = self._passwords.hash(password)  # before the transaction: hashing is slow and needs no lock
        is_valid = (PasswordReset.token_hash == hash_token(token)) & (PasswordReset.expires_at > self._clock.now())
        with self._database.transaction() as session:
            # Lock the account's row first, as every caller does: the second of two concurrent uses finds no link.
            owner = select(User.id).where(User.id == select(PasswordReset.user_id).where(is_valid).scalar_subquery())
            user_id = session.scalar(owner.with_for_update(key_share=True))
            if user_id is None or session.scalar(select(PasswordReset.user_id).where(is_valid)) is None:
                raise NotFound(INVALID_LINK)
            session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))
            session_records.end_all(session, user_id)
