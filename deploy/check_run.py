"""Checks the variables of ``make run`` before anything is installed: ``check_run.py SIZE WORKERS PORT``.

It runs with the Python of the machine, of any version, and needs only the standard library. An empty word is a variable
that is not set.
"""

import os
import socket
import sys

SIZES = ("s", "m", "l")
MOST = {"WORKERS": 64, "PORT": 65535}
DEFAULT_PORT = "8080"
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def misfit(size, workers, port):  # noqa: ANN001, ANN201 - an older Python must be able to read this file
    """Return a message about the first wrong value, or ``None``."""
    if size and size not in SIZES:
        return "SIZE=%s is no size: use s (500 products), m (5,000) or l (1,000,000)." % size  # noqa: UP031
    for name, value in (("WORKERS", workers), ("PORT", port)):
        if value and not (value.isdigit() and 1 <= int(value) <= MOST[name]):
            return "%s=%s is no whole number from 1 to %d." % (name, value, MOST[name])  # noqa: UP031
    port = port or os.environ.get("SHOP_PORT", DEFAULT_PORT)
    # Later starts stop a stack that was left running, and name the process that holds the port.
    state = os.path.join(os.environ.get("SHOP_VAR_DIR") or os.path.join(ROOT, "var"), "run", "stack.json")
    if port.isdigit() and not os.path.exists(state) and not _is_free(int(port)):
        return "Port %s is in use: name a free one, for example make run PORT=8081." % port  # noqa: UP031
    return None


def _is_free(port):  # noqa: ANN001, ANN202
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


if __name__ == "__main__":
    message = misfit(*sys.argv[1:4])
    if message:
        sys.stderr.write("shop: " + message + "\n")
        sys.exit(2)
