"""Administrator accounts. Only the operator creates them, with a command; no HTTP route does."""

from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.dialects.postgresql import insert

from shop.accounts.credentials import clean_email, clean_registration
from shop.accounts.models import User
from shop.accounts.passwords import PasswordHashing
from shop.database.transactions import Database
from shop.errors import NotFound, StateConflict


class AdministratorAccounts:
    """Creates accounts with the role ``admin``.

    Args:
        database: the store's database.
        passwords: hashes passwords; one for the whole process.
    """

    def __init__(self, database: Database, passwords: PasswordHashing) -> None:
        self._database = database
        self._passwords = passwords

    def create(self, email: str, password: str, name: str) -> str:
        """Create an account with the role ``admin``; return its email in the stored spelling.

        Raises:
            InvalidFields: a field is wrong.
            StateConflict: the email already has an account.
        """
        email, name = clean_registration(email, password, name)
        password_hash = self._passwords.hash(password)  # before the transaction: hashing is slow and needs no lock
        statement = insert(User).values(email=email, name=name, password_hash=password_hash, role="admin")
        with self._database.transaction() as session:
            if session.scalar(statement.on_conflict_do_nothing().returning(User.id)) is None:
                raise StateConflict(
                    f"{email} has an account: make it an administrator with `bin/shop admin grant {email}`."
                )
        return email

    def grant(self, email: str) -> str:
        """Give an account the role ``admin``; return its email in the stored spelling.

        Raises:
            InvalidFields: the email is not valid.
            NotFound: the email has no account.
        """
        email = clean_email(email)
        with self._database.transaction() as session:
            result = session.execute(update(User).where(User.email == email).values(role="admin"))
            if not cast("CursorResult[Any]", result).rowcount:
                raise NotFound(f"{email} has no account: make one with `bin/shop admin create {email}`.")
        return email
