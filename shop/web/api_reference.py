"""The API's description as the page at ``/api/docs`` shows it. Pure.

Imported when the page is asked for, which most processes never are.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
NO_ACCOUNT, EITHER, ACCOUNT = "Anybody", "Guests and accounts", "An account"


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field or parameter.

    Args:
        name: of the field.
        kind: what it holds, in words.
        refers_to: the schema the words name, if they name one.
        required: whether it must be there.
        says: what it means.
        where: ``path``, ``query`` or ``header``, of a parameter.
        example: a value it may have, as text.
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
    """What may be answered with one status."""

    status: str
    says: str
    refers_to: str
    headers: Sequence[str]


@dataclass(frozen=True, slots=True)
class CallEntry:
    """One call: how it is asked, and what it answers."""

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
    """One shape: its fields, or the values it may have."""

    name: str
    says: str
    fields: Sequence[FieldRow]
    values: Sequence[str]


def groups(description: Json) -> list[CallGroup]:
    """Return all calls by tag, in the order of the tags."""
    calls = list(_calls(description))
    return [
        CallGroup(tag["name"], tag.get("description", ""), [call for name, call in calls if name == tag["name"]])
        for tag in description["tags"]
    ]


def schemas(description: Json) -> list[SchemaEntry]:
    """Return all shapes, by name."""
    return [
        SchemaEntry(name, shape.get("description", ""), _fields(shape), [str(value) for value in shape.get("enum", [])])
        for name, shape in sorted(description["components"]["schemas"].items())
    ]


def _calls(description: Json) -> Iterator[tuple[str, CallEntry]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            succeeded: Json = next((one for status, one in operation["responses"].items() if status[0] == "2"), {})
            answered = succeeded.get("content", {}).get("application/json", {})
            yield (
                operation["tags"][0],
                CallEntry(
                    name=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation["summary"],
                    description=operation["description"],
                    audience=_audience(operation),
                    parameters=[_parameter(one) for one in operation.get("parameters", [])],
                    body=_reference(body.get("schema", {})),
                    body_example=_shown(body),
                    answers=[_answer(status, one) for status, one in sorted(operation["responses"].items())],
                    answer_example=_shown(answered),
                ),
            )


def _audience(operation: Json) -> str:
    match operation.get("security"):
        case None:
            return EITHER
        case []:
            return NO_ACCOUNT
        case _:
            return ACCOUNT


def _answer(status: str, answer: Json) -> AnswerRow:
    media: Json = next(iter(answer.get("content", {}).values()), {})
    return AnswerRow(status, answer["description"], _reference(media.get("schema", {})), list(answer["headers"]))


def _parameter(one: Json) -> FieldRow:
    kind, refers_to = _kind(one["schema"])
    says, example = one.get("description", ""), str(one.get("example", ""))
    return FieldRow(one["name"], kind, refers_to, one.get("required", False), says, one["in"], example)


def _fields(shape: Json) -> list[FieldRow]:
    required = shape.get("required", [])
    return [
        FieldRow(name, *_kind(part), name in required, part.get("description", ""))
        for name, part in shape.get("properties", {}).items()
    ]


def _kind(schema: Json) -> tuple[str, str]:
    """Return in words what a value is, and the schema those words name."""
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
    return f"{_type(schema)}{_bounds(schema)}", ""


def _type(schema: Json) -> str:
    names = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "object by name"}
    return str(schema.get("format") or names.get(schema.get("type", ""), schema.get("type", "anything")))


def _bounds(schema: Json) -> str:
    unit = " characters" if "maxLength" in schema or "minLength" in schema else ""
    bounds = (
        ("at least", schema.get("minLength", schema.get("minimum"))),
        ("at most", schema.get("maxLength", schema.get("maximum"))),
    )
    said = ", ".join(f"{words} {bound:.12g}" for words, bound in bounds if bound is not None)
    return f", {said}{unit}" if said else ""


def _reference(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _shown(media: Json) -> str:
    return json.dumps(media["example"], indent=2, ensure_ascii=False) if "example" in media else ""
