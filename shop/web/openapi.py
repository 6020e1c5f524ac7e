"""The API's description, ``/api/openapi.json``, and a page to browse it, ``/api/docs``; no outside resource."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import flask_openapi3_swagger  # type: ignore[import-untyped]
from flask import Blueprint, Response, jsonify, render_template
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from flask_openapi3.utils import parse_parameters

from shop.patterns.caching import CATALOGUE, REFERENCE, Found
from shop.web import problems
from shop.web.assets import send_file
from shop.web.public import HTML, JSON, publish
from shop.web.schemas import Problem

VERSION = "1"
BROWSER_FILES = Path(flask_openapi3_swagger.__file__).parent / "templates" / "swagger"
KEEP_A_DAY = "public, max-age=86400"
"""Of the files of the page to browse the description: they change with a version of its package."""
PROBLEM_RESPONSE = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
EVERY_CALL = {
    "4XX": {"description": "The request was refused; `detail` says why.", **PROBLEM_RESPONSE},
    "5XX": {
        "description": "It is our fault, or a dependency's; `Retry-After` says when to come back.",
        **PROBLEM_RESPONSE,
    },
}
"""What any call may answer: the limits and checks in front of all of them answer in the same shape."""
STRANGER = {"description": "Nobody is signed in.", **PROBLEM_RESPONSE}
SECURITY_SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "description": "From `POST /api/v1/tokens`."},
    "session": {"type": "apiKey", "in": "cookie", "name": "account", "description": "From `POST /api/v1/session`."},
}
ANYBODY: list[dict[str, list[str]]] = [{}, {"session": []}, {"token": []}]
"""Security of a call that serves guests too, and knows an account by either."""
KNOWN: list[dict[str, list[str]]] = [{"session": []}, {"token": []}]
"""Security of a call that strangers are refused."""


class Calls(APIBlueprint):
    """Calls of the API, whose description is worked out when somebody asks for it, not by every process that starts."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._undescribed: list[Callable[[], object]] = []

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **told: Any) -> Any:
        self._undescribed.append(partial(super()._collect_openapi_info, rule, func, **told))
        return parse_parameters(func, doc_ui=False)

    def describe(self) -> None:
        """Work out what was put off."""
        for describe in self._undescribed:
            describe()
        self._undescribed.clear()


class StoreAPI(OpenAPI):
    """The application, whose description says of errors what is true of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._describing = Lock()

    @property
    def api_doc(self) -> dict[str, Any]:
        """Return the description, worked out by whoever asks first while the others wait for all of it."""
        with self._describing:
            return dict(super().api_doc)

    def generate_spec_json(self) -> None:
        """Describe every call, and every refusal as the problem document it is."""
        for calls in self.blueprints.values():
            if isinstance(calls, Calls):
                calls.describe()
                self.tags += [tag for tag in calls.tags if tag not in self.tags]
                self.paths.update(calls.paths)
                self.components_schemas.update(calls.components_schemas)
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        for path in self.spec_json["paths"].values():
            for operation in path.values():
                operation["responses"] = _with_problems(operation.get("responses", {}))
                if operation.get("security") == KNOWN:
                    operation["responses"].setdefault("401", STRANGER)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: none is a coroutine, and Flask would look into each at every request."""
        return func


def new_app(import_name: str, **options: Any) -> OpenAPI:
    """Make an application with its description and the page to browse it.

    Args:
        import_name: as Flask's.
        options: passed to Flask.
    """
    app = StoreAPI(
        import_name,
        info=Info(title="shop", version=VERSION, description="Money is in minor units; errors are RFC 9457."),
        security_schemes=SECURITY_SCHEMES,
        validation_error_model=Problem,
        validation_error_callback=problems.from_validation,
        doc_ui=False,
        **options,
    )
    app.register_blueprint(_browser(app))
    return app


def _browser(app: OpenAPI) -> Blueprint:
    browser = Blueprint("api_docs", __name__, url_prefix="/api")

    @browser.get("/openapi.json")
    def description() -> Response:
        return publish(Found(jsonify(app.api_doc).data, REFERENCE), JSON)

    @browser.get("/docs")
    def docs() -> Response:
        return publish(Found(render_template("api_docs.html").encode(), CATALOGUE), HTML)

    @browser.get("/docs/<path:name>")
    def file(name: str) -> Response:
        response = send_file(BROWSER_FILES, name)
        response.headers["Cache-Control"] = KEEP_A_DAY
        return response

    return browser


def _with_problems(documented: dict[str, Any]) -> dict[str, Any]:
    refusals = {status: _as_problem(response) for status, response in documented.items() if status[0] in "45"}
    return {**documented, **refusals, **EVERY_CALL}


def _as_problem(response: dict[str, Any]) -> dict[str, Any]:
    """Describe a refusal as a problem document, with the members its call has documented besides."""
    described = {"description": response.get("description", ""), **PROBLEM_RESPONSE}
    own = response.get("content", {}).get("application/json", {}).get("schema", {})
    return {**described, "content": {"application/problem+json": {"schema": own}}} if "$ref" in own else described
