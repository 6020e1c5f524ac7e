"""The table of restored backups."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, func
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class DatabaseRestore(ModelBase):
    """One restored backup. The store lost the orders between the two times; the provider still has their charges."""

    __tablename__ = "restores"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    taken_at: Mapped[datetime] = mapped_column()
    """The moment of the backup's snapshot."""
    restored_at: Mapped[datetime] = mapped_column(server_default=func.now())
