"""Cache tags (surrogate keys): a change invalidates each cached response that has one of its tags."""

from collections.abc import Iterable

CATALOGUE = "catalogue"
"""All responses of the catalogue; invalidated by imports and rebuilds."""
CATEGORIES = "categories"
"""The category tree, which every page shows in its menu."""
HOME = "home"
SEARCHES = "searches"
"""The results of all searches, empty ones included; any change may change them."""


def product(slug: str) -> str:
    """Return the tag of one product."""
    return f"product:{slug}"


def category(slug: str) -> str:
    """Return the tag of one category's lists."""
    return f"category:{slug}"


def list_of(category_slug: str | None, words: str = "") -> str:
    """Return the tag of a list: of a search, of a category, or of all products."""
    if words:
        return SEARCHES
    return HOME if category_slug is None else category(category_slug)


def of_change(slug: str, categories: Iterable[str]) -> list[str]:
    """Return the tags that a change of a product invalidates: product, category lists, home page and searches."""
    return [product(slug), *map(category, categories), HOME, SEARCHES]
