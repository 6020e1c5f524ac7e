"""The table of restores."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class DatabaseRestore(ModelBase):
    """One backup that was put back: what the provider knows from between the two moments, the store may not."""

    __tablename__ = "restores"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    taken_at: Mapped[datetime] = mapped_column()
    """The moment whose state it holds."""
    restored_at: Mapped[datetime] = mapped_column(server_default=func.now())
