#!/bin/sh
# Locust: a server that hangs for three quarters of a run is reported at its full rate and without a failure.
#
# Software: Locust 2.47.0, geventhttpclient 2.6.1, PyPI. Needs: python3 with venv.
# Expected before running: requests a second are the requests divided by the length of the run, and a request without
#   an answer is a failure.
# Seen: of a run of 4 s the server answers for 1 s, up to 100 requests, and then never again. Locust reports the rate of
#   that second for the whole run, up to 100 a second, and no failure. It divides by the time until the last answer, not
#   by the length of the run, and a request that runs at the end is in no statistic.
# What follows: divide the number of requests by the length of the run yourself, set --stop-timeout above the time-out of
#   the client, and compare Locust's number of requests with the server's.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install locust==2.47.0 geventhttpclient==2.6.1
cat >"$home/probe.py" <<'PY'
"""Let ten users visit a server that answers in 0.1 s, and never again after the first second; print the statistics."""
import gevent.monkey

gevent.monkey.patch_all()
import sys
import time

import gevent
from gevent.pywsgi import WSGIServer
from locust import FastHttpUser, constant, task
from locust.env import Environment

SECONDS, USERS = 4.0, 10
received = []


def answer(environ, start_response):
    received.append(1)
    gevent.sleep(0.1 if time.monotonic() < hangs_at else 3600)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


class Visitor(FastHttpUser):
    wait_time = constant(0)

    @task
    def visit(self):
        self.client.get("/")


server = WSGIServer(("127.0.0.1", 0), answer, log=None)
server.start()
environment = Environment(user_classes=[Visitor], host=f"http://127.0.0.1:{server.server_port}")
runner = environment.create_local_runner()
hangs_at = time.monotonic() + 1
runner.start(USERS, spawn_rate=USERS)
gevent.sleep(SECONDS)
runner.quit()
total = environment.stats.total
print(f"the server read {len(received)} requests in {SECONDS:g} s and answered {len(received) - USERS}")
print(f"Locust: {total.num_requests} requests, {total.num_failures} failures, {total.total_rps:.0f} requests a second")
print(f"answers divided by the length of the run: {total.num_requests / SECONDS:.0f} a second")
sys.exit(0 if total.num_failures == 0 and total.total_rps > 3 * total.num_requests / SECONDS else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
