#!/bin/sh
# gunicorn: a worker that is recycled waits two seconds for a browser that says nothing.
#
# Software: gunicorn 27.0.1, PyPI. Needs: python3 with venv.
# Expected before running: a worker at max_requests closes idle keep-alive connections at once, as it does on SIGTERM,
#   and the next one takes over.
# Seen: with one idle connection nobody listens for about 2 s; without, a restart takes some tenths.
# What follows: the store does not recycle its workers.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install gunicorn==27.0.1
cat >"$home/probe.py" <<'PY'
"""Recycle gunicorn's only worker, once with an idle connection open and once without; time the slowest answer."""
import http.client
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]


def connection(**headers):
    """Ask for a page, again until somebody listens, and read it."""
    for _ in range(500):
        try:
            made = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            made.request("GET", "/", headers=headers)
            made.getresponse().read()
            return made
        except OSError:
            time.sleep(0.01)
    sys.exit("gunicorn did not answer")


def slowest(home, *, idle):
    words = "--worker-class gthread --threads 4 --workers 1 --max-requests 5 --keep-alive 15"
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", *words.split(), "--log-level", "critical"]
    server = subprocess.Popen([*command, "--no-control-socket", "app:app"], cwd=home)
    try:
        kept = connection()
        if not idle:
            kept.close()
        found = 0.0
        for _ in range(8):
            began = time.monotonic()
            connection(Connection="close")
            found = max(found, time.monotonic() - began)
        return found
    finally:
        server.terminate()
        server.wait()


with tempfile.TemporaryDirectory() as home:
    pathlib.Path(home, "app.py").write_text(
        "def app(environ, start):\n    start('200 OK', [('Content-Length', '2')])\n    return [b'ok']\n"
    )
    seen = {"one idle connection": slowest(home, idle=True), "none": slowest(home, idle=False)}
for name, seconds in seen.items():
    print(f"{name:20} the slowest of 8 answers over a recycling: {seconds:.1f} s")
sys.exit(0 if seen["one idle connection"] > 1.5 > 3 * seen["none"] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
