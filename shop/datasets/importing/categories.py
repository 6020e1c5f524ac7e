"""Shelves for imported products: found by name, made where there are none."""

from shop.datasets.complete_journey.shelves import motif
from shop.datasets.plan import Connection
from shop.datasets.slugs import slugify

PATHS = "SELECT DISTINCT department, category FROM incoming ORDER BY 1, 2"
FIND = "SELECT id FROM categories WHERE lower(name) = lower(%s) AND parent_id IS NOT DISTINCT FROM %s"
ADD = """
    INSERT INTO categories (slug, name, parent_id, position, picture)
    SELECT %s, %s, %s, coalesce(max(position), 0) + 1, %s FROM categories RETURNING id
"""


def place(connection: Connection) -> None:
    """Give each staged row the id of its category, making departments and categories that are new."""
    for department, category in connection.execute(PATHS.encode()).fetchall():
        parent = _shelf(connection, department, None, "")
        shelf = _shelf(connection, category, parent, department)
        connection.execute(
            "UPDATE incoming SET category_id = %s WHERE department = %s AND category = %s",
            (shelf, department, category),
        )


def _shelf(connection: Connection, name: str, parent: int | None, department: str) -> int:
    found = connection.execute(FIND.encode(), (name, parent)).fetchone()
    if found is None:
        drawn = motif(name.upper(), department.upper())
        found = connection.execute(
            ADD.encode(), (_free_slug(connection, name, department), name, parent, drawn)
        ).fetchone()
    return int(found[0]) if found else 0


def _free_slug(connection: Connection, name: str, department: str) -> str:
    plain = slugify(name)
    candidates = [plain, slugify(f"{department} {name}"), *(f"{plain}-{number}" for number in range(2, 1_000))]
    taken = {slug for (slug,) in connection.execute("SELECT slug FROM categories WHERE slug = ANY(%s)", (candidates,))}
    return next(slug for slug in candidates if slug not in taken)
