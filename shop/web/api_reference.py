"""The OpenAPI description in the form of the page ``/api/docs``. Pure.

The module is imported at the first request for the page; most processes never need it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
NO_ACCOUNT, EITHER, ACCOUNT = "Anybody", "Guests and accounts", "An account"
TYPE_NAMES = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object by name"}


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field or parameter.

    Args:
        name: of the field.
        kind: the type of its value, in words.
        refers_to: the schema that the words name, if they name one.
        required: whether it must be present.
        says: its description.
        where: ``path``, ``query`` or ``header``, for a parameter.
        example: a possible value, as text.
    """

    name: str
    kind: str
    refers_to: str = ""
    required: bool = False
    says: str = ""
    where: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """The response with one status."""

    status: str
    says: str
    refers_to: str
    headers: Sequence[str]


@dataclass(frozen=True, slots=True)
class CallEntry:
    """One call with its parameters and responses."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    audience: str
    parameters: Sequence[FieldRow]
    body: str
    """Name of the body's schema; empty where there is no body."""
    body_example: str
    answers: Sequence[AnswerRow]
    answer_example: str


@dataclass(frozen=True, slots=True)
class CallGroup:
    """The calls of one tag."""

    name: str
    says: str
    calls: Sequence[CallEntry]


@dataclass(frozen=True, slots=True)
class SchemaEntry:
    """One schema: its fields, or its possible values."""

    name: str
    says: str
    fields: Sequence[FieldRow]
    values: Sequence[str]


def groups(description: Json) -> list[CallGroup]:
    """Return all calls by tag, in the order of the tags."""
    calls = [
        (operation["tags"][0], call_entry(path, method, operation))
        for path, item in description["paths"].items()
        for method, operation in item.items()
    ]
    return [
        CallGroup(tag["name"], tag.get("description", ""), [call for name, call in calls if name == tag["name"]])
        for tag in description["tags"]
    ]


def schemas(description: Json) -> list[SchemaEntry]:
    """Return all schemas, by name."""
    entries = []
    for name, schema in sorted(description["components"]["schemas"].items()):
        required = schema.get("required", [])
        fields = [
            FieldRow(field, *_kind(part), field in required, part.get("description", ""))
            for field, part in schema.get("properties", {}).items()
        ]
        values = [str(value) for value in schema.get("enum", [])]
        entries.append(SchemaEntry(name, schema.get("description", ""), fields, values))
    return entries


def call_entry(path: str, method: str, operation: Json) -> CallEntry:
    """Return one call of the description."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    success: Json = next((response for status, response in operation["responses"].items() if status[0] == "2"), {})
    parameters, answers = [], []
    for parameter in operation.get("parameters", []):
        kind, refers_to = _kind(parameter["schema"])
        says, example = parameter.get("description", ""), str(parameter.get("example", ""))
        required, where = parameter.get("required", False), parameter["in"]
        parameters.append(FieldRow(parameter["name"], kind, refers_to, required, says, where, example))
    for status, response in sorted(operation["responses"].items()):
        media: Json = next(iter(response.get("content", {}).values()), {})
        schema_name = _reference(media.get("schema", {}))
        answers.append(AnswerRow(status, response["description"], schema_name, list(response["headers"])))
    audience = ACCOUNT
    if not operation.get("security"):
        audience = NO_ACCOUNT if "security" in operation else EITHER
    return CallEntry(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        audience=audience,
        parameters=parameters,
        body=_reference(body.get("schema", {})),
        body_example=_example_json(body),
        answers=answers,
        answer_example=_example_json(success.get("content", {}).get("application/json", {})),
    )


def _kind(schema: Json) -> tuple[str, str]:
    """Return the type of a value in words, and the schema that the words name."""
    if name := _reference(schema):
        return name, name
    if "anyOf" in schema:
        kinds = [_kind(choice) for choice in schema["anyOf"]]
        return " or ".join(words for words, _ in kinds), next((name for _, name in kinds if name), "")
    if schema.get("type") == "array":
        words, name = _kind(schema["items"])
        return f"list of {words}", name
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"])), ""
    type_name = schema.get("format") or TYPE_NAMES.get(schema.get("type", ""), schema.get("type", "anything"))
    return f"{type_name}{_bounds(schema)}", ""


def _bounds(schema: Json) -> str:
    unit = " characters" if "maxLength" in schema or "minLength" in schema else ""
    bounds = (
        ("at least", schema.get("minLength", schema.get("minimum"))),
        ("at most", schema.get("maxLength", schema.get("maximum"))),
    )
    text = ", ".join(f"{words} {bound:.12g}" for words, bound in bounds if bound is not None)
    return f", {text}{unit}" if text else ""


def _reference(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _example_json(media: Json) -> str:
    return json.dumps(media["example"], indent=2, ensure_ascii=False) if "example" in media else ""
