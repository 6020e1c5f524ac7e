"""What the mailbox holds about a person: told without what opens anything, and deleted."""

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session

from shop.mail.models import Mail

SECRET = re.compile(r"([?&]\w+=)[\w.~-]{16,}")
"""A token in a link: whoever has the document must not be able to use it."""


def export(session: Session, email: str, orders: Collection[str]) -> list[dict[str, Any]]:
    """Return a person's mails, without the tokens in their links.

    Args:
        session: reads only.
        email: her address.
        orders: the public ids of her orders; mail about them is hers, whatever address it was sent to.
    """
    found = session.scalars(select(Mail).where(_hers(email, orders)).order_by(Mail.id))
    return [
        {
            "message_id": mail.message_id,
            "recipient": mail.recipient,
            "subject": mail.subject,
            "text": SECRET.sub(r"\1[left out]", mail.text),
            "created_at": mail.created_at,
        }
        for mail in found
    ]


def erase(session: Session, email: str, orders: Collection[str]) -> int:
    """Delete a person's mails; return how many that were. Arguments as :func:`export`."""
    return len(session.scalars(delete(Mail).where(_hers(email, orders)).returning(Mail.id)).all())


def _hers(email: str, orders: Collection[str]) -> ColumnElement[bool]:
    return or_(func.lower(Mail.recipient) == email, *(func.strpos(Mail.text, order) > 0 for order in orders))
