"""Tables of the data sets: the loaded data set, and its completed steps."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase


class LoadedDataset(ModelBase):
    """The data set of this database; a database holds at most one."""

    __tablename__ = "datasets"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(primary_key=True, server_default=text("1"), autoincrement=False)
    name: Mapped[str] = mapped_column(Text)
    size: Mapped[str] = mapped_column(Text)
    report: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    """The irregularities of the source: each with its number of rows and its treatment."""
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Its day, in UTC, is the day before which generated dates are."""
    completed_at: Mapped[datetime | None] = mapped_column()


class SeedStep(ModelBase):
    """A completed step, committed together with its rows, so a killed load resumes after it."""

    __tablename__ = "seed_steps"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    rows: Mapped[int] = mapped_column(BigInteger)
    completed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
