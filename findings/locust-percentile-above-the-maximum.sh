#!/bin/sh
# Locust: the 95th percentile is slower than the slowest answer.
#
# Software: Locust 2.47.0, PyPI. Needs: python3 with venv.
# Expected before running: a percentile is one of the times that were measured, or near it, and the maximum bounds it.
# Seen: times are put into steps before they are counted: of 10 ms above 100 ms, of 100 ms above a second. Of a hundred
#   answers, ninety in 1,049 ms and ten in 1,051, half are reported to take 1,000 and the 95th 1,100; the slowest took
#   1,051. Two milliseconds more show as a tenth of a second.
# What follows: a bound on a percentile above 100 ms lies in the middle between two steps, not on one, and two runs that
#   differ by one step may not differ at all.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install locust==2.47.0
cat >"$home/probe.py" <<'PY'
"""Fire the event of a request a hundred times with times that are known; print what the statistics make of them."""
import sys

from locust.env import Environment

environment = Environment()
environment.create_local_runner()
for milliseconds in [1_049] * 90 + [1_051] * 10:
    environment.events.request.fire(
        request_type="GET", name="/", response_time=milliseconds, response_length=3, exception=None, context={}
    )
total = environment.stats.total
seen = (total.get_response_time_percentile(0.5), total.get_response_time_percentile(0.95), total.max_response_time)
print("90 answers in 1,049 ms, 10 in 1,051: median {}, 95th percentile {}, maximum {}".format(*seen))
environment.runner.quit()
sys.exit(0 if seen == (1_000, 1_100, 1_051) else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
