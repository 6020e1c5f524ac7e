#!/bin/sh
# Tells nginx to reopen its log after the purger has rotated it. Without containers, the purger itself signals nginx's
# process. nginx's image runs this script before nginx and waits for it, so the loop runs in the background.
while sleep 1; do
    [ -e "$EDGE_LOG" ] || kill -USR1 "$(cat "$EDGE_HOME/nginx.pid")"
done </dev/null >/dev/null 2>&1 &
