"""What cached answers are made from. A change names its tags, and every answer that carries one of them ends."""

from collections.abc import Iterable

CATALOGUE = "catalogue"
"""Everything: for imports and rebuilds."""
CATEGORIES = "categories"
"""The tree itself, which every page's menu shows."""
HOME = "home"
SEARCHES = "searches"
"""What searches found, counted, or found nothing of: any change may be what they were looking for."""


def product(slug: str) -> str:
    """Return the tag of one product."""
    return f"product:{slug}"


def category(slug: str) -> str:
    """Return the tag of one category's lists."""
    return f"category:{slug}"


def list_of(category_slug: str | None, words: str = "") -> str:
    """Return the tag of a search's lists, of a category's, or of those over everything."""
    if words:
        return SEARCHES
    return HOME if category_slug is None else category(category_slug)


def of_change(slug: str, categories: Iterable[str]) -> list[str]:
    """Return what a change of one product ends: itself, its categories' lists, the home page, and searches."""
    return [product(slug), *map(category, categories), HOME, SEARCHES]
