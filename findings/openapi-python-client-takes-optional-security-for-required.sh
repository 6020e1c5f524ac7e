#!/bin/sh
# openapi-python-client: a call for guests and accounts wants a token.
#
# Software: openapi-python-client 0.29.1, PyPI. Needs: python3 with venv.
# Expected before running: security: [{}, {token: []}] on an operation means that no credential is needed (OpenAPI 3.1,
#   Security Requirement Object), so the generated function takes a Client.
# Seen: it takes an AuthenticatedClient alone; the same list on the whole description and none on the operation makes
#   it take both.
# What follows: say once for the whole description what guests and accounts may both call.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install openapi-python-client==0.29.1
cat >"$home/probe.py" <<'PY'
"""Describe two calls that need no credential, generate a client, and print which client each takes."""
import json
import pathlib
import re
import subprocess
import sys

home = pathlib.Path(sys.argv[1])
optional = [{}, {"token": []}]


def call(name, **more):
    return {"get": {"operationId": name, "responses": {"200": {"description": "well"}}, **more}}


(home / "openapi.json").write_text(
    json.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "calls", "version": "1"},
            "security": optional,
            "paths": {"/own": call("own_list", security=optional), "/shared": call("shared_list")},
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        }
    )
)
generator = [home / "venv/bin/openapi-python-client", "generate", "--path", home / "openapi.json", "--meta", "none"]
subprocess.run([*generator, "--output-path", home / "made"], check=True, capture_output=True)
seen = {}
for name in ("own_list", "shared_list"):
    source = (home / "made" / "api" / "default" / f"{name}.py").read_text()
    asked = source.partition("def sync_detailed(")[2]
    seen[name] = re.search(r"client: ([\w |]+)", asked)[1].strip()
print("openapi-python-client 0.29.1:", seen)
sys.exit(0 if seen == {"own_list": "AuthenticatedClient", "shared_list": "AuthenticatedClient | Client"} else 1)
PY
"$home/venv/bin/python" "$home/probe.py" "$home"
