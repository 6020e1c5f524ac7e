"""Categories of imported products: found by name or slug, and created if they do not exist."""

from collections.abc import Iterable
from dataclasses import dataclass

from shop.datasets.complete_journey.categories import motif
from shop.datasets.importing.entry import RefusedRow
from shop.datasets.plan import Connection
from shop.datasets.slugs import slugify

SELECT_CATEGORIES = "SELECT id, slug, name, parent_id FROM categories ORDER BY parent_id NULLS FIRST, id"
ADD = """
    INSERT INTO categories (slug, name, parent_id, position, picture)
    SELECT %s, %s, %s, coalesce(max(position), 0) + 1, %s FROM categories RETURNING id
"""
CategoryRow = tuple[int, str, str, int | None]


@dataclass(frozen=True, slots=True)
class CategoryPath:
    """The category of an imported row: names and slugs; a missing value is an empty string."""

    department: str
    category: str
    department_slug: str
    category_slug: str


@dataclass(slots=True, eq=False)
class PlannedCategory:
    """An existing category (it has an id), or one to create."""

    slug: str
    name: str
    parent: "PlannedCategory | None"
    id: int | None = None


class CategoryPlan:
    """Finds or plans the category of each path in a file. Pure.

    A slug identifies a category; without a slug, the name does, in any capitalisation.

    Args:
        rows: the categories of the store, parents first, as :data:`SELECT_CATEGORIES` returns them.
    """

    def __init__(self, rows: Iterable[CategoryRow]) -> None:
        self._by_slug: dict[str, PlannedCategory] = {}
        self._by_name: dict[tuple[str, PlannedCategory | None], PlannedCategory] = {}
        by_id: dict[int | None, PlannedCategory] = {}
        for category_id, slug, name, parent_id in rows:
            by_id[category_id] = self._add(PlannedCategory(slug, name, by_id.get(parent_id), category_id))

    def find(self, path: CategoryPath) -> PlannedCategory:
        """Return the category of a path. Pass paths with slugs first, so later paths find their categories by name.

        Raises:
            RefusedRow: no slug can be made from the name, or the slug is that of another category.
        """
        department = self._find(path.department, path.department_slug, None)
        return self._find(path.category, path.category_slug, department)

    def _find(self, name: str, slug: str, parent: PlannedCategory | None) -> PlannedCategory:
        same_name = self._by_name.get((name.lower(), parent))
        category = self._by_slug.get(slug) if slug else same_name
        if category is not None:
            if category.parent is not parent or (name and category.name.lower() != name.lower()):
                path = f"{category.parent.name} > {category.name}" if category.parent else category.name
                raise RefusedRow(f"category_slug {slug!r} is that of {path!r}, and of no other category")
            return category
        if not name:
            raise RefusedRow(f"there is no category {slug!r}: name it in the column 'category'")
        if same_name is not None:
            raise RefusedRow(f"category {name!r} is there already, and its slug is {same_name.slug!r}")
        if not slug:
            base = slugify(name)
            if not base:
                raise RefusedRow(f"no slug can be made from the category {name!r}: set the column 'category_slug'")
            with_parent = slugify(f"{parent.name} {name}") if parent else base
            candidates = [base, with_parent, *(f"{base}-{number}" for number in range(2, len(self._by_slug) + 3))]
            slug = next(candidate for candidate in candidates if candidate not in self._by_slug)
        return self._add(PlannedCategory(slug, name, parent))

    def _add(self, category: PlannedCategory) -> PlannedCategory:
        self._by_slug[category.slug] = category
        self._by_name[category.name.lower(), category.parent] = category
        return category


def get_or_create(connection: Connection, category: PlannedCategory) -> int:
    """Create a category and its department if they do not exist; return the category's id."""
    if category.id is None:
        parent = None if category.parent is None else get_or_create(connection, category.parent)
        picture = motif(category.name.upper(), category.parent.name.upper() if category.parent else "")
        row = connection.execute(ADD.encode(), (category.slug, category.name, parent, picture)).fetchone()
        category.id = int(row[0]) if row else 0
    return category.id
