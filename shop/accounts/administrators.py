"""The accounts that look after the store, made by whoever runs it and never over the network."""

from typing import Any, cast

from sqlalchemy import CursorResult, update
from sqlalchemy.dialects.postgresql import insert

from shop.accounts.credentials import clean_email, clean_registration
from shop.accounts.models import User
from shop.accounts.passwords import PasswordHashing
from shop.database.transactions import Database
from shop.errors import NotFound, StateConflict


class AdministratorAccounts:
    """Makes accounts with the role ``admin``.

    Args:
        database: where accounts are kept.
        passwords: the process's hashing.
    """

    def __init__(self, database: Database, passwords: PasswordHashing) -> None:
        self._database = database
        self._passwords = passwords

    def create(self, email: str, password: str, name: str) -> str:
        """Open an account with the role ``admin``; return its address as it is kept.

        Raises:
            InvalidFields: fields are wrong.
            StateConflict: the address has an account already.
        """
        email, name = clean_registration(email, password, name)
        password_hash = self._passwords.hash(password)  # before the transaction: it takes long and needs no lock
        opened = insert(User).values(email=email, name=name, password_hash=password_hash, role="admin")
        with self._database.transaction() as session:
            if session.scalar(opened.on_conflict_do_nothing().returning(User.id)) is None:
                raise StateConflict(
                    f"{email} has an account: make it an administrator with `shop admin grant {email}`."
                )
        return email

    def grant(self, email: str) -> str:
        """Give an account the role ``admin``; return its address as it is kept.

        Raises:
            InvalidFields: this is no address.
            NotFound: it has no account.
        """
        email = clean_email(email)
        with self._database.transaction() as session:
            done = session.execute(update(User).where(User.email == email).values(role="admin"))
            if not cast("CursorResult[Any]", done).rowcount:
                raise NotFound(f"{email} has no account: make one with `shop admin create {email}`.")
        return email
