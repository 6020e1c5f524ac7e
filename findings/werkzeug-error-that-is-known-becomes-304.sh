#!/bin/sh
# Werkzeug: an error page whose ETag is known becomes 304, and a missing page 412.
#
# Software: Flask 3.1.3, Werkzeug 3.1.9, PyPI. Needs: python3 with venv.
# Expected before running: make_conditional() leaves answers other than 2xx alone: a server MUST ignore preconditions if the
#   answer without them would have been another status (RFC 9110, 13.2.1).
# Seen: with the usual hook, add_etag() and make_conditional() on each answer, a 503 is 503 at first and 304 to whoever asks
#   again with its ETag, and a 404 asked for with If-Match is 412.
# What follows: such a hook asks for the status first; a probe that keeps ETags takes the outage for an unchanged page.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install Flask==3.1.3 Werkzeug==3.1.9
cat >"$home/probe.py" <<'PY'
"""Give each answer of an application an ETag, and ask twice for pages that fail."""
import sys

import flask

app = flask.Flask("probe")


@app.get("/closed")
def closed():
    return "We are closed.", 503


@app.after_request
def conditional(answer):
    answer.add_etag()
    return answer.make_conditional(flask.request)


browser = app.test_client()
first = browser.get("/closed")
again = browser.get("/closed", headers={"If-None-Match": first.headers["ETag"]})
missing = browser.get("/missing")
matched = browser.get("/missing", headers={"If-Match": '"v1"'})
print(f"closed: {first.status_code}, with its ETag {again.status_code}", end="; ")
print(f"missing: {missing.status_code}, with If-Match {matched.status_code}")
sys.exit(0 if [one.status_code for one in (first, again, missing, matched)] == [503, 304, 404, 412] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
