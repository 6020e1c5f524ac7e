"""The table of idempotency keys."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class IdempotencyKey(ModelBase):
    """The key of one request: claimed while the request is in progress, then with its response."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (CheckConstraint("(status IS NULL) = (body IS NULL)", name="answered_whole"),)

    owner: Mapped[str] = mapped_column(Text, primary_key=True)
    """``user:…``, ``guest:…``, or ``anybody:…`` with the fingerprint, for a client without account and cart."""
    route: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(Text)
    claim: Mapped[uuid.UUID] = mapped_column()
    """The present claim: after a takeover, the earlier claim can no longer store a response."""
    claimed_until: Mapped[datetime] = mapped_column()
    """Until then the claim holds; afterwards its process counts as dead, and another request may take over."""
    status: Mapped[int | None] = mapped_column()
    body: Mapped[bytes | None] = mapped_column()
    content_type: Mapped[str | None] = mapped_column(Text)
    location: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
    """Then the row may be deleted, and the key used for another request."""
