"""The pages that list all departments, and all categories of one department, page by page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, render_template

from shop.catalog import tags
from shop.catalog.cards import category_url
from shop.catalog.negative_caching import cache_not_found
from shop.catalog.service import CatalogService
from shop.catalog.slugs import validate_slug
from shop.errors import NotFound
from shop.web.public_answers import HTML, publish

CATEGORIES_PER_PAGE = 60
Node = Mapping[str, Any]
"""A department or a category with its fields in the menu."""


@dataclass(frozen=True, slots=True)
class ChildCategoriesPage:
    """One page of a list of categories.

    Args:
        path: of the first page; the path of another page ends with its number.
        number: of this page, from 1.
        categories: all of the list, in the store's order.
    """

    path: str
    number: int
    categories: Sequence[Node]

    @property
    def page_categories(self) -> Sequence[Node]:
        """Return the categories on this page.

        Raises:
            NotFound: the list has no such page.
        """
        listed = self.categories[(self.number - 1) * CATEGORIES_PER_PAGE : self.number * CATEGORIES_PER_PAGE]
        if not listed and self.number > 1:
            raise NotFound("The list has no such page.")
        return listed

    @property
    def url(self) -> str:
        """Return this page's path."""
        return self._page_path(self.number)

    @property
    def prev_url(self) -> str:
        """Return the path of the previous page; empty on the first page."""
        return self._page_path(self.number - 1) if self.number > 1 else ""

    @property
    def next_url(self) -> str:
        """Return the path of the next page; empty on the last page."""
        return self._page_path(self.number + 1) if self.number * CATEGORIES_PER_PAGE < len(self.categories) else ""

    def _page_path(self, number: int) -> str:
        return self.path if number == 1 else f"{self.path}/{number}"


def create_category_pages(get_service: Callable[[], CatalogService]) -> Blueprint:
    """Build the pages.

    Args:
        get_service: returns the current request's catalogue service.
    """
    pages = Blueprint("categories", __name__)
    cache_not_found(pages)

    @pages.get("/departments", defaults={"number": 1})
    @pages.get("/departments/<int(min=2):number>")
    def departments(number: int) -> Response:
        catalog = get_service()

        def render() -> str:
            nav = catalog.departments()
            return _render(nav, ChildCategoriesPage("/departments", number, nav), title="All departments")

        return publish(catalog.cached_page(f"departments:{number}", [tags.CATEGORIES], render), HTML)

    @pages.get("/c/<slug>/categories", defaults={"number": 1})
    @pages.get("/c/<slug>/categories/<int(min=2):number>")
    def categories(slug: str, number: int) -> Response:
        catalog, name = get_service(), validate_slug(slug)

        def render() -> str:
            nav = catalog.departments()
            department = next((node for node in nav if node["slug"] == name and node["children"]), None)
            if department is None:
                raise NotFound("There is no such department, or no category in it.")
            page = ChildCategoriesPage(f"{category_url(name)}/categories", number, department["children"])
            return _render(nav, page, title=f"All in {department['name']}", department=department)

        return publish(catalog.cached_page(f"categories:{name}:{number}", [tags.CATEGORIES], render), HTML)

    return pages


def _render(nav: Sequence[Node], page: ChildCategoriesPage, **data: Any) -> str:
    return render_template("catalog/categories.html", nav=nav, page=page, categories=page.page_categories, **data)
