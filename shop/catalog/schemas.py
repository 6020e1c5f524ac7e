"""The shapes the catalogue answers in; a screen is one of these, serialised once."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from shop.catalog.text_normalisation import normalise_line, to_nfc
from shop.web.schemas import ApiModel, MoneySchema, WholeNumber

REVIEW_MAX_LENGTH = 4_000


def _storable(value: str) -> str:
    if "\x00" in value:  # PostgreSQL's text cannot hold it
        raise ValueError("must not contain a NUL character")
    return to_nfc(value)


def _not_blank(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise ValueError("must not be blank")
    return stripped


StorableText = Annotated[str, AfterValidator(_storable), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
"""Text a person wrote, or none."""
NonBlankText = Annotated[
    str,
    AfterValidator(_storable),
    AfterValidator(_not_blank),
    Field(min_length=1, json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}),
]
"""Text a person wrote: something, and storable."""
OneLineText = Annotated[NonBlankText, AfterValidator(normalise_line), AfterValidator(_not_blank)]
"""What something is called, on one line."""


class NamedLink(ApiModel):
    """A name and where it leads."""

    name: str
    url: str


class SearchHighlight(ApiModel):
    """Where a search matched, as HTML: everything is escaped, only ``<mark>`` is not."""

    title: str
    description: str


class ProductCard(ApiModel):
    """A product as a list shows it."""

    slug: str
    title: str
    brand: str
    price: MoneySchema
    rating: float = Field(description="Mean of its ratings, 0 while it has none.")
    rating_count: int
    picture: str = Field(description="Path of an SVG.")
    in_stock: bool = Field(description="As last read; ask the stock call for the live answer.")
    url: str
    highlight: SearchHighlight | None = Field(default=None, description="Only in the results of a search.")


class CategoryRef(ApiModel):
    """A category as others point to it."""

    slug: str
    name: str
    url: str


class CategoryNode(CategoryRef):
    """A category in the tree. A department counts what stands in its categories."""

    picture: str
    products: int
    children: list["CategoryNode"] = Field(default_factory=list)


class CategoryTree(ApiModel):
    """All departments."""

    items: list[CategoryNode]


class ProductDetail(ProductCard):
    """A product by itself."""

    description: str
    category: CategoryRef
    created_at: datetime


class ProductRecord(ApiModel):
    """A product as an administrator edits it: what is stored of it, and nothing that shoppers' reviews change.

    The ``ETag`` of the administration's answers is made of its bytes.
    """

    slug: str
    title: str
    brand: str
    category: CategoryRef
    description: str
    price: MoneySchema
    on_hand: int = Field(description="Pieces on the shelf, those promised to checkouts included.")
    withdrawn: bool = Field(description="Whether it is no longer sold.")
    picture: str = Field(description="Path of an SVG.")
    url: str
    created_at: datetime


class StarCount(ApiModel):
    """How many reviews gave so many stars."""

    stars: int
    count: int


class RatingSummary(ApiModel):
    """All ratings of a product in one look."""

    average: float
    count: int
    histogram: list[StarCount] = Field(description="Five entries, five stars first.")


class ReviewDetail(ApiModel):
    """One review."""

    author: str
    rating: int
    body: str
    created_at: datetime


class ReviewPage(ApiModel):
    """A page of reviews, latest first."""

    items: list[ReviewDetail]
    next_cursor: str | None


class RelatedProducts(ApiModel):
    """Products bought together with one."""

    items: list[ProductCard]

    @property
    def related_slugs(self) -> list[str]:
        """Return the slugs of the products shown."""
        return [card.slug for card in self.items]


class StockLevel(ApiModel):
    """What can be bought at this moment."""

    slug: str
    available: int


class ProductScreen(ApiModel):
    """All the product page needs."""

    product: ProductDetail
    breadcrumbs: list[NamedLink]
    rating: RatingSummary
    reviews: list[ReviewDetail]
    also_bought: list[ProductCard]

    @property
    def related_slugs(self) -> list[str]:
        """Return the slugs of the products shown beside it."""
        return [card.slug for card in self.also_bought]


class HomeScreen(ApiModel):
    """All the home page needs."""

    departments: list[CategoryNode]
    popular: list[ProductCard]
    new: list[ProductCard]


class PriceBand(ApiModel):
    """A span of prices, in minor units, both ends included; no ``max`` means and above."""

    min: int
    max: int | None
    count: int


class RatingFacet(ApiModel):
    """Products rated at least so high."""

    min: int
    count: int


class BrandFacet(ApiModel):
    """Products of one brand."""

    brand: str
    count: int


class ListFacets(ApiModel):
    """What narrowing further would leave: each facet counts under all filters but its own."""

    total: int = Field(description="Products under all filters.")
    exact: bool = Field(description="False where the set was too large to count whole: counts are then at least.")
    price: list[PriceBand]
    rating: list[RatingFacet]
    brand: list[BrandFacet] = Field(description="The most frequent brands, and those asked for.")
    in_stock: int = Field(description="How many of them can be bought now.")


class ProductListing(ApiModel):
    """One page of products."""

    items: list[ProductCard]
    next_cursor: str | None
    prev_cursor: str | None = None
    facets: ListFacets
    showing_results_for: str | None = Field(
        default=None, description="The query as mended, where words of it were unknown to the catalogue."
    )


class CategoryScreen(ApiModel):
    """All the category page needs; of its children the first."""

    category: CategoryRef
    breadcrumbs: list[NamedLink]
    children: list[CategoryRef]
    children_count: int
    listing: ProductListing


class NewReview(ApiModel):
    """A review to be written."""

    rating: WholeNumber = Field(ge=1, le=5)
    body: NonBlankText = Field(max_length=REVIEW_MAX_LENGTH)


CategoryNode.model_rebuild()
