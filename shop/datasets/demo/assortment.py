"""The assortment of the demo store: departments, categories, and the words of their products.

Each department is a file in ``assortment/``. A category has many more combinations of style, material, noun, variant
and brand than products, so no title is repeated in the largest size.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shop.errors import ConfigurationError

DIRECTORY = Path(__file__).parent / "assortment"
DEFAULT_SPREAD = 0.45
"""Default standard deviation of the logarithm of the price in a category."""


@dataclass(frozen=True)
class DemoDepartment:
    """A department, and the words that its categories share."""

    slug: str
    name: str
    position: int
    brands: Sequence[str]
    styles: Sequence[str]
    variants: Sequence[str]
    """The defaults of the categories that have no styles or variants."""


@dataclass(frozen=True)
class DemoCategory:
    """A category: its price level in euros, and the words of its products and reviews."""

    slug: str
    name: str
    department: DemoDepartment
    motif: str
    price: float
    spread: float
    styles: Sequence[str]
    materials: Sequence[str]
    nouns: Sequence[str]
    variants: Sequence[str]
    details: Sequence[str]
    uses: Sequence[str]
    aspects: Sequence[str]
    goes_with: Sequence[str]

    @cached_property
    def word_lists(self) -> Sequence[Sequence[str]]:
        """Return the lists of words to combine: brands, styles, materials, nouns, variants."""
        return (self.department.brands, self.styles, self.materials, self.nouns, self.variants)


@dataclass(frozen=True)
class DemoAssortment:
    """All departments and categories, in the order of the menu."""

    departments: Sequence[DemoDepartment]
    categories: Sequence[DemoCategory]

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Return the index in :attr:`categories` of each category's slug."""
        return {category.slug: index for index, category in enumerate(self.categories)}


def load(directory: Path = DIRECTORY) -> DemoAssortment:
    """Read the files.

    Raises:
        ConfigurationError: the files are missing.
    """
    files = [(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in sorted(directory.glob("*.toml"))]
    if not files:
        raise ConfigurationError(f"{directory} is empty: this installation is damaged, install it again.")
    files.sort(key=lambda entry: entry[1]["position"])
    departments: list[DemoDepartment] = []
    categories: list[DemoCategory] = []
    for slug, document in files:
        category_tables = document.pop("categories")
        department = DemoDepartment(slug=slug, **document)
        departments.append(department)
        defaults = {
            "department": department,
            "spread": DEFAULT_SPREAD,
            "styles": department.styles,
            "variants": department.variants,
        }
        categories += (DemoCategory(**{"slug": key, **defaults, **table}) for key, table in category_tables.items())
    return DemoAssortment(departments, categories)
