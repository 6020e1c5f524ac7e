#!/bin/sh
# openapi-python-client: a PATCH of one field sets the others that have a default.
#
# Software: openapi-python-client 0.29.1, httpx 0.28.1, PyPI. Needs: python3 with venv.
# Expected before running: Order(note="ring twice") as the body of a merge patch (RFC 7396) sends the note alone; the other
#   fields are UNSET. "default" tells what the server takes when nothing was sent.
# Seen: a field with a default is not UNSET but that default, and is sent: an order that was no gift becomes one.
# What follows: schemas of a patch bear no defaults.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install openapi-python-client==0.29.1 httpx==0.28.1
cat >"$home/probe.py" <<'PY'
"""Generate a client of one PATCH, change one field with it, and look at the body that is sent."""
import json
import pathlib
import subprocess
import sys

import httpx

home = pathlib.Path(sys.argv[1])
FIELDS = {"note": {"type": "string"}, "gift": {"type": "boolean", "default": True}, "street": {"type": "string"}}
ORDER = {"type": "object", "properties": FIELDS}
BODY = {"application/merge-patch+json": {"schema": {"$ref": "#/components/schemas/Order"}}}
PATCH = {"operationId": "patch_order", "requestBody": {"content": BODY}, "responses": {"204": {"description": "done"}}}
DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Store", "version": "1"},
    "paths": {"/order": {"patch": PATCH}},
    "components": {"schemas": {"Order": ORDER}},
}
(home / "store.json").write_text(json.dumps(DESCRIPTION))
generator = pathlib.Path(sys.executable).with_name("openapi-python-client")
command = [generator, "generate", "--path", home / "store.json", "--output-path", home / "store_client", "--meta", "none"]
subprocess.run(command, check=True, capture_output=True)
sys.path.insert(0, str(home))

from store_client import Client  # noqa: E402
from store_client.api.default import patch_order  # noqa: E402
from store_client.models import Order  # noqa: E402

sent = []


def server(request):
    sent.append((request.headers["Content-Type"], json.loads(request.content)))
    return httpx.Response(204)


client = Client("http://127.0.0.1", httpx_args={"transport": httpx.MockTransport(server)})
patch_order.sync_detailed(client=client, body=Order(note="ring twice"))
print("sent:", sent)
sys.exit(0 if sent == [("application/merge-patch+json", {"note": "ring twice", "gift": True})] else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home"
