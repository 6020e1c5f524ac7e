"""Departments and categories of the retailer, and the motif of each one's pictures."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shop.datasets.complete_journey.source import SourceProduct
from shop.datasets.complete_journey.wording import VOCABULARY, readable
from shop.datasets.rows import Row
from shop.datasets.slugs import slugify

OTHER = "Other"
UNLISTED = "UNLISTED"
"""Department of products that are in the receipts but not in the product list."""
MOTIFS = VOCABULARY["motifs"]


@dataclass
class JourneyCategories:
    """All departments and categories with products, numbered."""

    rows: list[Row]
    ids: Mapping[tuple[str, str | None], int]
    """Department and category of the source to the id of the category."""


def number_categories(products: Iterable[SourceProduct]) -> JourneyCategories:
    """Number departments, largest first, and their categories. Products without a category go to "Other"."""
    counts = Counter((product.department, product.category) for product in products)
    sizes: Counter[str] = Counter()
    for (department, _), count in counts.items():
        sizes[department] += count
    departments = sorted(sizes, key=lambda name: (-sizes[name], name))
    rows: list[Row] = []
    taken: set[str] = set()
    for number, name in enumerate(departments, start=1):
        rows.append((number, _slug(readable(name), "", taken), readable(name), None, number, motif(name)))
    ids: dict[tuple[str, str | None], int] = {}
    for parent, department in enumerate(departments, start=1):
        paths = [path for path in counts if path[0] == department]
        for position, path in enumerate(sorted(paths, key=lambda path: (-counts[path], path[1] or "")), start=1):
            ids[path] = category_id = len(rows) + 1
            name = readable(path[1]) if path[1] else OTHER
            slug = _slug(name, readable(department), taken)
            rows.append((category_id, slug, name, parent, position, motif(path[1] or "", department)))
    return JourneyCategories(rows, ids)


def motif(*names: str) -> str:
    """Return the motif of a category, from its name and its department's name."""
    for name in names:
        for word, motif_name in MOTIFS.items():
            if word in name:
                return motif_name
    return "parcel"


def _slug(name: str, department: str, taken: set[str]) -> str:
    plain = slugify(name) or "other"
    slug = plain if plain not in taken and name != OTHER else slugify(f"{department} {plain}")
    while slug in taken:
        slug += "-2"
    taken.add(slug)
    return slug
