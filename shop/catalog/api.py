"""The catalogue's JSON API, under ``/api/v1``."""

from collections.abc import Callable
from http import HTTPStatus

from flask import Response
from flask_openapi3 import Tag

from shop.catalog import schemas
from shop.catalog.admin_api import add_admin_routes
from shop.catalog.negative_caching import cache_not_found
from shop.catalog.requests import ProductPath, ProductsQuery, ReviewsQuery
from shop.catalog.service import CatalogService
from shop.patterns.caching import CacheableResponse
from shop.web.access_control import needs_account
from shop.web.http_caching import NO_STORE
from shop.web.identity import require_identity
from shop.web.openapi import AUTH_REQUIRED, ApiBlueprint, sends
from shop.web.public_answers import JSON, publish

TAG = Tag(name="catalogue", description="Products, categories, search, reviews.")
PUBLIC = sends("ETag", "Cache-Control", "Cache-Status")
"""Documents the headers of a public response."""


def create_api(get_service: Callable[[], CatalogService]) -> ApiBlueprint:
    """Build the catalogue's API routes.

    Args:
        get_service: returns the current request's catalogue service.
    """
    api = ApiBlueprint("catalog_api", __name__, url_prefix="/api/v1", abp_tags=[TAG])
    cache_not_found(api)
    _add_lists(api, get_service)
    _add_product_parts(api, get_service)

    @api.post("/products/<string:slug>/reviews", security=AUTH_REQUIRED, responses={201: schemas.ReviewDetail})
    @needs_account
    def write_review(path: ProductPath, body: schemas.NewReview) -> Response:
        """Write a review of a product; one for each account."""
        identity = require_identity()
        review = get_service().write_review(path.slug, identity.user_id, identity.name, body.rating, body.body)
        response = Response(review.model_dump_json(), status=HTTPStatus.CREATED, mimetype=JSON)
        response.headers["Cache-Control"] = NO_STORE
        return response

    add_admin_routes(api, get_service)
    return api


def _add_lists(api: ApiBlueprint, get_service: Callable[[], CatalogService]) -> None:
    @api.get("/products", responses={200: schemas.ProductListing})
    @PUBLIC
    def list_products(query: ProductsQuery) -> Response:
        """List products by cursor, with facet counts.

        A search ranks at most 5,000 matches. Facets count at most 20,000 products, the most popular first;
        `facets.exact` is false if there are more.
        """
        return _public(get_service().listing(query.to_list_query()))

    @api.get("/categories", responses={200: schemas.CategoryTree})
    @PUBLIC
    def list_categories() -> Response:
        """Return the departments and their categories, each with its number of products."""
        return _public(get_service().categories())

    @api.get("/screens/home", operation_id="get_home_screen", responses={200: schemas.HomeScreen})
    @PUBLIC
    def home_screen() -> Response:
        """Return all data of the home page in one response."""
        return _public(get_service().home_screen())

    @api.get(
        "/screens/product/<string:slug>",
        operation_id="get_product_screen",
        responses={200: schemas.ProductScreen},
    )
    @PUBLIC
    def product_screen(path: ProductPath) -> Response:
        """Return all data of the product page in one response."""
        return _public(get_service().product_screen(path.slug))


def _add_product_parts(api: ApiBlueprint, get_service: Callable[[], CatalogService]) -> None:
    @api.get("/products/<string:slug>", responses={200: schemas.ProductDetail})
    @PUBLIC
    def get_product(path: ProductPath) -> Response:
        """Return one product."""
        return _public(get_service().product(path.slug))

    @api.get("/products/<string:slug>/stock", responses={200: schemas.StockLevel})
    def get_stock(path: ProductPath) -> Response:
        """Return the number of pieces that can be bought now; never from a cache."""
        response = Response(get_service().stock(path.slug).model_dump_json(), mimetype=JSON)
        response.headers["Cache-Control"] = NO_STORE
        return response

    @api.get("/products/<string:slug>/rating", responses={200: schemas.RatingSummary})
    @PUBLIC
    def get_rating(path: ProductPath) -> Response:
        """Return the average, the number and the histogram of a product's ratings."""
        return _public(get_service().rating(path.slug))

    @api.get("/products/<string:slug>/related", responses={200: schemas.RelatedProducts})
    @PUBLIC
    def get_related(path: ProductPath) -> Response:
        """Return the products that shoppers bought together with a product."""
        return _public(get_service().related(path.slug))

    @api.get("/products/<string:slug>/reviews", responses={200: schemas.ReviewPage})
    @PUBLIC
    def list_reviews(path: ProductPath, query: ReviewsQuery) -> Response:
        """List a product's reviews, the latest first."""
        return _public(get_service().reviews(path.slug, query.limit, query.cursor))


def _public(response: CacheableResponse) -> Response:
    return publish(response, JSON)
