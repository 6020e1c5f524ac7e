"""Deletes the oldest mails of the mailbox, which would otherwise grow with every order."""

from sqlalchemy import delete, select

from shop.database.transactions import Database
from shop.mail.models import Mail

MAILBOX_LIMIT = 10_000
"""Mails that stay, about 18 MB: more than the largest run of the lab writes."""


class MailReaper:
    """Bounds the mailbox in a background loop. Two reapers may run at the same time.

    Args:
        database: the store's database.
        limit: how many mails stay, the newest.
    """

    def __init__(self, database: Database, limit: int = MAILBOX_LIMIT) -> None:
        self._database = database
        self._limit = limit

    def run_once(self) -> int:
        """Delete all mails beyond the limit; return their number."""
        # By creation time, not by id: the auditor looks for a confirmation of each order paid after the creation of
        # the oldest remaining mail, and an order is paid before its mail is created.
        newest = select(Mail.created_at).order_by(Mail.created_at.desc())
        newest_to_delete = newest.offset(self._limit).limit(1).scalar_subquery()
        with self._database.transaction() as session:
            deleted = session.scalars(delete(Mail).where(Mail.created_at <= newest_to_delete).returning(Mail.id))
            return len(deleted.all())
