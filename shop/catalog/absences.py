"""Products that are no longer where they were, as the edge may keep it.

An answer that the edge may not keep leaves what it has kept before in place, to be served while it asks for a newer
one. So that a product has moved (301) or is withdrawn (410) is kept there too, shortly, under the tags of the product,
and ends with them.
"""

from flask import Blueprint, Response, request

from shop.catalog import tags
from shop.errors import ProductRenamed, ProductWithdrawn, ShopError
from shop.patterns.caching import NEGATIVE
from shop.web import problems
from shop.web.public import told_to_the_edge


def keep_absences(routes: Blueprint) -> None:
    """Let the edge keep what some routes answer of products that have moved or are withdrawn."""
    routes.register_error_handler(ProductRenamed, _kept)
    routes.register_error_handler(ProductWithdrawn, _kept)


def _kept(error: ShopError) -> Response:
    response = problems.refusal(error)
    slug = str((request.view_args or {}).get("slug", ""))
    response.headers.extend(told_to_the_edge(NEGATIVE, (tags.product(slug), tags.CATALOGUE)))
    return response
