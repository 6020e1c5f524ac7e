"""Negative caching at the edge: responses for products and categories that were moved, withdrawn or removed.

Problem: when the edge may not cache an error response, it keeps the previous page: it serves that page while it
revalidates, and again when the store fails.
Method: the error response replaces the page at the edge. It has the tags of everything that the URL may have meant, so
it is invalidated when a product or category takes the name again. A redirect (301) is cached as long as the page was; a
withdrawal (410) or a missing page (404) only for a short time. The number of names that never existed is unbounded, and
they must not evict real pages: a 404 is cached only if the edge has a stale copy.
"""

from collections.abc import Mapping
from types import MappingProxyType

from flask import Blueprint, Response, request

from shop.catalog import tags
from shop.catalog.slugs import is_slug
from shop.errors import NotFound, ProductRenamed, ProductWithdrawn, ShopError
from shop.patterns.caching import CATALOGUE, NEGATIVE, CachePolicy
from shop.web import problems
from shop.web.edge_headers import has_stale_copy
from shop.web.public_answers import edge_headers_for

NEGATIVE_POLICIES: Mapping[type[ShopError], CachePolicy] = MappingProxyType(
    {ProductRenamed: CATALOGUE, ProductWithdrawn: NEGATIVE, NotFound: NEGATIVE}
)


def cache_not_found(routes: Blueprint) -> None:
    """Let the edge cache the 301, 410 and 404 responses of a blueprint's routes."""

    def respond(error: ShopError) -> Response:
        response = problems.error_response(error)
        if type(error) is not NotFound or has_stale_copy(request.environ):
            names = (request.view_args or {}).get("slug"), request.args.get("category")
            slugs = [name for name in names if name and is_slug(name)]
            all_tags = (*map(tags.product, slugs), *map(tags.category, slugs), tags.CATEGORIES, tags.CATALOGUE)
            response.headers.extend(edge_headers_for(NEGATIVE_POLICIES[type(error)], all_tags))
        return response

    for error_type in NEGATIVE_POLICIES:
        routes.register_error_handler(error_type, respond)
