"""The category tree: two levels, a few dozen rows, read whole."""

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
        """Return it as others point to it."""
        return CategoryRef(slug=self.slug, name=self.name, url=category_url(self.slug))

    @property
    def link(self) -> NamedLink:
        """Return its name and where it leads."""
        return NamedLink(name=self.name, url=category_url(self.slug))


class CategoryHierarchy:
    """All categories, in the order the store shows them."""

    def __init__(self, shelves: Sequence[CategoryRow]) -> None:
        self._all = shelves
        self._by_id = {shelf.id: shelf for shelf in shelves}
        self._by_slug = {shelf.slug: shelf for shelf in shelves}
        self._inside: dict[int | None, list[CategoryRow]] = {}
        for shelf in shelves:
            self._inside.setdefault(shelf.parent_id, []).append(shelf)

    def get(self, slug: str) -> CategoryRow:
        """Return one category.

        Raises:
            NotFound: there is none of that slug.
        """
        shelf = self._by_slug.get(slug)
        if shelf is None:
            raise NotFound("There is no such category.")
        return shelf

    def path(self, category_id: int) -> list[CategoryRow]:
        """Return a category and what it stands in, the outermost first."""
        shelf = self._by_id[category_id]
        return [shelf] if shelf.parent_id is None else [*self.path(shelf.parent_id), shelf]

    def children(self, shelf: CategoryRow | None) -> list[CategoryRow]:
        """Return what stands in a category; the departments for ``None``."""
        return self._inside.get(shelf.id if shelf else None, [])

    def within(self, shelf: CategoryRow | None) -> list[int]:
        """Return the ids of a category and of everything below it; of all of them for ``None``."""
        if shelf is None:
            return [other.id for other in self._all]
        return [shelf.id, *(number for child in self.children(shelf) for number in self.within(child))]

    def nodes(self, counts: dict[int, int], shelf: CategoryRow | None = None) -> list[CategoryNode]:
        """Build the tree below a category, with the products counted by category id."""
        return [
            CategoryNode(
                **child.ref.model_dump(),
                picture=child.picture,
                products=sum(counts.get(number, 0) for number in self.within(child)),
                children=self.nodes(counts, child),
            )
            for child in self.children(shelf)
        ]


def load(session: Session) -> CategoryHierarchy:
    """Read the tree; one query."""
    columns = (Category.id, Category.slug, Category.name, Category.parent_id, Category.picture)
    rows = session.execute(select(*columns).order_by(Category.position, Category.name, Category.id))
    return CategoryHierarchy([CategoryRow(*row) for row in rows])


def counts(session: Session) -> dict[int, int]:
    """Count the products of each category, by category id; reads one index whole, so keep the answer."""
    rows = session.execute(select(Product.category_id, func.count()).where(OFFERED).group_by(Product.category_id))
    return dict(rows.all())


def breadcrumbs(shelves: Sequence[CategoryRow], *last: NamedLink) -> list[NamedLink]:
    """Return the way from the home page down a path of categories."""
    return [NamedLink(name="Home", url="/"), *(shelf.link for shelf in shelves), *last]
