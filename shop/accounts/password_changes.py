"""Password change with the current password as proof. Every session and token of the old password ends."""

from sqlalchemy import select, update

from shop.accounts import session_records
from shop.accounts.models import User
from shop.accounts.password_policy import password_error
from shop.accounts.passwords import PasswordHashing
from shop.accounts.secret_tokens import hash_token
from shop.accounts.service import COLUMNS, AccountIdentity, to_account
from shop.database.transactions import Database
from shop.errors import InvalidFields, NotFound, StateConflict

WRONG_CURRENT_PASSWORD = "This is not your current password."  # noqa: S105 - a message
SAME_PASSWORD = "This is your current password. Choose another one."  # noqa: S105 - a message
CHANGED_MEANWHILE = "Another device has changed the password in the meantime. Sign in again."


class PasswordChanges:
    """Changes the password of an owner who knows the current one.

    Args:
        database: the store's database.
        passwords: hashes passwords; one for the whole process.
    """

    def __init__(self, database: Database, passwords: PasswordHashing) -> None:
        self._database = database
        self._passwords = passwords

    def change(self, user_id: int, current: str, new: str, *, bearer_token: str | None = None) -> AccountIdentity:
        """Set a new password, and end every session and token of the account.

        Args:
            user_id: the account.
            current: the current password.
            new: the new password.
            bearer_token: the token of the request. It stays valid: its program has just proved the password.

        Returns:
            The account with its new epoch, to open a new session.

        Raises:
            InvalidFields: the current password is wrong (``current_password``), or the new password is not allowed
                (``new_password``).
            StateConflict: another request changed the password first.
        """
        with self._database.reading() as session:
            row = session.execute(select(*COLUMNS, User.password_hash).where(User.id == user_id)).one_or_none()
        if row is None:
            raise NotFound("There is no such account.")
        if (error := SAME_PASSWORD if new == current else password_error(new, row.email)) is not None:
            raise InvalidFields("Some fields are not right.", errors={"new_password": error})
        # No database connection is held while the hashes are computed.
        if not self._passwords.matches(current, row.password_hash):
            raise InvalidFields("Some fields are not right.", errors={"current_password": WRONG_CURRENT_PASSWORD})
        new_hash = self._passwords.hash(new)
        unchanged = (User.id == user_id) & (User.password_hash == row.password_hash)
        with self._database.transaction() as session:
            if session.scalar(update(User).where(unchanged).values(password_hash=new_hash).returning(User.id)) is None:
                raise StateConflict(CHANGED_MEANWHILE)
            session_records.end_all(session, user_id, except_token=hash_token(bearer_token) if bearer_token else b"")
            return to_account(session.execute(select(*COLUMNS).where(User.id == user_id)).one())
