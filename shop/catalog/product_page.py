"""Two strategies that fill the product page: from one screen, or part by part.

``wiring`` picks one of them by the switch ``api.composite``; pages and use cases do not know which one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shop.patterns.caching import CacheableResponse

TemplateData = Mapping[str, Any]


class PageSource(Protocol):
    """Supplies a page's data as JSON."""

    def product_screen(self, slug: str) -> CacheableResponse:
        """Return all data of the product page."""

    def product(self, slug: str) -> CacheableResponse:
        """Return the product without its other parts."""


class ProductPage(Protocol):
    """A strategy that fills the product page."""

    @property
    def name(self) -> str:
        """Return the strategy's name in cache keys, so that each strategy has its own cached pages."""

    @property
    def template(self) -> str:
        """Return the name of the template that shows the data."""

    def load(self, source: PageSource, slug: str) -> CacheableResponse:
        """Return the response that has the page's data.

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """

    def template_data(self, response: CacheableResponse) -> TemplateData:
        """Return the template's variables from the response."""


@dataclass(frozen=True, slots=True)
class WholeScreen:
    """One call for the whole screen: the page arrives complete."""

    name: str = "whole"
    template: str = "catalog/product.html"

    def load(self, source: PageSource, slug: str) -> CacheableResponse:
        """Return the whole screen."""
        return source.product_screen(slug)

    def template_data(self, response: CacheableResponse) -> TemplateData:
        """Return all fields of the screen."""
        screen: TemplateData = json.loads(response.value)
        return screen


@dataclass(frozen=True, slots=True)
class PartByPart:
    """One call for each part: the page arrives with the product, and its script loads the other parts."""

    name: str = "parts"
    template: str = "catalog/product_parts.html"

    def load(self, source: PageSource, slug: str) -> CacheableResponse:
        """Return the product without its other parts."""
        return source.product(slug)

    def template_data(self, response: CacheableResponse) -> TemplateData:
        """Return the product under the name ``product``."""
        return {"product": json.loads(response.value)}
