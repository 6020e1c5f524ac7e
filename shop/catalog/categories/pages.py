"""The pages that list all departments, and all categories of one, however many there are."""

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
"""A department or a category, as the menu shows it."""


@dataclass(frozen=True, slots=True)
class ChildCategoriesPage:
    """One page of many shelves.

    Args:
        path: of the first page; a further one is below it, by its number.
        number: of this page, from 1.
        shelves: all there are, in the store's order.
    """

    path: str
    number: int
    shelves: Sequence[Node]

    @property
    def shown(self) -> Sequence[Node]:
        """Return what stands on this page.

        Raises:
            NotFound: there is no such page.
        """
        shown = self.shelves[(self.number - 1) * CATEGORIES_PER_PAGE : self.number * CATEGORIES_PER_PAGE]
        if not shown and self.number > 1:
            raise NotFound("The list has no such page.")
        return shown

    @property
    def url(self) -> str:
        """Return this page's path."""
        return self._of(self.number)

    @property
    def prev_url(self) -> str:
        """Return the path of the page before, empty where there is none."""
        return self._of(self.number - 1) if self.number > 1 else ""

    @property
    def next_url(self) -> str:
        """Return the path of the next page, empty where there is none."""
        return self._of(self.number + 1) if self.number * CATEGORIES_PER_PAGE < len(self.shelves) else ""

    def _of(self, number: int) -> str:
        return self.path if number == 1 else f"{self.path}/{number}"


def create_category_pages(use: Callable[[], CatalogService]) -> Blueprint:
    """Build the pages.

    Args:
        use: returns the catalogue of the request being served.
    """
    pages = Blueprint("shelves", __name__)
    cache_not_found(pages)

    @pages.get("/departments", defaults={"number": 1})
    @pages.get("/departments/<int(min=2):number>")
    def departments(number: int) -> Response:
        catalog = use()

        def render() -> str:
            nav = catalog.departments()
            return _render(nav, ChildCategoriesPage("/departments", number, nav), title="All departments")

        return publish(catalog.cached_page(f"departments:{number}", [tags.CATEGORIES], render), HTML)

    @pages.get("/c/<slug>/categories", defaults={"number": 1})
    @pages.get("/c/<slug>/categories/<int(min=2):number>")
    def categories(slug: str, number: int) -> Response:
        catalog, name = use(), validate_slug(slug)

        def render() -> str:
            nav = catalog.departments()
            department = _department(nav, name)
            page = ChildCategoriesPage(f"{category_url(name)}/categories", number, department["children"])
            return _render(nav, page, title=f"All in {department['name']}", department=department)

        return publish(catalog.cached_page(f"categories:{name}:{number}", [tags.CATEGORIES], render), HTML)

    return pages


def _department(departments: Sequence[Node], slug: str) -> Node:
    for department in departments:
        if department["slug"] == slug and department["children"]:
            return department
    raise NotFound("There is no such department, or no category in it.")


def _render(nav: Sequence[Node], page: ChildCategoriesPage, **data: Any) -> str:
    return render_template("catalog/categories.html", nav=nav, page=page, shown=page.shown, **data)
