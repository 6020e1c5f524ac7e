"""Export and erasure of a person's mails. The export contains no link tokens."""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from shop.mail.models import Mail

SECRET = re.compile(r"([?&]\w+=)[\w.~-]{16,}")
"""The token of a link: a reader of the export must not be able to use it."""


def export(session: Session, email: str, orders: Collection[str]) -> list[dict[str, Any]]:
    """Return a person's mails, without the tokens in their links.

    Args:
        session: used for reading.
        email: the person's email.
        orders: the public ids of the person's orders; mail about them is the person's, whatever its recipient.
    """
    mails = session.scalars(select(Mail).where(_belongs_to(email, orders)).order_by(Mail.id))
    return [
        {
            "message_id": mail.message_id,
            "recipient": mail.recipient,
            "subject": mail.subject,
            "text": SECRET.sub(r"\1[left out]", mail.text),
            "created_at": mail.created_at,
        }
        for mail in mails
    ]


def erase(session: Session, email: str, orders: Collection[str]) -> int:
    """Delete a person's mails; return their number. The arguments are those of :func:`export`."""
    return len(session.scalars(delete(Mail).where(_belongs_to(email, orders)).returning(Mail.id)).all())


def _belongs_to(email: str, orders: Collection[str]) -> ColumnElement[bool]:
    return or_(func.lower(Mail.recipient) == email, *(func.strpos(Mail.text, order) > 0 for order in orders))
