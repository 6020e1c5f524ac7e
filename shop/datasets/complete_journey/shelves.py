"""Departments and categories: where a product stands, and which motif its picture is drawn with."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shop.datasets.complete_journey.source import SourceProduct
from shop.datasets.complete_journey.wording import VOCABULARY, readable
from shop.datasets.rows import Row
from shop.datasets.slugs import slugify

OTHER = "Other"
UNLISTED = "UNLISTED"
"""Department of what was sold and never described."""
MOTIFS = VOCABULARY["motifs"]


@dataclass
class JourneyCategories:
    """All departments and categories that products stand in, numbered."""

    rows: list[Row]
    ids: Mapping[tuple[str, str | None], int]
    """Department and category of the source, to the id of the category."""


def arrange(products: Iterable[SourceProduct]) -> JourneyCategories:
    """Number departments, largest first, and their categories; what has no category goes to "Other"."""
    found = Counter((product.department, product.category) for product in products)
    sizes: Counter[str] = Counter()
    for (department, _), count in found.items():
        sizes[department] += count
    departments = sorted(sizes, key=lambda name: (-sizes[name], name))
    rows: list[Row] = []
    taken: set[str] = set()
    for number, name in enumerate(departments, start=1):
        rows.append((number, _slug(readable(name), "", taken), readable(name), None, number, motif(name)))
    ids: dict[tuple[str, str | None], int] = {}
    for parent, department in enumerate(departments, start=1):
        inside = [shelf for shelf in found if shelf[0] == department]
        for position, shelf in enumerate(sorted(inside, key=lambda shelf: (-found[shelf], shelf[1] or "")), start=1):
            ids[shelf] = number = len(rows) + 1
            name = readable(shelf[1]) if shelf[1] else OTHER
            slug = _slug(name, readable(department), taken)
            rows.append((number, slug, name, parent, position, motif(shelf[1] or "", department)))
    return JourneyCategories(rows, ids)


def motif(*names: str) -> str:
    """Return the motif for a category, given its name and its department's."""
    for name in names:
        for word, drawn in MOTIFS.items():
            if word in name:
                return drawn
    return "parcel"


def _slug(name: str, department: str, taken: set[str]) -> str:
    plain = slugify(name) or "other"
    slug = plain if plain not in taken and name != OTHER else slugify(f"{department} {plain}")
    while slug in taken:
        slug += "-2"
    taken.add(slug)
    return slug
