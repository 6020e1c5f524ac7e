"""Tables of the accounts."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, LargeBinary, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class User(ModelBase):
    """An account. An account without a password hash (a customer of a data set) cannot log in."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('customer', 'admin')", name="role_known"),
        CheckConstraint("email = lower(email) AND position('@' in email) > 1", name="email_shape"),
        Index("uq_users_email", "email", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    password_hash: Mapped[str | None] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text, server_default=text("'customer'"))
    session_epoch: Mapped[int] = mapped_column(server_default=text("0"))
    """Incremented when all sessions and tokens end: a log-in verified under an older epoch gets neither."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AccountSession(ModelBase):
    """One signed-in browser. Its cookie holds a random token; the table holds only the token's SHA-256."""

    __tablename__ = "account_sessions"
    __table_args__ = (Index("ix_account_sessions_user_latest", "user_id", text("created_at DESC")),)

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ApiToken(ModelBase):
    """A bearer token, stored only as its SHA-256."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PasswordReset(ModelBase):
    """A link in a mail that sets a password once. Only the SHA-256 of its token is stored."""

    __tablename__ = "password_resets"

    message_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The message that requested the link. A second delivery sends the same mail and replaces the token."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column()
    expires_at: Mapped[datetime] = mapped_column(index=True)
