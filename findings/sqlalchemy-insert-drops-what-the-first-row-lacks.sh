#!/bin/sh
# SQLAlchemy: an INSERT of many rows drops, without a word, each key that the first row lacks.
#
# Software: SQLAlchemy 2.1.9, PyPI, over Python's own SQLite. Needs: python3 with venv.
# Expected before running: connection.execute(insert(table), rows) with rows of different keys is an error, or stores each.
# Seen: a row that lacks a key of the first is an error; one that has a key more loses its value. The same rows through
#   a Session and a mapped class are stored whole.
# What follows: rows are given the same keys before they are inserted (an import of a file whose first line has a hole).
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install SQLAlchemy==2.1.9
cat >"$home/probe.py" <<'PY'
"""Insert two products of which only the second, or only the first, has a discount."""
import sqlite3
import sys

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

PLAIN, REDUCED = {"id": 1, "title": "mug"}, {"id": 2, "title": "pan", "discount": 30}


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    discount: Mapped[int | None]


def stored(runner, target, rows):
    """Return the discounts that are stored in the end, by product, or the type of the error."""
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with runner(engine) as connection:
        try:
            connection.execute(sa.insert(target), rows)
        except sa.exc.StatementError as error:
            return type(error).__name__
        return {title: discount for title, discount in connection.execute(sa.select(Product.title, Product.discount))}


table = Product.__table__
seen = {
    "table, reduced one last": stored(sa.Engine.connect, table, [PLAIN, REDUCED]),
    "table, reduced one first": stored(sa.Engine.connect, table, [REDUCED, PLAIN]),
    "mapped class in a session": stored(Session, Product, [PLAIN, REDUCED]),
}
print("SQLite", sqlite3.sqlite_version)
for name, found in seen.items():
    print(f"{name:26} {found}")
whole = {"mug": None, "pan": 30}
sys.exit(0 if list(seen.values()) == [{"mug": None, "pan": None}, "StatementError", whole] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
