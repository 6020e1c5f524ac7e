"""The mailbox: where mail goes when no mail server is configured."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class Mail(ModelBase):
    """One mail as it would have left; shown at ``/lab/mail``."""

    __tablename__ = "mails"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    message_id: Mapped[str] = mapped_column(Text, unique=True)
    """Its ``Message-ID`` (RFC 5322): the same for every try of the same mail."""
    recipient: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
