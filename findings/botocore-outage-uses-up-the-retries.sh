#!/bin/sh
# botocore 1.44: after an outage of 18 calls a client no longer retries, and the first error after it reaches the caller.
#
# Software: botocore 1.43.127 and 1.44.8, PyPI. Needs: python3 with venv.
# Expected before running: botocore tries each failed call three times (1.44, standard mode) or five times (1.43, legacy
#   mode), so a single 503 after an outage is hidden by a retry, in both releases.
# Seen: a client makes 40 calls that are all answered with 503, then 2 that succeed, then one that gets a single 503. With
#   1.43.127 the server reads 200 requests for the 40 calls, and the single 503 is retried. With 1.44.8 it reads 75: 40
#   first attempts and 35 retries. Then the quota of 500 tokens, at 14 a retry, is used up. Each success without a retry
#   returns one token, so the single 503 afterwards is raised. No setting was changed, only the release.
# What follows: after an upgrade, expect errors that retries used to hide, for as many calls as tokens are missing. One
#   client for each dependency keeps the outage of one from using up the retries of another.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cat >"$home/probe.py" <<'PY'
"""Call a local server that fails, recovers, and fails once; print the requests it read and what the caller saw."""
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

import botocore
import botocore.session
from botocore.exceptions import ClientError

time.sleep = lambda seconds: None  # the waits change no count
OK = b"""<GetCallerIdentityResponse><GetCallerIdentityResult><Account>000000000000</Account></GetCallerIdentityResult>
</GetCallerIdentityResponse>"""
failures = [float("inf")]
read = [0]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        read[0] += 1
        failing = failures[0] > 0
        failures[0] -= failing
        body = b"" if failing else OK
        self.send_response(503 if failing else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = botocore.session.get_session().create_client(
    "sts",
    region_name="eu-central-1",
    endpoint_url=f"http://127.0.0.1:{server.server_port}",
    aws_access_key_id="x",
    aws_secret_access_key="x",
)


def call():
    try:
        client.get_caller_identity()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return 200


outage = {call() for _ in range(40)}
during = read[0]
failures[0] = 0
recovered = [call() for _ in range(2)]
failures[0] = 1
after = call()
print(f"botocore {botocore.__version__}: {during} requests for 40 failing calls; a single 503 afterwards gives {after}")
expected = {"1.43.127": (200, 200), "1.44.8": (75, 503)}[botocore.__version__]
sys.exit(0 if outage == {503} and recovered == [200, 200] and (during, after) == expected else 1)
PY
for version in 1.43.127 1.44.8; do
  python3 -m venv "$home/$version"
  "$home/$version/bin/pip" --quiet --disable-pip-version-check install "botocore==$version"
  "$home/$version/bin/python" "$home/probe.py"
done
