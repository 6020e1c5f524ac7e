"""Setting another password with the present one. Whatever the old one had opened ends with it."""

from typing import Any

from sqlalchemy import Row, select, update

from shop.accounts import session_records
from shop.accounts.models import User
from shop.accounts.password_policy import password_error
from shop.accounts.passwords import PasswordHashing
from shop.accounts.secret_tokens import token_hash
from shop.accounts.service import COLUMNS, AccountIdentity, to_account
from shop.database.transactions import Database
from shop.errors import InvalidFields, NotFound, StateConflict

WRONG_PRESENT = "This is not your present password."
SAME = "This is your present password. Choose another one."
OVERTAKEN = "The password was changed meanwhile, somewhere else. Sign in again."


class PasswordChanges:
    """The use case of an owner who knows the present password.

    Args:
        database: where accounts are kept.
        passwords: the process's hashing.
    """

    def __init__(self, database: Database, passwords: PasswordHashing) -> None:
        self._database = database
        self._passwords = passwords

    def change(self, user_id: int, present: str, new: str, *, bearer: str | None = None) -> AccountIdentity:
        """Set another password, and end every session and token of the account.

        Args:
            user_id: the account.
            present: its password until now.
            new: from now on.
            bearer: the token the request came with, which stays: its program has just proved the password.

        Returns:
            The account under its new epoch, for a session of its own.

        Raises:
            InvalidFields: the present password is wrong (``current_password``), or the new one may not be used
                (``new_password``).
            StateConflict: another change came first.
        """
        row = self._read(user_id)
        if (fault := SAME if new == present else password_error(new, row.email)) is not None:
            raise InvalidFields("Some fields are not right.", errors={"new_password": fault})
        # No connection is held while hashes are computed.
        if not self._passwords.matches(present, row.password_hash):
            raise InvalidFields("Some fields are not right.", errors={"current_password": WRONG_PRESENT})
        return self._replace(user_id, row.password_hash, self._passwords.hash(new), bearer)

    def _read(self, user_id: int) -> Row[*tuple[Any, ...]]:
        with self._database.reading() as session:
            row = session.execute(select(*COLUMNS, User.password_hash).where(User.id == user_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such account.")
        return row

    def _replace(self, user_id: int, stored: str, new: str, bearer: str | None) -> AccountIdentity:
        still = (User.id == user_id) & (User.password_hash == stored)
        with self._database.transaction() as session:
            if session.scalar(update(User).where(still).values(password_hash=new).returning(User.id)) is None:
                raise StateConflict(OVERTAKEN)
            session_records.end_all(session, user_id, kept=token_hash(bearer) if bearer else b"")
            return to_account(session.execute(select(*COLUMNS).where(User.id == user_id)).one())
