"""Products and categories that are no longer where they were, as the edge may keep it.

An answer that the edge may not keep leaves what it has kept before in place, to be served while it asks for a newer
one, and again when the store fails. So what is gone takes the place of what was there, under the tags of all it may
have been, and ends when there is something of that name again: that a product has moved (301) for as long as its page
was kept, that it is withdrawn (410) or that there is nothing (404) shortly. Names that never were are endless, and must
not push out what exists: that there is nothing is kept only where the edge holds something.
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

ABSENCES: Mapping[type[ShopError], CachePolicy] = MappingProxyType(
    {ProductRenamed: CATALOGUE, ProductWithdrawn: NEGATIVE, NotFound: NEGATIVE}
)


def cache_not_found(routes: Blueprint) -> None:
    """Let the edge keep what some routes answer of what has moved, is withdrawn or is gone."""
    for kind in ABSENCES:
        routes.register_error_handler(kind, _answered)


def _answered(error: ShopError) -> Response:
    response = problems.error_response(error)
    if type(error) is not NotFound or has_stale_copy(request.environ):
        response.headers.extend(edge_headers_for(ABSENCES[type(error)], tuple(_tags())))
    return response


def _tags() -> list[str]:
    """Return the tags of whatever the request may have been about."""
    names = (request.view_args or {}).get("slug"), request.args.get("category")
    known = [name for name in names if name and is_slug(name)]
    return [*map(tags.product, known), *map(tags.category, known), tags.CATEGORIES, tags.CATALOGUE]
