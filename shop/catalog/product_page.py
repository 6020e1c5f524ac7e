"""How the product page gets what it shows: from one screen, or part by part.

``wiring`` picks one of the two for ``api.composite``; the pages and the use cases never ask which.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shop.patterns.caching import CacheableResponse

Data = Mapping[str, Any]


class PageSource(Protocol):
    """Where a page's data comes from, as JSON."""

    def product_screen(self, slug: str) -> CacheableResponse:
        """Return all the product page needs."""

    def product(self, slug: str) -> CacheableResponse:
        """Return the product alone."""


class ProductPage(Protocol):
    """A way to fill the product page."""

    @property
    def name(self) -> str:
        """Name the way in cache keys: no way is served another's page."""

    @property
    def template(self) -> str:
        """Name the template that shows the data."""

    def found(self, source: PageSource, slug: str) -> CacheableResponse:
        """Return the answer the page is made of.

        Raises:
            NotFound: there is no such product.
        """

    def data(self, found: CacheableResponse) -> Data:
        """Return what the template needs of it."""


@dataclass(frozen=True, slots=True)
class WholeScreen:
    """One call a screen: the page arrives whole."""

    name: str = "whole"
    template: str = "catalog/product.html"

    def found(self, source: PageSource, slug: str) -> CacheableResponse:
        """Return the whole screen."""
        return source.product_screen(slug)

    def data(self, found: CacheableResponse) -> Data:
        """Return all of it."""
        screen: Data = json.loads(found.value)
        return screen


@dataclass(frozen=True, slots=True)
class PartByPart:
    """One call a part: the page arrives with its core, and its script asks for the rest."""

    name: str = "parts"
    template: str = "catalog/product_parts.html"

    def found(self, source: PageSource, slug: str) -> CacheableResponse:
        """Return the product alone."""
        return source.product(slug)

    def data(self, found: CacheableResponse) -> Data:
        """Return it under its name."""
        return {"product": json.loads(found.value)}
