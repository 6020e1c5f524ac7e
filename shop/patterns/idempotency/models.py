"""The table of keys."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class IdempotencyKey(ModelBase):
    """One request by name: claimed while it is worked on, answered after."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (CheckConstraint("(status IS NULL) = (body IS NULL)", name="answered_whole"),)

    owner: Mapped[str] = mapped_column(Text, primary_key=True)
    """``user:…``, ``guest:…``, or ``anybody:…`` with the fingerprint, for who is nobody yet."""
    route: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text)
    claim: Mapped[uuid.UUID] = mapped_column()
    """Whose turn it is: who was taken over from cannot finish any more."""
    claimed_until: Mapped[datetime] = mapped_column()
    """Until when others wait for an answer; after that its process counts as dead."""
    status: Mapped[int | None] = mapped_column()
    body: Mapped[bytes | None] = mapped_column()
    content_type: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """When it is forgotten, and may be used anew."""
