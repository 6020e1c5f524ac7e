"""The catalogue over HTTP, under ``/api/v1``."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Response
from flask_openapi3 import Tag

from shop.catalog import schemas
from shop.catalog.cached_responses import entity_tag
from shop.catalog.editing import ProductChange
from shop.catalog.negative_caching import cache_not_found
from shop.catalog.requests import ProductAddition, ProductEdit, ProductPath, ProductsQuery, ReviewsQuery, WriteCondition
from shop.catalog.service import CatalogService
from shop.patterns.caching import CacheableResponse
from shop.web.access import needs_account, needs_role
from shop.web.identity import ADMIN, require_identity
from shop.web.openapi import AUTH_REQUIRED, ApiBlueprint, sends
from shop.web.preconditions import IfMatch
from shop.web.public_answers import JSON, publish
from shop.web.schemas import ProblemDetails

TAG = Tag(name="catalogue", description="Products, categories, search, reviews.")
PUBLIC = sends("ETag", "Cache-Control", "Cache-Status")
"""What answers carry that are the same for everybody."""


def create_api(use: Callable[[], CatalogService]) -> ApiBlueprint:
    """Build the catalogue's calls.

    Args:
        use: returns the catalogue of the request being served.
    """
    api = ApiBlueprint("catalog_api", __name__, url_prefix="/api/v1", abp_tags=[TAG])
    cache_not_found(api)
    _add_reads(api, use)
    _add_product_parts(api, use)
    _add_writes(api, use)
    _add_administration(api, use)
    return api


def _add_reads(api: ApiBlueprint, use: Callable[[], CatalogService]) -> None:
    @api.get("/products", responses={200: schemas.ProductListing})
    @PUBLIC
    def list_products(query: ProductsQuery) -> Response:
        """List products: a page by cursor, and what narrowing further would leave.

        A search ranks at most 5,000 matches, facets count at most 20,000 products, the most popular first;
        `facets.exact` says whether that was all of them.
        """
        return _public(use().listing(query.to_list_query()))

    @api.get("/categories", responses={200: schemas.CategoryTree})
    @PUBLIC
    def list_categories() -> Response:
        """Return the tree of departments and their categories, with how many products stand in each."""
        return _public(use().categories())

    @api.get("/screens/home", operation_id="get_home_screen", responses={200: schemas.HomeScreen})
    @PUBLIC
    def home_screen() -> Response:
        """Return all the home page needs in one answer."""
        return _public(use().home_screen())

    @api.get(
        "/screens/product/<string:slug>",
        operation_id="get_product_screen",
        responses={200: schemas.ProductScreen},
    )
    @PUBLIC
    def product_screen(path: ProductPath) -> Response:
        """Return all the product page needs in one answer."""
        return _public(use().product_screen(path.slug))


def _add_product_parts(api: ApiBlueprint, use: Callable[[], CatalogService]) -> None:
    @api.get("/products/<string:slug>", responses={200: schemas.ProductDetail})
    @PUBLIC
    def get_product(path: ProductPath) -> Response:
        """Return one product."""
        return _public(use().product(path.slug))

    @api.get("/products/<string:slug>/stock", responses={200: schemas.StockLevel})
    def get_stock(path: ProductPath) -> Response:
        """Return how many pieces can be bought at this moment; never from a cache."""
        response = Response(use().stock(path.slug).model_dump_json(), mimetype=JSON)
        response.headers["Cache-Control"] = "no-store"
        return response

    @api.get("/products/<string:slug>/rating", responses={200: schemas.RatingSummary})
    @PUBLIC
    def get_rating(path: ProductPath) -> Response:
        """Return a product's ratings summed up."""
        return _public(use().rating(path.slug))

    @api.get("/products/<string:slug>/related", responses={200: schemas.RelatedProducts})
    @PUBLIC
    def get_related(path: ProductPath) -> Response:
        """Return what shoppers bought together with a product."""
        return _public(use().related(path.slug))

    @api.get("/products/<string:slug>/reviews", responses={200: schemas.ReviewPage})
    @PUBLIC
    def list_reviews(path: ProductPath, query: ReviewsQuery) -> Response:
        """List a product's reviews, latest first."""
        return _public(use().reviews(path.slug, query.limit, query.cursor))


def _add_writes(api: ApiBlueprint, use: Callable[[], CatalogService]) -> None:
    @api.post("/products/<string:slug>/reviews", security=AUTH_REQUIRED, responses={201: schemas.ReviewDetail})
    @needs_account
    def write_review(path: ProductPath, body: schemas.NewReview) -> Response:
        """Review a product, once an account."""
        who = require_identity()
        review = use().write_review(path.slug, who.user_id, who.name, body.rating, body.body)
        return _private(review.model_dump_json(), HTTPStatus.CREATED)


def _add_administration(api: ApiBlueprint, use: Callable[[], CatalogService]) -> None:
    @api.get(
        "/admin/products/<string:slug>",
        operation_id="get_product_record",
        security=AUTH_REQUIRED,
        responses={200: schemas.ProductRecord, 403: ProblemDetails, 404: ProblemDetails},
    )
    @needs_role(ADMIN)
    @sends("ETag")
    def get_record(path: ProductPath) -> Response:
        """Return a product as it can be edited, as it is now; takes the role admin.

        Its `ETag` is what a change sends back as `If-Match`, to be done only if nobody else was quicker.
        """
        return _recorded(use().record(path.slug))

    @api.post(
        "/admin/products",
        security=AUTH_REQUIRED,
        responses={201: schemas.ProductRecord, 403: ProblemDetails, 409: ProblemDetails},
    )
    @needs_role(ADMIN)
    @sends("Location", "ETag")
    def add_product(body: ProductAddition) -> Response:
        """Put a new product into the catalogue; takes the role admin.

        Its name in addresses is given or made from the title; where it is, or was, another product's, that is a
        conflict (409). `Location` is where it can be edited, `url` where it is sold.
        """
        record = use().add(body.product())
        response = _recorded(record, HTTPStatus.CREATED)
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
        """Change a product's price, text, stock or slug, withdraw it or sell it again; takes the role admin.

        With `If-Match`, only if the product still is what that `ETag` was given for; else it is refused (412).
        """
        return _recorded(use().edit(path.slug, body.edit(), IfMatch.parse(header.if_match)))

    @api.delete(
        "/admin/products/<string:slug>",
        security=AUTH_REQUIRED,
        responses={204: None, 403: ProblemDetails, 404: ProblemDetails, 412: ProblemDetails},
    )
    @needs_role(ADMIN)
    def withdraw_product(header: WriteCondition, path: ProductPath) -> Response:
        """Withdraw a product: its addresses answer 410, and its orders stay; takes the role admin.

        Doing it twice is well. `PATCH` with `"withdrawn": false` sells it again.
        """
        use().edit(path.slug, ProductChange(withdrawn=True), IfMatch.parse(header.if_match))
        response = Response(status=HTTPStatus.NO_CONTENT)
        response.headers["Cache-Control"] = "no-store"
        return response


def _public(found: CacheableResponse) -> Response:
    return publish(found, JSON)


def _private(body: str, status: int = HTTPStatus.OK) -> Response:
    response = Response(body, status=status, mimetype=JSON)
    response.headers["Cache-Control"] = "no-store"
    return response


def _recorded(record: schemas.ProductRecord, status: int = HTTPStatus.OK) -> Response:
    response = _private(record.model_dump_json(), status)
    response.set_etag(entity_tag(record))
    return response
