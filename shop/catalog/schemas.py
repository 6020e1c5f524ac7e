"""The schemas of the catalogue's responses, screens included."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from shop.catalog.text_normalisation import normalise_line, to_nfc
from shop.web.schemas import ApiModel, MoneySchema, WholeNumber

REVIEW_MAX_LENGTH = 4_000


def _compose_storable(value: str) -> str:
    if "\x00" in value:  # PostgreSQL's text cannot store it
        raise ValueError("must not contain a NUL character")
    return to_nfc(value)


def _not_blank(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise ValueError("must not be blank")
    return stripped


StorableText = Annotated[str, AfterValidator(_compose_storable), Field(json_schema_extra={"pattern": r"^[^\x00]*$"})]
"""Text of a person; it may be empty."""
NonBlankText = Annotated[
    str,
    AfterValidator(_compose_storable),
    AfterValidator(_not_blank),
    Field(min_length=1, json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"}),
]
"""Text of a person that is not blank."""
OneLineText = Annotated[NonBlankText, AfterValidator(normalise_line), AfterValidator(_not_blank)]
"""A name on one line."""


class NamedLink(ApiModel):
    """A name and its URL."""

    name: str
    url: str


class SearchHighlight(ApiModel):
    """The matches of a search as HTML; all text is escaped, and matches are in ``<mark>``."""

    title: str
    description: str


class ProductCard(ApiModel):
    """A product in a list."""

    slug: str
    title: str
    brand: str
    price: MoneySchema
    rating: float = Field(description="Mean of its ratings, 0 without ratings.")
    rating_count: int
    picture: str = Field(description="Path of an SVG.")
    in_stock: bool = Field(description="At the time of the cached response; the stock call returns the live value.")
    url: str
    highlight: SearchHighlight | None = Field(default=None, description="Only in the results of a search.")


class CategoryRef(ApiModel):
    """A reference to a category."""

    slug: str
    name: str
    url: str


class CategoryNode(CategoryRef):
    """A category in the tree. A department counts the products of its categories."""

    picture: str
    products: int
    children: list["CategoryNode"] = Field(default_factory=list)


class CategoryTree(ApiModel):
    """All departments with their categories."""

    items: list[CategoryNode]


class ProductDetail(ProductCard):
    """One product with its description."""

    description: str
    category: CategoryRef
    created_at: datetime


class ProductRecord(ApiModel):
    """A product in its editable form: its stored fields, without the sums of its reviews.

    The ``ETag`` of the admin API is a digest of its bytes.
    """

    slug: str
    title: str
    brand: str
    category: CategoryRef
    description: str
    price: MoneySchema
    on_hand: int = Field(description="Pieces in stock, those reserved by checkouts included.")
    withdrawn: bool = Field(description="True if it is no longer sold.")
    picture: str = Field(description="Path of an SVG.")
    url: str
    created_at: datetime


class StarCount(ApiModel):
    """The number of reviews with a number of stars."""

    stars: int
    count: int


class RatingSummary(ApiModel):
    """The summary of a product's ratings."""

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
    """A page of reviews, the latest first."""

    items: list[ReviewDetail]
    next_cursor: str | None


class RelatedProducts(ApiModel):
    """Products that shoppers bought together with a product."""

    items: list[ProductCard]

    @property
    def related_slugs(self) -> list[str]:
        """Return the slugs of the shown products."""
        return [card.slug for card in self.items]


class StockLevel(ApiModel):
    """The number of pieces that can be bought now."""

    slug: str
    available: int


class ProductScreen(ApiModel):
    """All data of the product page."""

    product: ProductDetail
    breadcrumbs: list[NamedLink]
    rating: RatingSummary
    reviews: list[ReviewDetail]
    also_bought: list[ProductCard]

    @property
    def related_slugs(self) -> list[str]:
        """Return the slugs of the shown related products."""
        return [card.slug for card in self.also_bought]


class HomeScreen(ApiModel):
    """All data of the home page."""

    departments: list[CategoryNode]
    popular: list[ProductCard]
    new: list[ProductCard]


class PriceBand(ApiModel):
    """A range of prices in minor units, both ends included; without ``max`` it has no upper end."""

    min: int
    max: int | None
    count: int


class RatingFacet(ApiModel):
    """The number of products with at least this rating."""

    min: int
    count: int


class BrandFacet(ApiModel):
    """The number of products of a brand."""

    brand: str
    count: int


class ListFacets(ApiModel):
    """The facet counts of a list; each facet counts under all filters but its own."""

    total: int = Field(description="Products that meet all filters.")
    exact: bool = Field(description="False if the set was too large to count; the counts are then lower bounds.")
    price: list[PriceBand]
    rating: list[RatingFacet]
    brand: list[BrandFacet] = Field(description="The most frequent brands, and the chosen ones.")
    in_stock: int = Field(description="Number of them that can be bought now.")


class ProductListing(ApiModel):
    """One page of products."""

    items: list[ProductCard]
    next_cursor: str | None
    prev_cursor: str | None = None
    facets: ListFacets
    showing_results_for: str | None = Field(
        default=None, description="The corrected query, if the catalogue did not know a word of it."
    )


class CategoryScreen(ApiModel):
    """All data of the category page, with the first of its child categories."""

    category: CategoryRef
    breadcrumbs: list[NamedLink]
    children: list[CategoryRef]
    children_count: int
    listing: ProductListing


class NewReview(ApiModel):
    """The request to write a review."""

    rating: WholeNumber = Field(ge=1, le=5)
    body: NonBlankText = Field(max_length=REVIEW_MAX_LENGTH)


CategoryNode.model_rebuild()
