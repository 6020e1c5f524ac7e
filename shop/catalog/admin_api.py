"""The admin API of products: read, add, change and withdraw them, with ``ETag`` and ``If-Match``."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Response

from shop.catalog import schemas
from shop.catalog.cached_responses import entity_tag
from shop.catalog.editing import ProductChange
from shop.catalog.requests import ProductAddition, ProductEdit, ProductPath, WriteCondition
from shop.catalog.service import CatalogService
from shop.web.access_control import needs_role
from shop.web.http_caching import NO_STORE
from shop.web.identity import ADMIN
from shop.web.openapi import AUTH_REQUIRED, ApiBlueprint, sends
from shop.web.preconditions import IfMatch
from shop.web.public_answers import JSON
from shop.web.schemas import ProblemDetails


def add_admin_routes(api: ApiBlueprint, get_service: Callable[[], CatalogService]) -> None:
    """Add the routes under ``/admin/products``.

    Args:
        api: the catalogue's blueprint.
        get_service: returns the current request's catalogue service.
    """

    @api.get(
        "/admin/products/<string:slug>",
        operation_id="get_product_record",
        security=AUTH_REQUIRED,
        responses={200: schemas.ProductRecord, 403: ProblemDetails, 404: ProblemDetails},
    )
    @needs_role(ADMIN)
    @sends("ETag")
    def get_record(path: ProductPath) -> Response:
        """Return the current product in its editable form; requires the role admin.

        Send its `ETag` as `If-Match` with a change: the change is then refused if the product has changed meanwhile.
        """
        return _record_response(get_service().record(path.slug))

    @api.post(
        "/admin/products",
        security=AUTH_REQUIRED,
        responses={201: schemas.ProductRecord, 403: ProblemDetails, 409: ProblemDetails},
    )
    @needs_role(ADMIN)
    @sends("Location", "ETag")
    def add_product(body: ProductAddition) -> Response:
        """Add a new product to the catalogue; requires the role admin.

        The slug is in the request, or it is generated from the title. If the slug is or was that of another product,
        the response is a conflict (409). `Location` is the URL of the editable product, `url` that of its page.
        """
        record = get_service().add(body.to_new_product())
        response = _record_response(record, HTTPStatus.CREATED)
        response.headers["Location"] = f"/api/v1/admin/products/{record.slug}"
        return response

    @api.patch(
        "/admin/products/<string:slug>",
        security=AUTH_REQUIRED,
        responses={
            200: schemas.ProductRecord,
            403: ProblemDetails,
            404: ProblemDetails,
            409: ProblemDetails,
            412: ProblemDetails,
        },
    )
    @needs_role(ADMIN)
    @sends("ETag")
    def edit_product(header: WriteCondition, path: ProductPath, body: ProductEdit) -> Response:
        """Change a product's price, text, stock or slug, withdraw it or sell it again; requires the role admin.

        With `If-Match`, the change is refused (412) if the product's `ETag` is another one now.
        """
        return _record_response(get_service().edit(path.slug, body.to_change(), IfMatch.parse(header.if_match)))

    @api.delete(
        "/admin/products/<string:slug>",
        security=AUTH_REQUIRED,
        responses={204: None, 403: ProblemDetails, 404: ProblemDetails, 412: ProblemDetails},
    )
    @needs_role(ADMIN)
    def withdraw_product(header: WriteCondition, path: ProductPath) -> Response:
        """Withdraw a product: its URLs respond with 410, and its orders stay; requires the role admin.

        A second withdrawal changes nothing. `PATCH` with `"withdrawn": false` sells the product again.
        """
        get_service().edit(path.slug, ProductChange(withdrawn=True), IfMatch.parse(header.if_match))
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.headers["Cache-Control"] = NO_STORE
        return response


def _record_response(record: schemas.ProductRecord, status: int = HTTPStatus.OK) -> Response:
    response = Response(record.model_dump_json(), status=status, mimetype=JSON)
    response.headers["Cache-Control"] = NO_STORE
    response.set_etag(entity_tag(record))
    return response
