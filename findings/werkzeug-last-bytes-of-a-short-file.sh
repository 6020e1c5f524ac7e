#!/bin/sh
# Werkzeug: the last 500 bytes of a file of 200 are 416.
#
# Software: Flask 3.1.3, Werkzeug 3.1.9, PyPI. Needs: python3 with venv.
# Expected before running: "Range: bytes=-500" of a file of 200 bytes is the whole file, as "bytes=0-499" of it is: "if the
#   selected representation is shorter than the specified suffix-length, the entire representation is used" (RFC 9110,
#   14.1.2).
# Seen: 416; up to the very length of the file a suffix is answered 206.
# What follows: a client that looks at the end of a file first (a ZIP, a Parquet file) cannot read a small one.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install Flask==3.1.3 Werkzeug==3.1.9
cat >"$home/probe.py" <<'PY'
"""Ask send_file for ranges of a file of 200 bytes that begin or end outside of it."""
import io
import sys

import flask

app = flask.Flask("probe")


@app.get("/file")
def file():
    return flask.send_file(io.BytesIO(b"x" * 200), "application/zip", etag="v1")


def ask(wanted):
    answer = app.test_client().get("/file", headers={"Range": wanted})
    return answer.status_code, answer.headers["Content-Range"]


seen = {wanted: ask(wanted) for wanted in ("bytes=0-499", "bytes=-200", "bytes=-201", "bytes=-500")}
for wanted, (status, content) in seen.items():
    print(f"Range: {wanted:12} {status} Content-Range: {content}")
whole, refused = (206, "bytes 0-199/200"), (416, "bytes */200")
sys.exit(0 if list(seen.values()) == [whole, whole, refused, refused] else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
