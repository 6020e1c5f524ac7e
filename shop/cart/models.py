"""Tables of the carts."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase

MAX_QUANTITY = 99
"""The most pieces of one product in a cart."""
MAX_LINES = 100
"""The most different products in a cart; it bounds the cart's page, its stored responses and its checkout."""


class Cart(ModelBase):
    """A cart. A guest's cart is found only by its id, which the guest's signed cookie contains."""

    __tablename__ = "carts"
    __table_args__ = (Index("ix_carts_guest_oldest", "created_at", postgresql_where=text("user_id IS NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CartItem(ModelBase):
    """A product in a cart. Its stored price is never charged: each view of a cart computes current prices."""

    __tablename__ = "cart_items"
    __table_args__ = (CheckConstraint(f"quantity BETWEEN 1 AND {MAX_QUANTITY}", name="quantity_in_range"),)

    cart_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("carts.id", ondelete="CASCADE"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, index=True)
    quantity: Mapped[int] = mapped_column()
    seen_price_amount: Mapped[int] = mapped_column()
    """The price of one piece at the shopper's last change of the line; only used to show that it has changed."""
    added_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    line_id: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"))
    """Identifies the pieces of this line, also after a merge. A purchase gives the remaining pieces a new id."""
