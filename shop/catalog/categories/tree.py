"""The category tree: two levels and a few dozen rows, read in one query."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop.catalog.cards import category_url
from shop.catalog.models import OFFERED, Category, Product
from shop.catalog.schemas import CategoryNode, CategoryRef, NamedLink
from shop.errors import NotFound


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """One category."""

    id: int
    slug: str
    name: str
    parent_id: int | None
    picture: str

    @property
    def ref(self) -> CategoryRef:
        """Return the reference that other responses show."""
        return CategoryRef(slug=self.slug, name=self.name, url=category_url(self.slug))

    @property
    def link(self) -> NamedLink:
        """Return the category's name and the URL of its page."""
        return NamedLink(name=self.name, url=category_url(self.slug))


class CategoryHierarchy:
    """All categories, in the order the store shows them."""

    def __init__(self, categories: Sequence[CategoryRow]) -> None:
        self._all = categories
        self._by_id = {category.id: category for category in categories}
        self._by_slug = {category.slug: category for category in categories}
        self._children: dict[int | None, list[CategoryRow]] = {}
        for category in categories:
            self._children.setdefault(category.parent_id, []).append(category)

    def get(self, slug: str) -> CategoryRow:
        """Return one category.

        Raises:
            NotFound: no category has this slug.
        """
        category = self._by_slug.get(slug)
        if category is None:
            raise NotFound("There is no such category.")
        return category

    def path(self, category_id: int) -> list[CategoryRow]:
        """Return a category and its ancestors, the department first."""
        category = self._by_id[category_id]
        return [category] if category.parent_id is None else [*self.path(category.parent_id), category]

    def children(self, category: CategoryRow | None) -> list[CategoryRow]:
        """Return the direct children of a category; the departments for ``None``."""
        return self._children.get(category.id if category else None, [])

    def descendant_ids(self, category: CategoryRow | None) -> list[int]:
        """Return the ids of a category and of all categories below it; of all of them for ``None``."""
        if category is None:
            return [row.id for row in self._all]
        return [category.id, *(number for child in self.children(category) for number in self.descendant_ids(child))]

    def nodes(self, counts: dict[int, int], category: CategoryRow | None = None) -> list[CategoryNode]:
        """Build the tree below a category.

        Args:
            counts: the number of products by category id.
            category: the root; the whole tree by default.
        """
        return [
            CategoryNode(
                **child.ref.model_dump(),
                picture=child.picture,
                products=sum(counts.get(number, 0) for number in self.descendant_ids(child)),
                children=self.nodes(counts, child),
            )
            for child in self.children(category)
        ]


def load(session: Session) -> CategoryHierarchy:
    """Read the tree; one query."""
    columns = (Category.id, Category.slug, Category.name, Category.parent_id, Category.picture)
    rows = session.execute(select(*columns).order_by(Category.position, Category.name, Category.id))
    return CategoryHierarchy([CategoryRow(*row) for row in rows])


def counts(session: Session) -> dict[int, int]:
    """Count the products of each category, by category id; the query scans a whole index, so cache the result."""
    rows = session.execute(select(Product.category_id, func.count()).where(OFFERED).group_by(Product.category_id))
    return dict(rows.all())


def breadcrumbs(categories: Sequence[CategoryRow], *last: NamedLink) -> list[NamedLink]:
    """Return the links from the home page down a path of categories, and the last one."""
    return [NamedLink(name="Home", url="/"), *(category.link for category in categories), *last]
