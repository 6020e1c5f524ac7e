#!/bin/sh
# Locust: FastHttpUser sends a GET whose connection is dropped twelve times and counts one failure.
#
# Software: Locust 2.47.0, geventhttpclient 2.6.1, PyPI. Needs: python3 with venv.
# Expected before running: one get() is one request, and a dropped connection is its failure.
# Seen: the server has read twelve requests; Locust tells of one.
# What follows: a load test of a failing server multiplies its own load, unless the pool of a visitor is made small or
#   its retries are ended.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install locust==2.47.0 geventhttpclient==2.6.1
cat >"$home/probe.py" <<'PY'
"""Let a server drop every connection after it has read the request; send one GET by Locust's FastHttpUser, count."""
import gevent.monkey

gevent.monkey.patch_all()
import socket
import sys

import gevent
from locust import FastHttpUser, task
from locust.env import Environment

heard = []
listener = socket.create_server(("127.0.0.1", 0))


def serve():
    while True:
        connection, _ = listener.accept()
        if connection.recv(65536):
            heard.append(1)
        connection.close()


gevent.spawn(serve)


class Visitor(FastHttpUser):
    host = f"http://127.0.0.1:{listener.getsockname()[1]}"

    @task
    def look(self):
        pass


environment = Environment(user_classes=[Visitor])
failures = []
environment.events.request.add_listener(lambda exception, **rest: failures.append(exception))
Visitor(environment).client.get("/")
print(f"one get(): the server read {len(heard)} requests, Locust counted {len(failures)} request, a failure")
sys.exit(0 if len(heard) > 2 and len(failures) == 1 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
