"""The API's description, ``/api/openapi.json``, and a page to browse it, ``/api/docs``; no outside resource."""

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
"""Security of a call that serves guests too, and knows an account by either."""
AUTH_REQUIRED: list[dict[str, list[str]]] = [{"session": []}, {"token": []}]
"""Security of a call that strangers are refused."""


_TYPED_PART = re.compile(r"<(?:\w+:)?(\w+)>")
"""A variable part of a route, as werkzeug spells it."""
_SENT = "__sent_headers__"


def sends(*names: str) -> Callable[[V], V]:
    """Say in the description that a view's answers carry these headers, besides those that all carry.

    Args:
        names: of headers that ``shop.web.api_description`` explains.
    """

    def mark(view: V) -> V:
        setattr(view, _SENT, names)
        return view

    return mark


def sent_headers(view: Callable[..., Any]) -> tuple[str, ...]:
    """Return the headers a view says it sends."""
    return getattr(view, _SENT, ())


class ApiBlueprint(APIBlueprint):
    """Calls of the API, whose description is worked out when somebody asks for it, not by every process that starts.

    A client calls an operation by the name of its view, or by the one given as ``operation_id``.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, operation_id_callback=_name_of_view, **options)
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
        from shop.web.api_description import complete  # for this alone: no process is heavier that is not asked

        for calls in self.blueprints.values():
            if isinstance(calls, ApiBlueprint):
                calls.describe()
                self.tags += [tag for tag in calls.tags if tag not in self.tags]
                self.paths.update(calls.paths)
                self.components_schemas.update(calls.components_schemas)
        super().generate_spec_json()  # type: ignore[no-untyped-call]
        self.spec_json = complete(self.spec_json, self._views())

    def _views(self) -> dict[tuple[str, str], Callable[..., Any]]:
        return {
            (_TYPED_PART.sub(r"{\1}", rule.rule), method.lower()): self.view_functions[rule.endpoint]
            for rule in self.url_map.iter_rules()
            for method in rule.methods or ()
        }

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
        info=Info(title="shop", version=VERSION, description=CONVENTIONS),
        security_schemes=SECURITY_SCHEMES,
        validation_error_model=ProblemDetails,
        validation_error_callback=problems.from_validation,
        doc_ui=False,
        **options,
    )
    app.register_blueprint(_browser(app))
    return app


def _name_of_view(name: str, path: str, method: str) -> str:  # given by name
    return name


def _browser(app: OpenAPI) -> Blueprint:
    browser = Blueprint("api_docs", __name__, url_prefix="/api")

    @browser.get("/openapi.json")
    def description() -> Response:
        return publish(CacheableResponse(jsonify(app.api_doc).data, REFERENCE), JSON)

    @browser.get("/docs")
    def docs() -> Response:
        from shop.web import api_reference  # for this alone: no process is heavier that is not asked

        found = app.api_doc
        page = render_template(
            "api_docs.html",
            about=found["info"]["description"].strip(),
            version=found["openapi"],
            groups=api_reference.groups(found),
            schemas=api_reference.schemas(found),
        )
        return publish(CacheableResponse(page.encode(), CATALOGUE), HTML)

    return browser
