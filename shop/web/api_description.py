"""The parts of the OpenAPI description that the models do not contain: keys, headers, errors, examples.

Problem: a description that is made from the models alone lacks everything else. A client generated from it sends no
idempotency key, reads no ``Location``, has methods such as ``catalog_api_list_products_products_get``, and asks for a
token before a guest may buy.
Method: the description is completed from facts in the code: which views take idempotency keys, which views guests may
call, which headers a view declares (:func:`shop.web.openapi.sends`). Pure: it takes the description and returns it.
Source: OpenAPI 3.1; RFC 9110, 8.8.3, 10.2.2 and 10.2.3; draft-ietf-httpapi-idempotency-key-header-07.

The module is imported at the first request for the description; most processes never need it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from shop.patterns.idempotency import keys
from shop.web import idempotency, openapi, rate_limits
from shop.web.api_examples import example, parameter_example, problem_examples, problem_kinds
from shop.web.schemas import ProblemDetails

Json = dict[str, Any]
Views = Mapping[tuple[str, str], Callable[..., Any]]
"""View functions by path, as the description writes it, and method in lower case."""

PROBLEM = "application/problem+json"
PROBLEM_RESPONSE: Json = {"content": {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}}}}
EVERY_CALL: Json = {
    "4XX": {"description": "The request was refused; `detail` says why.", **PROBLEM_RESPONSE},
    "5XX": {
        "description": "It is our fault, or a dependency's; `Retry-After` says when to come back.",
        **PROBLEM_RESPONSE,
    },
}
"""Errors of every call: the limits and checks before all views answer in the same form."""
LIMITED: Json = {"description": "The client has used up its quota; see `RateLimit`.", **PROBLEM_RESPONSE}
RATE_HEADERS = (rate_limits.POLICY_HEADER, rate_limits.REMAINING_HEADER)
NOT_SIGNED_IN: Json = {"description": "The client is not signed in.", **PROBLEM_RESPONSE}
MOVED: Json = {
    "301": {"description": "The product has a new slug; send the read there.", **PROBLEM_RESPONSE},
    "308": {"description": "The product has a new slug; send the write there.", **PROBLEM_RESPONSE},
}
NOT_MODIFIED: Json = {"description": "The resource still has the `ETag` that was sent as `If-None-Match`."}
SERVERS = [{"url": "/", "description": "The store this description comes from."}]
HEADERS: Json = {
    "X-Request-ID": {
        "description": "Identifies the request in every log line, span and problem document.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "The address of the new resource, or of a redirect.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "description": "Identifies this state: `If-None-Match` asks for changes, `If-Match` writes only over it.",
        "schema": {"type": "string"},
    },
    "Cache-Control": {
        "description": "Which caches may store the response, and how long.",
        "schema": {"type": "string"},
    },
    "Cache-Status": {
        "description": "The cache that answered, or the reason why none did (RFC 9211).",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 0}},
    "RateLimit-Policy": {
        "description": "The quota `q` of requests that a client has in a window of `w` seconds; absent if not counted.",
        "schema": {"type": "string"},
        "example": '"writes";q=600;w=60',
    },
    "RateLimit": {
        "description": "The requests `r` that are left until the window ends, in `t` seconds; absent if not counted.",
        "schema": {"type": "string"},
        "example": '"writes";r=599;t=60',
    },
    "Idempotency-Replayed": {
        "description": "`true` if this is the stored response to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}},
}


def complete(description: Json, views: Views) -> Json:
    """Complete a description that was made from the models.

    Args:
        description: from flask-openapi3; changed in place.
        views: the view function of each operation.

    Returns:
        The description.
    """
    description |= {"servers": SERVERS, "security": openapi.AUTH_OPTIONAL}
    description["components"] |= {"headers": HEADERS, "examples": problem_examples()}
    schemas = description["components"]["schemas"]
    operations = [
        (path, method, operation) for path, item in description["paths"].items() for method, operation in item.items()
    ]
    for path, method, operation in operations:
        view = views[path, method]
        text = operation.get("description", "").replace("<br/>", "\n").strip()
        operation["description"] = text or operation["summary"]
        # A call for guests and accounts uses the description's own ``security``: generators read an operation's own
        # list as a need of credentials, even if one of its choices is "none".
        if operation.get("security") == openapi.AUTH_OPTIONAL:
            del operation["security"]
        else:
            operation.setdefault("security", [])
        key = idempotency.key_mode(view) if method.upper() in idempotency.WRITE_METHODS else None
        if key is not None:
            operation.setdefault("parameters", []).append(key_parameter(required=key.required))
        operation["responses"] = _responses(operation, path, method, openapi.sent_headers(view), keyed=key is not None)
        _add_examples(operation, schemas)
    return description


def key_parameter(*, required: bool) -> Json:
    """Return the description of the idempotency key's header."""
    return {
        "name": keys.HEADER,
        "in": "header",
        "required": required,
        "description": (
            f"Your own name for this request, 1 to {keys.MAX_LENGTH} characters. The same request with the same key"
            " returns the first response again and does nothing; another request with that key returns 422."
        ),
        "schema": {"type": "string", "minLength": 1, "maxLength": keys.MAX_LENGTH},
        "example": "5f0c1c5e-6d0e-4c58-9a8e-3b0e8f6a7c11",
    }


def _responses(operation: Json, path: str, method: str, own_headers: tuple[str, ...], *, keyed: bool) -> Json:
    """Return the responses of an operation, with its errors as problem documents and with all headers."""
    documented: Json = operation.get("responses", {})
    responses = {**documented, **EVERY_CALL}
    for status, response in documented.items():
        if status[0] in "45":
            own = response.get("content", {}).get("application/json", {}).get("schema", {})
            schema = own if "$ref" in own else PROBLEM_RESPONSE["content"][PROBLEM]["schema"]
            examples = {kind: {"$ref": f"#/components/examples/{kind}"} for kind in problem_kinds(status)}
            content = {PROBLEM: {"schema": schema, "examples": examples}}
            responses[status] = {"description": response.get("description", ""), "content": content}
    if operation.get("security") == openapi.AUTH_REQUIRED:
        responses.setdefault("401", NOT_SIGNED_IN)
    if "/products/{slug}" in path or "/screens/product/" in path:
        moved = "301" if method == "get" else "308"
        responses[moved] = MOVED[moved]
    if method == "get" and "ETag" in own_headers and "admin" not in path:
        responses["304"] = NOT_MODIFIED
    limited = rate_limits.policy_name(method.upper(), path) is not None
    if limited:
        responses.setdefault("429", LIMITED)
    return {
        status: _with_headers(status, response, own_headers, keyed=keyed, limited=limited)
        for status, response in responses.items()
    }


def _with_headers(status: str, response: Json, own_headers: tuple[str, ...], *, keyed: bool, limited: bool) -> Json:
    names = ["X-Request-ID"]
    if limited:
        names += RATE_HEADERS
    if status[0] == "2":
        names += own_headers
    if status in ("301", "308"):
        names.append("Location")
    if status == "304":
        names += [name for name in own_headers if name != "Location"]
    if status in ("429", "503", "5XX"):
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    if keyed and status[0] in "24":
        names.append(idempotency.REPLAYED_HEADER)
    return {**response, "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def _add_examples(operation: Json, schemas: Json) -> None:
    """Add one example of each body, and of each parameter in the path."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["example"] = parameter_example(operation["operationId"], parameter["name"])
    successes = [response for status, response in operation["responses"].items() if status[0] == "2"]
    for body in [operation.get("requestBody", {}), *successes]:
        for media in body.get("content", {}).values():
            media["example"] = example(media["schema"], schemas)
