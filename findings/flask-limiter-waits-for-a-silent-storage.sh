#!/bin/sh
# Flask-Limiter: swallow_errors does not save a request from a storage that is silent.
#
# Software: Flask-Limiter 4.1.1, limits 5.8.0, Flask 3.1.3, redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: with swallow_errors a storage that does not answer costs a request little: it is let
#   through.
# Seen: it is let through after 5 s; time-outs in storage_options are what bounds it.
# What follows: a limiter carries a time-out of its own.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install \
    Flask-Limiter==4.1.1 limits==5.8.0 Flask==3.1.3 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Let Flask-Limiter count in a Valkey that accepts connections and never answers; time one request."""
import socket
import sys
import time

from flask import Flask
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

silent = socket.create_server(("127.0.0.1", 0), backlog=64)
address = f"redis://127.0.0.1:{silent.getsockname()[1]}"


def seconds(**options):
    app = Flask(__name__)
    given = {"storage_uri": address, "default_limits": ["100/minute"], "swallow_errors": True, **options}
    Limiter(get_remote_address, app=app, **given)

    @app.get("/")
    def page():
        return "ok"

    began = time.monotonic()
    status = app.test_client().get("/").status_code
    return status, time.monotonic() - began


bounded = {"socket_timeout": 0.1, "socket_connect_timeout": 0.1}
seen = {"swallow_errors": seconds(), "and time-outs of 0.1 s in storage_options": seconds(storage_options=bounded)}
for name, (status, took) in seen.items():
    print(f"{name:44} {status} after {took:.1f} s")
status, took = seen["swallow_errors"]
sys.exit(0 if status == 200 and took > 4 and seen["and time-outs of 0.1 s in storage_options"][1] < 1 else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
