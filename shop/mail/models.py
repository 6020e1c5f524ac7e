"""The mailbox table. It stores mail when no mail server is configured."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class Mail(ModelBase):
    """One mail that a mail server would have sent; shown at ``/lab/mail``."""

    __tablename__ = "mails"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    message_id: Mapped[str] = mapped_column(Text, unique=True)
    """Its ``Message-ID`` (RFC 5322); every retry of a mail has the same."""
    recipient: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
