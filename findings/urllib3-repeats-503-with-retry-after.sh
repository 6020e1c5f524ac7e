#!/bin/sh
# urllib3: one GET answered 503 with Retry-After is sent four times.
#
# Software: urllib3 2.8.0, requests 2.34.2, httpx 0.28.1, PyPI. Needs: python3 with venv.
# Expected before running: a response is a response: retries are for connections, as in requests, which is made of
#   urllib3.
# Seen: urllib3 sends it four times and returns the last 503; requests and httpx send it once.
# What follows: a server that sheds load with Retry-After gets four times the load from such clients.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install urllib3==2.8.0 requests==2.34.2 httpx==0.28.1
cat >"$home/probe.py" <<'PY'
"""Ask for a page that answers 503 with Retry-After: 0, once by each client; count what the server heard."""
import http.server
import sys
import threading

import httpx
import requests
import urllib3

heard = []


class Busy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        heard.append(self.path)
        self.send_response(503)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
try:
    end = urllib3.request("GET", f"{address}/urllib3").status
except urllib3.exceptions.MaxRetryError:
    end = "MaxRetryError"
requests.get(f"{address}/requests")
httpx.get(f"{address}/httpx")
seen = [heard.count(f"/{name}") for name in ("urllib3", "requests", "httpx")]
print("requests sent for one call: urllib3 %d, requests %d, httpx %d;" % tuple(seen), "urllib3 ended in", end)
sys.exit(0 if seen == [4, 1, 1] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
