#!/bin/sh
# Werkzeug: a Range that it does not support is 416, not ignored.
#
# Software: Flask 3.1.3, Werkzeug 3.1.9, PyPI. Needs: python3 with venv.
# Expected before running: Range is optional. Two ranges in one request, or a unit other than bytes, are answered 200 with
#   the whole file; of a unit it does not understand, RFC 9110, 14.2 says that an origin server MUST ignore the field.
# Seen: 416 for both, although each range lies within the file. Without send_file's conditional=True, or with an If-Range
#   that does not match, the same request is 200.
# What follows: a client that asks for two pieces gets none, and has to ask again, without Range.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install Flask==3.1.3 Werkzeug==3.1.9
cat >"$home/probe.py" <<'PY'
"""Ask send_file for one range, for two, and for a range of lines."""
import io
import sys

import flask

app = flask.Flask("probe")


@app.get("/file")
def file():
    return flask.send_file(io.BytesIO(b"line\n" * 40), "text/plain", etag="v1")


def ask(**headers):
    return app.test_client().get("/file", headers=headers).status_code


seen = {
    "bytes=0-9": ask(Range="bytes=0-9"),
    "bytes=0-9,20-29": ask(Range="bytes=0-9,20-29"),
    "lines=1-2": ask(Range="lines=1-2"),
    "lines=1-2, an old If-Range": ask(**{"Range": "lines=1-2", "If-Range": '"v0"'}),
}
for wanted, status in seen.items():
    print(f"{wanted:28} {status}")
sys.exit(0 if list(seen.values()) == [206, 416, 416, 200] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
