"""The OpenAPI description, ``/api/openapi.json``, and a page to browse it, ``/api/docs``, without outside resources."""

import re
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, render_template
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from flask_openapi3.utils import parse_parameters

from shop.patterns.caching import CATALOGUE, REFERENCE, CacheableResponse
from shop.web import problems
from shop.web.public_answers import HTML, JSON, publish
from shop.web.schemas import ProblemDetails

V = TypeVar("V", bound=Callable[..., Any])

VERSION = "1"
CONVENTIONS = """A shop: browse, fill a cart, buy as a guest or with an account, look after orders.

Money is in whole minor units. Errors are problem documents (RFC 9457); match on their `type`. Any call that changes
something may carry an `Idempotency-Key`, a checkout must. Guests are known by a cookie, accounts by a cookie or a
token.
"""
SECURITY_SCHEMES: dict[str, Any] = {
    "token": {"type": "http", "scheme": "bearer", "description": "From `POST /api/v1/tokens`."},
    "session": {"type": "apiKey", "in": "cookie", "name": "account", "description": "From `POST /api/v1/session`."},
}
AUTH_OPTIONAL: list[dict[str, list[str]]] = [{}, {"session": []}, {"token": []}]
"""Security of a call for guests and accounts."""
AUTH_REQUIRED: list[dict[str, list[str]]] = [{"session": []}, {"token": []}]
"""Security of a call for accounts only."""


_TYPED_PART = re.compile(r"<(?:\w+:)?(\w+)>")
"""A variable part of a route, as werkzeug spells it."""
_SENT = "__sent_headers__"


def sends(*names: str) -> Callable[[V], V]:
    """Declare the headers that a view's responses have, besides those that every response has.

    Args:
        names: of headers that ``shop.web.api_description`` describes.
    """

    def mark(view: V) -> V:
        setattr(view, _SENT, names)
        return view

    return mark


def sent_headers(view: Callable[..., Any]) -> tuple[str, ...]:
    """Return the headers that a view declares."""
    return getattr(view, _SENT, ())


class ApiBlueprint(APIBlueprint):
    """Calls of the API; their description is built at its first request, and not at the start of every process.

    The id of an operation is the name of its view, or the one given as ``operation_id``.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, operation_id_callback=lambda name, path, method: name, **options)
        self._pending: list[Callable[[], object]] = []

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **options: Any) -> Any:
        self._pending.append(partial(super()._collect_openapi_info, rule, func, **options))
        return parse_parameters(func, doc_ui=False)

    def describe(self) -> None:
        """Build the description of the calls registered so far."""
        for describe in self._pending:
            describe()
        self._pending.clear()


class StoreAPI(OpenAPI):
    """The application; its description is complete: it also has errors, headers and examples."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._describing = Lock()

    @property
    def api_doc(self) -> dict[str, Any]:
        """Return the description; the first request builds it, while other requests wait for the whole of it."""
        with self._describing:
            return dict(super().api_doc)

    def generate_spec_json(self) -> None:
        """Describe every call, and every error as a problem document."""
        from shop.web.api_description import complete  # here: most processes never need it

        for blueprint in self.blueprints.values():
            if isinstance(blueprint, ApiBlueprint):
                blueprint.describe()
                self.tags += [tag for tag in blueprint.tags if tag not in self.tags]
                self.paths.update(blueprint.paths)
                self.components_schemas.update(blueprint.components_schemas)
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        views = {
            (_TYPED_PART.sub(r"{\1}", rule.rule), method.lower()): self.view_functions[rule.endpoint]
            for rule in self.url_map.iter_rules()
            for method in rule.methods or ()
        }
        self.spec_json = complete(self.spec_json, views)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function unchanged: no view is a coroutine, and Flask would check each at every request."""
        return func


def new_app(import_name: str, **options: Any) -> OpenAPI:
    """Build an application with its OpenAPI description and the page to browse it.

    Args:
        import_name: see Flask.
        options: passed to Flask.
    """
    app = StoreAPI(
        import_name,
        info=Info(title="shop", version=VERSION, description=CONVENTIONS),
        security_schemes=SECURITY_SCHEMES,
        validation_error_model=ProblemDetails,
        validation_error_callback=problems.from_validation,
        doc_ui=False,
        **options,
    )
    app.register_blueprint(create_docs(app))
    return app


def create_docs(app: OpenAPI) -> Blueprint:
    """Build the routes of the app's description and of the page to browse it."""
    docs = Blueprint("api_docs", __name__, url_prefix="/api")

    @docs.get("/openapi.json")
    def openapi_json() -> Response:
        return publish(CacheableResponse(jsonify(app.api_doc).data, REFERENCE), JSON)

    @docs.get("/docs")
    def api_docs() -> Response:
        from shop.web import api_reference  # here: most processes never need it

        description = app.api_doc
        page = render_template(
            "api_docs.html",
            about=description["info"]["description"].strip(),
            version=description["openapi"],
            groups=api_reference.groups(description),
            schemas=api_reference.schemas(description),
        )
        return publish(CacheableResponse(page.encode(), CATALOGUE), HTML)

    return docs
