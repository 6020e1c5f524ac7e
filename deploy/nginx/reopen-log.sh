#!/bin/sh
# Has nginx open its log anew when the purger has moved it aside. The purger does so itself where it sees nginx's process;
# in containers it does not. nginx's image runs this before nginx, and waits for it: the loop goes on beside it.
while sleep 1; do
    [ -e "$EDGE_LOG" ] || kill -USR1 "$(cat "$EDGE_HOME/nginx.pid")"
done </dev/null >/dev/null 2>&1 &
