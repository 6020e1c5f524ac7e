"""What the API's description says beyond the models: keys, headers, examples, names for clients.

Problem: a description drawn from models alone knows nothing of what stands around them. A client made from it sends no
key, sees no ``Location``, is called ``catalog_api_list_products_products_get`` and wants a token to buy as a guest.
Method: the description is completed from what the code knows anyway: which views take keys, which a stranger may call,
which headers a view says it sends (:func:`shop.web.openapi.sends`). Pure: it takes the description and returns it.
Source: OpenAPI 3.1; RFC 9110, 8.8.3, 10.2.2 and 10.2.3; draft-ietf-httpapi-idempotency-key-header-07.

Imported when the description is first asked for, which most processes never are.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shop.patterns.idempotency import keys
from shop.web import idempotency, openapi
from shop.web.api_examples import example, parameter_example, problem_examples, problem_kinds
from shop.web.schemas import ProblemDetails

Json = dict[str, Any]
Views = Mapping[tuple[str, str], Callable[..., Any]]
"""Path as the description spells it and method in lower case, to the function that answers."""

PROBLEM = "application/problem+json"
PROBLEM_RESPONSE: Json = {"content": {PROBLEM: {"schema": {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}}}}
EVERY_CALL: Json = {
    "4XX": {"description": "The request was refused; `detail` says why.", **PROBLEM_RESPONSE},
    "5XX": {
        "description": "It is our fault, or a dependency's; `Retry-After` says when to come back.",
        **PROBLEM_RESPONSE,
    },
}
"""What any call may answer: the limits and checks in front of all of them answer in the same shape."""
STRANGER: Json = {"description": "Nobody is signed in.", **PROBLEM_RESPONSE}
MOVED: Json = {
    "301": {"description": "The product has another slug by now; a read is to be sent there.", **PROBLEM_RESPONSE},
    "308": {"description": "The product has another slug by now; a write is to be sent there.", **PROBLEM_RESPONSE},
}
NOT_MODIFIED: Json = {"description": "It is still what the `ETag` sent as `If-None-Match` stands for."}
SERVERS = [{"url": "/", "description": "The store this description comes from."}]
HEADERS: Json = {
    "X-Request-ID": {
        "description": "Names the request in every log line, span and problem document.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where the answer leads, or where what was made can be asked for.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "description": "Stands for this state: `If-None-Match` asks for changes, `If-Match` writes only over it.",
        "schema": {"type": "string"},
    },
    "Cache-Control": {"description": "Who may keep the answer, and for how long.", "schema": {"type": "string"}},
    "Cache-Status": {
        "description": "Which cache answered, or why it did not (RFC 9211).",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer", "minimum": 0}},
    "Idempotency-Replayed": {
        "description": "`true` where this is the answer to an earlier request with the same key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"description": "How to say who is asking.", "schema": {"type": "string"}},
}


def complete(description: Json, views: Views) -> Json:
    """Complete a description drawn from the models.

    Args:
        description: as flask-openapi3 makes it; changed in place.
        views: the function behind each operation.

    Returns:
        The description.
    """
    description |= {"servers": SERVERS, "security": openapi.AUTH_OPTIONAL}
    description["components"] |= {"headers": HEADERS, "examples": problem_examples()}
    schemas = description["components"]["schemas"]
    for path, method, operation in _operations(description):
        view = views[path, method]
        operation["description"] = _plain(operation.get("description", "")) or operation["summary"]
        _say_who_may_call(operation)
        key = idempotency.key_mode(view) if method.upper() in idempotency.WRITE_METHODS else None
        if key is not None:
            _say_key(operation, required=key.required)
        operation["responses"] = _responses(operation, path, method, openapi.sent_headers(view), keyed=key is not None)
        _show_examples(operation, schemas)
    return description


def _operations(description: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _plain(text: str) -> str:
    return text.replace("<br/>", "\n").strip()


def _say_who_may_call(operation: Json) -> None:
    """Leave what guests and accounts may call to the description's own ``security``, in which both stand.

    Generators take an operation's own list, even one that begins with "none", for a need of credentials.
    """
    if operation.get("security") == openapi.AUTH_OPTIONAL:
        del operation["security"]
    else:
        operation.setdefault("security", [])


def _say_key(operation: Json, *, required: bool) -> None:
    said = f"Your own name for this request, 1 to {keys.MAX_LENGTH} characters. Sent again with the same request it"
    said += " brings the first answer again and does nothing; with another request, 422."
    key = {"name": keys.HEADER, "in": "header", "required": required, "description": said}
    shape = {"type": "string", "minLength": 1, "maxLength": keys.MAX_LENGTH}
    one = "5f0c1c5e-6d0e-4c58-9a8e-3b0e8f6a7c11"
    operation.setdefault("parameters", []).append({**key, "schema": shape, "example": one})


def _responses(operation: Json, path: str, method: str, own: tuple[str, ...], *, keyed: bool) -> Json:
    said: Json = operation.get("responses", {})
    refusals = {status: _as_problem(status, response) for status, response in said.items() if status[0] in "45"}
    responses = {**said, **refusals, **EVERY_CALL}
    if operation.get("security") == openapi.AUTH_REQUIRED:
        responses.setdefault("401", STRANGER)
    if "/products/{slug}" in path or "/screens/product/" in path:
        moved = "301" if method == "get" else "308"
        responses[moved] = MOVED[moved]
    if method == "get" and "ETag" in own and "admin" not in path:
        responses["304"] = NOT_MODIFIED
    return {status: _with_headers(status, response, own, keyed=keyed) for status, response in responses.items()}


def _as_problem(status: str, response: Json) -> Json:
    """Describe a refusal as a problem document, with the members its call has documented besides."""
    own = response.get("content", {}).get("application/json", {}).get("schema", {})
    schema = own if "$ref" in own else PROBLEM_RESPONSE["content"][PROBLEM]["schema"]
    known = {kind: {"$ref": f"#/components/examples/{kind}"} for kind in problem_kinds(status)}
    return {"description": response.get("description", ""), "content": {PROBLEM: {"schema": schema, "examples": known}}}


def _with_headers(status: str, response: Json, own: tuple[str, ...], *, keyed: bool) -> Json:
    names = ["X-Request-ID"]
    if status[0] == "2":
        names += own
    if status in ("301", "308"):
        names.append("Location")
    if status == "304":
        names += [name for name in own if name != "Location"]
    if status in ("429", "503", "5XX"):
        names.append("Retry-After")
    if status == "401":
        names.append("WWW-Authenticate")
    if keyed and status[0] in "24":
        names.append(idempotency.REPLAYED_HEADER)
    return {**response, "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def _show_examples(operation: Json, schemas: Json) -> None:
    """Show one example of each body, and of each part of the path."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["example"] = parameter_example(operation["operationId"], parameter["name"])
    answers = {status: answer for status, answer in operation["responses"].items() if status[0] == "2"}
    for body in [operation.get("requestBody", {}), *answers.values()]:
        for media in body.get("content", {}).values():
            media["example"] = example(media["schema"], schemas)
