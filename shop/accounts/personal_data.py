"""Export and erasure of a person's account data. The row stays, blanked, since orders and reviews refer to it."""

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop.accounts import session_records
from shop.accounts.models import AccountSession, ApiToken, PasswordReset, User

NAMELESS = "Former customer"
BLANK_DOMAIN = "@forgotten.invalid"
"""Domain of the emails of blanked accounts. No mail can be sent to it (RFC 6761), and no customer can register it."""


def lock(session: Session, email: str) -> int | None:
    """Lock the account of an email until the transaction ends; return its id, or ``None`` if there is none.

    New orders of the account wait for the lock, since their foreign key locks the same row.
    """
    return session.scalar(select(User.id).where(User.email == email).with_for_update())


def blanked(session: Session, user_ids: Collection[int]) -> set[int]:
    """Return which of these accounts are blanked already."""
    return set(session.scalars(select(User.id).where(User.id.in_(user_ids), User.email.endswith(BLANK_DOMAIN))))


def export(session: Session, user_id: int) -> dict[str, Any]:
    """Return the account, and the lifetimes of its sessions, tokens and reset links."""
    user = session.get_one(User, user_id)
    account = {name: getattr(user, name) for name in ("email", "name", "role", "created_at", "updated_at")}
    return {
        "account": {**account, "has_password": user.password_hash is not None},
        "sessions": _lifetimes(session, AccountSession, user_id),
        "tokens": _lifetimes(session, ApiToken, user_id),
        "password_resets": _lifetimes(session, PasswordReset, user_id),
    }


def anonymise(session: Session, user_id: int) -> None:
    """Blank the name, email, password and role of an account, and end its sessions, tokens and links."""
    blank_values = {
        "email": f"{uuid.uuid4().hex}{BLANK_DOMAIN}",
        "name": NAMELESS,
        "password_hash": None,
        "role": "customer",
    }
    session.execute(update(User).where(User.id == user_id).values(blank_values))
    session_records.end_all(session, user_id)


def _lifetimes(
    session: Session, table: type[AccountSession | ApiToken | PasswordReset], user_id: int
) -> list[dict[str, Any]]:
    rows = session.execute(select(table.created_at, table.expires_at).where(table.user_id == user_id))
    return [row._asdict() for row in rows.all()]
