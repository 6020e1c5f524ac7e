"""Tables of the carts."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase

MAX_QUANTITY = 99
"""Pieces of one product a cart holds at most."""
MAX_LINES = 100
"""Different products a cart holds at most: its page, its answer under a key and its checkout are as long as that."""


class Cart(ModelBase):
    """A cart; a guest's is known only by its id, which her signed cookie carries."""

    __tablename__ = "carts"
    __table_args__ = (Index("ix_carts_guest_oldest", "created_at", postgresql_where=text("user_id IS NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CartItem(ModelBase):
    """A product in a cart. Nothing is ever charged by it: a cart is priced anew whenever it is looked at."""

    __tablename__ = "cart_items"
    __table_args__ = (CheckConstraint(f"quantity BETWEEN 1 AND {MAX_QUANTITY}", name="quantity_in_range"),)

    cart_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, index=True)
    quantity: Mapped[int] = mapped_column()
    seen_price_amount: Mapped[int] = mapped_column()
    """What one piece cost when the shopper last touched the line; only there to say that it has changed."""
    added_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    line_id: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    """Names what lies here until it is bought, whoever's cart it comes into; what is left of it then has another."""
