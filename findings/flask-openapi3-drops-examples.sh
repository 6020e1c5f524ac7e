#!/bin/sh
# flask-openapi3: examples on the fields of a model are missing from the description.
#
# Software: flask-openapi3 4.3.2, Flask 3.1.3, pydantic 2.14.3, PyPI. Needs: python3 with venv.
# Expected before running: pydantic writes Field(examples=[...]) as JSON Schema's "examples", the description says it is
#   OpenAPI 3.1, whose schemas are JSON Schema, so it shows them.
# Seen: "examples" is dropped without a word; "example", deprecated in 3.1, is passed on.
# What follows: say both, or look at the description that is served and not at the models.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install flask-openapi3==4.3.2 flask==3.1.3 pydantic==2.14.3
cat >"$home/probe.py" <<'PY'
"""Describe a call whose body has a field with `examples` and one with `example`; print what is served of both."""
import sys
from importlib.metadata import version

from flask_openapi3 import OpenAPI
from pydantic import BaseModel, Field


class Person(BaseModel):
    name: str = Field(examples=["Ann"])
    city: str = Field(json_schema_extra={"example": "Berlin"})


app = OpenAPI(__name__, doc_ui=False)


@app.post("/people")
def add(body: Person):
    return {}


fields = app.api_doc["components"]["schemas"]["Person"]["properties"]
print({name: version(name) for name in ("flask-openapi3", "pydantic")}, app.api_doc["openapi"])
print("drawn by pydantic:", Person.model_json_schema()["properties"])
print("served:           ", fields)
sys.exit(0 if "examples" not in fields["name"] and fields["city"].get("example") == "Berlin" else 1)
PY
"$home/venv/bin/python" "$home/probe.py"
