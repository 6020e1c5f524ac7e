"""A password that was forgotten: a link by mail, good once and for 30 minutes.

Problem: a form that sends a link tells strangers who has an account, by its words, its status or its time; and it
sends mail to whomever they name.
Method: the request only writes down the address as a message for the worker, and never looks whether it has an account.
The worker looks, and sends the link. An account has at most three links that are good, so it gets at most three mails
in 30 minutes. Setting a password by one ends all of them, and every session.
Source: OWASP, "Forgot Password Cheat Sheet"; NIST SP 800-63B, 6.1.2.3.
"""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.accounts import session_records
from shop.accounts.credentials import clean_email
from shop.accounts.models import PasswordReset, User
from shop.accounts.password_policy import password_error
from shop.accounts.passwords import PasswordHashing
from shop.accounts.secret_tokens import new_token, token_hash
from shop.clock import Clock
from shop.database.transactions import Database
from shop.errors import InvalidFields, NotFound
from shop.patterns.outbox import messages

TOPIC = "account.password-forgotten"
AGGREGATE = "account"
LIFETIME = timedelta(minutes=30)
LINKS_MAX = 3
"""Links of an account that are good at the same time; whoever asks for more gets no further mail."""
USELESS = "This link does not work any more: it was used, it is older than 30 minutes, or a part of it is missing."
"""One sentence for every link that opens nothing."""


@dataclass(frozen=True, slots=True)
class ResetLink:
    """Where a link goes, and the token in it, in the only moment it can be read."""

    email: str
    name: str
    token: str


class PasswordResets:
    """The use cases of an owner who does not know the password.

    Args:
        database: where accounts are kept.
        clock: says when links end.
        passwords: the process's hashing.
    """

    def __init__(self, database: Database, clock: Clock, passwords: PasswordHashing) -> None:
        self._database = database
        self._clock = clock
        self._passwords = passwords

    def request(self, email: str) -> None:
        """Ask for a link to be sent, if the address has an account; the same work whether or not it has.

        Raises:
            InvalidFields: this is no email address.
        """
        email = clean_email(email)
        aggregate_id = hashlib.sha256(email.encode()).hexdigest()[:32]
        with self._database.transaction() as session:
            # One message an address: while mail is late, asking again adds nothing.
            if not messages.is_waiting(session, AGGREGATE, aggregate_id, TOPIC):
                messages.enqueue(session, AGGREGATE, aggregate_id, TOPIC, {"email": email})

    def issue(self, email: str, message_id: uuid.UUID) -> ResetLink | None:
        """Make a link for the account of an address; only the hash of its token is kept.

        Args:
            email: as :meth:`request` wrote it down.
            message_id: of the request; a second call for it replaces the token of the first.

        Returns:
            ``None`` where there is no such account, or it has enough links already.
        """
        token, now = new_token(), self._clock.now()
        with self._database.transaction() as session:
            owner = session.execute(
                select(User.id, User.name).where(User.email == email).with_for_update(key_share=True)
            ).one_or_none()
            if owner is None or _good_links(session, owner.id, message_id, now) >= LINKS_MAX:
                return None
            made = {"token_hash": token_hash(token), "created_at": now, "expires_at": now + LIFETIME}
            link = insert(PasswordReset).values(message_id=message_id, user_id=owner.id, **made)
            session.execute(link.on_conflict_do_update(index_elements=["message_id"], set_=made))
        return ResetLink(email, owner.name, token)

    def check(self, token: str) -> str:
        """Return the address of the account whose password a link may set.

        Raises:
            NotFound: the link opens nothing.
        """
        known = (PasswordReset.token_hash == token_hash(token)) & (PasswordReset.expires_at > self._clock.now())
        with self._database.reading() as session:
            email = session.scalar(
                select(User.email).join(PasswordReset, PasswordReset.user_id == User.id).where(known)
            )
        if email is None:
            raise NotFound(USELESS)
        return email

    def reset(self, token: str, password: str) -> None:
        """Set a password by a link; every session, token and link of the account ends.

        Raises:
            NotFound: the link opens nothing.
            InvalidFields: the password may not be used; the link stays good.
        """
        if (fault := password_error(password, self.check(token))) is not None:
            raise InvalidFields("Some fields are not right.", errors={"password": fault})
        password_hash = self._passwords.hash(password)  # before the transaction: it takes long and needs no lock
        good = (PasswordReset.token_hash == token_hash(token)) & (PasswordReset.expires_at > self._clock.now())
        with self._database.transaction() as session:
            # The row of the account first, as everywhere: of two uses at once, the second finds the link gone.
            owner = select(User.id).where(User.id == select(PasswordReset.user_id).where(good).scalar_subquery())
            user_id = session.scalar(owner.with_for_update(key_share=True))
            if user_id is None or session.scalar(select(PasswordReset.user_id).where(good)) is None:
                raise NotFound(USELESS)
            session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))
            session_records.end_all(session, user_id)


def _good_links(session: Session, user_id: int, message_id: uuid.UUID, now: datetime) -> int:
    others = (PasswordReset.user_id == user_id) & (PasswordReset.message_id != message_id)
    return session.scalar(select(func.count()).where(others, PasswordReset.expires_at > now)) or 0
