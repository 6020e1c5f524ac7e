"""What the demo store could sell: departments, categories, and the words their products are made of.

Each department is a file of ``assortment/``. A category has far more combinations of style, material, noun, variant
and brand than products, so the largest size still repeats no title.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shop.errors import ConfigurationError

DIRECTORY = Path(__file__).parent / "assortment"
DEFAULT_SPREAD = 0.45
"""Standard deviation of the logarithm of the price, where a category says nothing else."""


@dataclass(frozen=True)
class DemoDepartment:
    """A department, and the words all its categories share."""

    slug: str
    name: str
    position: int
    brands: Sequence[str]
    styles: Sequence[str]
    variants: Sequence[str]
    """Styles and variants are those of the categories that name none of their own."""


@dataclass(frozen=True)
class DemoCategory:
    """A category, its price level in euros and the words its products and reviews are made of."""

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
    def wheels(self) -> Sequence[Sequence[str]]:
        """Return what is combined: brands, styles, materials, nouns, variants."""
        return (self.department.brands, self.styles, self.materials, self.nouns, self.variants)


@dataclass(frozen=True)
class DemoAssortment:
    """All of it, in the order it is shown."""

    departments: Sequence[DemoDepartment]
    categories: Sequence[DemoCategory]

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Return each category's place in :attr:`categories`."""
        return {category.slug: place for place, category in enumerate(self.categories)}


def load(directory: Path = DIRECTORY) -> DemoAssortment:
    """Read the files.

    Raises:
        ConfigurationError: the files are not there.
    """
    files = [(path.stem, tomllib.loads(path.read_text("utf-8"))) for path in sorted(directory.glob("*.toml"))]
    if not files:
        raise ConfigurationError(f"{directory} is empty: this installation is damaged, install it again.")
    files.sort(key=lambda entry: entry[1]["position"])
    departments: list[DemoDepartment] = []
    categories: list[DemoCategory] = []
    for slug, found in files:
        shelves = found.pop("categories")
        department = DemoDepartment(slug=slug, **found)
        departments.append(department)
        unless_said = {
            "department": department,
            "spread": DEFAULT_SPREAD,
            "styles": department.styles,
            "variants": department.variants,
        }
        categories += (DemoCategory(**{"slug": key, **unless_said, **fields}) for key, fields in shelves.items())
    return DemoAssortment(departments, categories)
