"""The requests of the catalogue's API: paths, query strings and bodies."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictBool, model_validator

from shop.catalog.adding import NewProduct
from shop.catalog.editing import ProductChange
from shop.catalog.listing import cursors, search
from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.product_lister import DEFAULT_LIMIT, MAX_LIMIT, ListQuery
from shop.catalog.models import MAX_PRICE
from shop.catalog.schemas import NonBlankText, OneLineText, StorableText
from shop.catalog.service import REVIEWS_PER_PAGE
from shop.catalog.slugs import MAX_LENGTH, SLUG_PATTERN, is_slug, slugify
from shop.errors import InvalidFields
from shop.money import CURRENCY
from shop.web.schemas import ApiModel, MoneySchema, WholeNumber

MAX_STOCK = 1_000_000
UNBRANDED = "Unbranded"
RESERVED_SLUGS = frozenset({"new"})
"""Slugs that would collide with a page under `/admin/products`."""
BRAND_LENGTH = 100
BRANDS_AT_ONCE = 20
Sort = Literal["popularity", "price_asc", "price_desc", "rating", "newest", "relevance"]


class ProductPath(BaseModel):
    """The path of a product."""

    slug: str = Field(description="The product's name in its URL.")


class EmptyIsAbsent(ApiModel):
    """A query string; an empty field means the same as an absent one."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        return {name: value for name, value in data.items() if value != ""} if isinstance(data, dict) else data


class ProductsQuery(EmptyIsAbsent):
    """The query of a list. Prices are whole minor units, both ends included."""

    category: str | None = Field(default=None, description="Slug of a category or department.")
    q: str = Field(default="", max_length=search.MAX_LENGTH, description="Words to search for.")
    min_price: int | None = Field(default=None, ge=0, le=MAX_PRICE, description="Minor units (cents).")
    max_price: int | None = Field(default=None, ge=0, le=MAX_PRICE, description="Minor units (cents).")
    min_rating: int | None = Field(default=None, ge=1, le=5, description="At least this number of stars.")
    in_stock: bool = Field(default=False, description="Only products in stock.")
    brand: list[str] = Field(default_factory=list, max_length=BRANDS_AT_ONCE, description="Any of these brands.")
    sort: Sort | None = Field(
        default=None, description="By default relevance for a search, popularity otherwise. Relevance needs a search."
    )
    cursor: str | None = Field(
        default=None, max_length=cursors.MAX_LENGTH, description="`next_cursor` or `prev_cursor` of an earlier page."
    )
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Products on a page.")

    def to_list_query(self) -> ListQuery:
        """Return the query for the catalogue service."""
        return ListQuery(
            category=self.category,
            q=self.q,
            filters=ListFilters(
                min_price=self.min_price,
                max_price=self.max_price,
                min_rating=self.min_rating,
                brands=tuple(search.normalise(brand[:BRAND_LENGTH]) for brand in self.brand if brand),
                in_stock=self.in_stock,
            ),
            sort=self.sort,
            cursor=self.cursor,
            limit=self.limit,
        )


class WriteCondition(ApiModel):
    """The condition of a write."""

    model_config = {"extra": "ignore"}

    if_match: str | None = Field(
        default=None,
        alias="If-Match",
        description="The `ETag` of the response on which the change is based, several of them, or `*`."
        " If the product's `ETag` is another one now, nothing is changed and the response is 412.",
    )


class ReviewsQuery(EmptyIsAbsent):
    """The query of a page of reviews."""

    cursor: str | None = Field(default=None, max_length=cursors.MAX_LENGTH)
    limit: int = Field(default=REVIEWS_PER_PAGE, ge=1, le=MAX_LIMIT)


def _usable_slug(slug: str) -> str:
    if not is_slug(slug):
        raise ValueError("lower-case letters, digits and single hyphens, such as blue-mug")
    if slug in RESERVED_SLUGS:
        raise ValueError(f"{slug} is the name of a page: choose another name")
    return slug


Slug = Annotated[
    str, Field(max_length=MAX_LENGTH, json_schema_extra={"pattern": f"^{SLUG_PATTERN}$"}), AfterValidator(_usable_slug)
]
"""A valid slug of a product."""


class ProductEdit(ApiModel):
    """A change of a product; an absent or null field keeps its value."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": {"minProperties": 1, "examples": [{"price": {"amount": 1499, "currency": CURRENCY}}]}
    }

    price: MoneySchema | None = Field(default=None, description=f"Between 1 and {MAX_PRICE} cents.")
    title: OneLineText | None = Field(default=None, max_length=200)
    description: NonBlankText | None = Field(default=None, max_length=10_000)
    on_hand: WholeNumber | None = Field(
        default=None, ge=0, le=MAX_STOCK, description="Pieces in stock, those reserved by checkouts included."
    )
    slug: Slug | None = Field(default=None, description="A new name in the URL. The former name redirects to it (301).")
    withdrawn: StrictBool | None = Field(
        default=None, description="`true`: no longer sold, its URLs respond with 410. `false`: sold again."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> "ProductEdit":
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self

    def to_change(self) -> ProductChange:
        """Return the change for the catalogue service.

        Raises:
            InvalidFields: the price is out of range, or in another currency.
        """
        return ProductChange(
            price=None if self.price is None else minor_amount(self.price),
            title=self.title,
            description=self.description,
            on_hand=self.on_hand,
            slug=self.slug,
            withdrawn=self.withdrawn,
        )


class ProductAddition(ApiModel):
    """A new product."""

    title: OneLineText = Field(max_length=200)
    category: str = Field(description="Slug of its category; not of a department.", max_length=MAX_LENGTH)
    price: MoneySchema = Field(description=f"Between 1 and {MAX_PRICE} cents.")
    brand: OneLineText = Field(default=UNBRANDED, max_length=60)
    description: StorableText = Field(default="", max_length=10_000)
    on_hand: WholeNumber = Field(default=0, ge=0, le=MAX_STOCK, description="Pieces in stock.")
    slug: Slug | None = Field(default=None, description="Its name in the URL; generated from the title by default.")

    def to_new_product(self) -> NewProduct:
        """Return the new product for the catalogue service.

        Raises:
            InvalidFields: the price is out of range or in another currency, or the title gives no slug.
        """
        slug = self.slug or slugify(self.title)
        if not slug or slug in RESERVED_SLUGS:
            raise InvalidFields("No slug can be generated from this title.", errors={"slug": "enter a slug"})
        return NewProduct(
            slug=slug,
            title=self.title,
            brand=self.brand,
            category=self.category,
            description=self.description.strip(),
            price=minor_amount(self.price),
            on_hand=self.on_hand,
        )


def minor_amount(price: MoneySchema) -> int:
    """Return a price in minor units.

    Raises:
        InvalidFields: the price is out of range, or in another currency.
    """
    if price.currency != CURRENCY:
        raise InvalidFields(f"Prices are in {CURRENCY}.", errors={"price.currency": f"must be {CURRENCY}"})
    if not 1 <= price.amount <= MAX_PRICE:
        raise InvalidFields("The price is out of range.", errors={"price.amount": f"between 1 and {MAX_PRICE} cents"})
    return price.amount
