"""Categories for imported products: found by name or slug, made where there are none."""

from collections.abc import Iterable
from dataclasses import dataclass

from shop.datasets.complete_journey.shelves import motif
from shop.datasets.importing.entry import RefusedRow
from shop.datasets.plan import Connection
from shop.datasets.slugs import slugify

PRESENT = "SELECT id, slug, name, parent_id FROM categories ORDER BY parent_id NULLS FIRST, id"
ADD = """
    INSERT INTO categories (slug, name, parent_id, position, picture)
    SELECT %s, %s, %s, coalesce(max(position), 0) + 1, %s FROM categories RETURNING id
"""
Present = tuple[int, str, str, int | None]


@dataclass(frozen=True, slots=True)
class CategoryPath:
    """What a row says of its category; a text it does not give is empty."""

    department: str
    category: str
    department_slug: str
    category_slug: str


@dataclass(slots=True, eq=False)
class PlannedCategory:
    """A category that is there (it has an id), or that will be made."""

    slug: str
    name: str
    parent: "PlannedCategory | None"
    id: int | None = None


class CategoryPlan:
    """Where each path of a file leads. Pure.

    A slug names a category for certain; without one the name does, whatever its capitals.

    Args:
        present: the categories of the store, parents first, as :data:`PRESENT` selects them.
    """

    def __init__(self, present: Iterable[Present]) -> None:
        self._by_slug: dict[str, PlannedCategory] = {}
        self._by_name: dict[tuple[str, PlannedCategory | None], PlannedCategory] = {}
        by_id: dict[int | None, PlannedCategory] = {}
        for number, slug, name, parent_id in present:
            by_id[number] = self._add(PlannedCategory(slug, name, by_id.get(parent_id), number))

    def find(self, path: CategoryPath) -> PlannedCategory:
        """Return the category of a path. Ask for paths with slugs first: what they name is then known by name too.

        Raises:
            RefusedRow: no slug can be made from the name, or the slug is that of another category.
        """
        department = self._find(path.department, path.department_slug, None)
        return self._find(path.category, path.category_slug, department)

    def _find(self, name: str, slug: str, parent: PlannedCategory | None) -> PlannedCategory:
        named = self._by_name.get((name.lower(), parent))
        found = self._by_slug.get(slug) if slug else named
        if found is not None:
            if found.parent is not parent or (name and found.name.lower() != name.lower()):
                raise RefusedRow(f"category_slug {slug!r} is that of {_shown(found)}, and of no other category")
            return found
        if not name:
            raise RefusedRow(f"there is no category {slug!r}: name it in the column 'category'")
        if named is not None:
            raise RefusedRow(f"category {name!r} is there already, and its slug is {named.slug!r}")
        return self._add(PlannedCategory(slug or self._free_slug(name, parent), name, parent))

    def _free_slug(self, name: str, parent: PlannedCategory | None) -> str:
        plain = slugify(name)
        if not plain:
            raise RefusedRow(f"no slug can be made from the category {name!r}: give one in the column 'category_slug'")
        longer = slugify(f"{parent.name} {name}") if parent else plain
        candidates = [plain, longer, *(f"{plain}-{number}" for number in range(2, len(self._by_slug) + 3))]
        return next(slug for slug in candidates if slug not in self._by_slug)

    def _add(self, category: PlannedCategory) -> PlannedCategory:
        self._by_slug[category.slug] = category
        self._by_name[category.name.lower(), category.parent] = category
        return category


def make(connection: Connection, category: PlannedCategory) -> int:
    """Make a category and its department, where they are not there yet; return its id."""
    if category.id is None:
        parent = None if category.parent is None else make(connection, category.parent)
        picture = motif(category.name.upper(), category.parent.name.upper() if category.parent else "")
        row = connection.execute(ADD.encode(), (category.slug, category.name, parent, picture)).fetchone()
        category.id = int(row[0]) if row else 0
    return category.id


def _shown(category: PlannedCategory) -> str:
    return repr(f"{category.parent.name} > {category.name}" if category.parent else category.name)
