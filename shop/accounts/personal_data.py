"""What accounts hold about a person: told, and blanked. The row stays, since orders and reviews refer to it."""

import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop.accounts import session_records
from shop.accounts.models import AccountSession, ApiToken, PasswordReset, User

NAMELESS = "Former customer"
BLANK_DOMAIN = "@forgotten.invalid"
"""Where the addresses of blanked accounts end: no mail can be sent there (RFC 6761), and nobody can register one."""


def lock(session: Session, email: str) -> int | None:
    """Lock the account of an address until the transaction ends; return its id, or ``None`` where there is none.

    New orders of the account wait meanwhile: their foreign key takes the row too.
    """
    return session.scalar(select(User.id).where(User.email == email).with_for_update())


def blanked(session: Session, user_ids: Collection[int]) -> set[int]:
    """Return those of some accounts that were blanked before."""
    return set(session.scalars(select(User.id).where(User.id.in_(user_ids), User.email.endswith(BLANK_DOMAIN))))


def export(session: Session, user_id: int) -> dict[str, Any]:
    """Return an account and what opens it: of sessions, tokens and links only that there are some, and until when."""
    user = session.get_one(User, user_id)
    account = {name: getattr(user, name) for name in ("email", "name", "role", "created_at", "updated_at")}
    return {
        "account": {**account, "has_password": user.password_hash is not None},
        "sessions": _lifetimes(session, AccountSession, user_id),
        "tokens": _lifetimes(session, ApiToken, user_id),
        "password_resets": _lifetimes(session, PasswordReset, user_id),
    }


def blank(session: Session, user_id: int) -> None:
    """Take name, address, password and role off an account, and end all that opens it."""
    nothing = {
        "email": f"{uuid.uuid4().hex}{BLANK_DOMAIN}",
        "name": NAMELESS,
        "password_hash": None,
        "role": "customer",
    }
    session.execute(update(User).where(User.id == user_id).values(nothing))
    session_records.end_all(session, user_id)


def _lifetimes(
    session: Session, table: type[AccountSession | ApiToken | PasswordReset], user_id: int
) -> list[dict[str, Any]]:
    found = session.execute(select(table.created_at, table.expires_at).where(table.user_id == user_id))
    return [row._asdict() for row in found.all()]
