"""Examples for the OpenAPI description: composed from the schemas, with a plausible value for each field name."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from shop.demo_accounts import DEMO_PASSWORD, SHOPPER
from shop.web import problems

Json = dict[str, Any]

MUG = "everyday-stoneware-mug"
MOMENT = "2026-11-29T10:15:00Z"
VALUES: Mapping[str, Any] = MappingProxyType(
    {
        "available": 12,
        "average": 4.6,
        "author": "A. Customer",
        "body": "Keeps tea warm, and survived a fall.",
        "answered_by": "database",
        "brand": "Northwind",
        "category": "mugs",
        "city": "Berlin",
        "currency": "EUR",
        "current_password": DEMO_PASSWORD,
        "description": "Holds 350 ml and goes into the dishwasher.",
        "detail": "1 left",
        "duration_ms": 12.5,
        "does": "Ends the server at once; it is started again when the fault ends.",
        "email": SHOPPER.email,
        "came": "ValueError: no such thing",
        "did": "lifetime(300)",
        "ended": False,
        "exact": True,
        "exercise": "04-ttl-jitter",
        "kind": "exception",
        "look": "exercises/04-ttl-jitter/attempt.py:14, in lifetime",
        "process": "web 4711",
        "switch": "cache.jitter",
        "high": 10.0,
        "hits": 940,
        "asked": 1000,
        "in_stock": True,
        "low": 0.01,
        "metrics_port": 9100,
        "offered": True,
        "on_hand": 40,
        "products": 24,
        "rating": 5,
        "rating_count": 31,
        "edge": {"requests": 24_000, "failed": 2},
        "requests": 1000,
        "stars": 5,
        "workers": 2,
        "id": "0d9c6b1a7e5f4c3b",
        "line1": "Marktplatz 1",
        "name": "A. Customer",
        "new_password": "a longer secret of mine",
        "next_cursor": "eyJzIjoicG9wdWxhcml0eSJ9",
        "note": "All that is left is in the cart: 3.",
        "number": "S-7K3M-92QX",
        "password": "a longer secret of mine",
        "picture": "/pictures/everyday-stoneware-mug.svg",
        "prev_cursor": "eyJzIjoicG9wdWxhcml0eSIsImQiOi0xfQ",
        "product": MUG,
        "reason": "Paid back by bank transfer.",
        "recipient": SHOPPER.email,
        "request_id": "9b2d6c1e0f6d4b0f",
        "role": "customer",
        "showing_results_for": "blue mug",
        "slug": MUG,
        "subject": "Your order S-7K3M-92QX",
        "teaches": "One load in all processes when a hot entry ends.",
        "title": "Everyday Stoneware Mug",
        "token": "tok_ok",
        "url": "/p/everyday-stoneware-mug",
        "value": "on",
    }
)
"""Example values by field name."""
VALUES_IN: Mapping[tuple[str, str], Any] = MappingProxyType(
    {
        ("NamedLink", "name"): "Mugs",
        ("NamedLink", "url"): "/c/mugs",
        ("CategoryRef", "name"): "Mugs",
        ("CategoryRef", "slug"): "mugs",
        ("CategoryRef", "url"): "/c/mugs",
        ("CategoryNode", "name"): "Mugs",
        ("CategoryNode", "slug"): "mugs",
        ("CategoryNode", "url"): "/c/mugs",
        ("LoginCredentials", "password"): DEMO_PASSWORD,
        ("OrderSchema", "status"): "paid",
        ("ProductAddition", "title"): "Tall Porcelain Mug",
        ("AccountRegistration", "email"): "new@shop.test",
        ("SearchHighlight", "title"): "Everyday Stoneware <mark>Mug</mark>",
        ("NewPassword", "token"): "mVw0o2c7m6bq4yXW",
        ("TokenAnswer", "token"): "shop_mVw0o2c7m6bq4yXW",
        ("FaultAnswer", "name"): "cache",
        ("FaultAnswer", "value"): "none",
        ("FaultAnswer", "values"): ["none", "down", "hang", "flush"],
        ("FaultOrder", "value"): "none",
        ("ParameterAnswer", "name"): "lab.ttl_scale",
        ("LayerFigures", "name"): "local",
        ("SwitchAnswer", "name"): "cache.stampede",
        ("AttemptAnswer", "value"): "attempt:1a2b3c4d",
        ("SwitchAnswer", "value"): "lock",
        ("SwitchAnswer", "default"): "lock+early",
        ("SwitchAnswer", "values"): ["lock+early", "lock", "early", "refresh-ahead", "none"],
        ("SwitchAnswer", "unsafe"): [],
        ("ListFacets", "in_stock"): 19,
        ("ListFacets", "total"): 24,
        ("PriceBand", "min"): 1000,
        ("PriceBand", "max"): 1999,
        ("RatingFacet", "min"): 4,
        ("FiguresAnswer", "failed"): 0,
        ("SessionAnswer", "note"): "What was in your cart has moved into the account's.",
        ("LinkSent", "note"): "If there is an account with this address, a mail with a link is on its way.",
        ("ParameterAnswer", "value"): 1.0,
        ("ParameterChange", "value"): 1.0,
        ("ParameterAnswer", "does"): "Multiplies every time-to-live of the caches.",
        ("CategoryNode", "picture"): "/pictures/mugs.svg",
        ("SwitchChange", "value"): "on",
        ("CartItemAnswer", "notes"): ["The price is 1.00 lower than when it was put here."],
    }
)
"""Example values by schema and field name, where a field name has several meanings."""
PATHS = MappingProxyType({"set_switch": "cache.local", "set_fault": "cache", "set_knob": "lab.ttl_scale"})


def parameter_example(operation_id: str, name: str) -> str:
    """Return an example of one parameter in an operation's path."""
    return PATHS.get(operation_id) or VALUES[name]


def problem_examples() -> Json:
    """Return an example of each problem document, by the last part of its type."""
    return {
        error.problem: {
            "summary": (error.__doc__ or "").splitlines()[0],
            "value": {
                "type": f"/problems/{error.problem}",
                "title": HTTPStatus(status).phrase,
                "status": status,
                "detail": (error.__doc__ or "").splitlines()[0],
                "instance": "/api/v1/...",
                "request_id": VALUES["request_id"],
            },
        }
        for error, status in problems.STATUS.items()
    }


def problem_kinds(status: str) -> list[str]:
    """Return the kinds of problem documents that have a status."""
    return [error.problem for error, number in problems.STATUS.items() if str(number) == status]


def example(schema: Json, schemas: Json, owner: str = "", field: str = "") -> Any:
    """Compose an example of a schema. A list has one item, and an optional field has a value if there is one.

    Args:
        schema: the schema of the example.
        schemas: all schemas of the description, by name.
        owner: name of the schema that has it as a field.
        field: name of the field.

    Raises:
        KeyError: the field is a text, and no value is known for a field of that name.
    """
    if (owner, field) in VALUES_IN:
        return VALUES_IN[owner, field]
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(schemas[name], schemas, name, field)
    if "example" in schema:
        return schema["example"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        first = next(choice for choice in schema["anyOf"] if choice.get("type") != "null")
        return example(first, schemas, owner, field)
    return _of_type(schema, schemas, owner, field)


def _of_type(schema: Json, schemas: Json, owner: str, field: str) -> Any:
    match schema.get("type"):
        case "object" if "properties" not in schema:
            return {MUG: example(schema["additionalProperties"], schemas, owner, "detail")}
        case "object":
            return {
                name: example(part, schemas, owner, name)
                for name, part in schema["properties"].items()
                if not ("default" in part and part["default"] is None and "example" not in part)  # null without a value
            }
        case "array":
            return (
                []
                if schema["items"].get("$ref", "").endswith(f"/{owner}")
                else [example(schema["items"], schemas, owner, field)]
            )
        case "integer" | "number":
            return VALUES.get(field, 1)
        case "boolean":
            return VALUES.get(field, False)
        case _ if schema.get("format") == "date-time":
            return MOMENT
        case _:
            return VALUES[field]
