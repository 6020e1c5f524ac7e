"""What the catalogue's calls take, as the API describes it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, StrictBool, model_validator

from shop.catalog.adding import NewProduct
from shop.catalog.editing import ProductChange
from shop.catalog.listing import cursors, search
from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.product_lister import DEFAULT_LIMIT, MAX_LIMIT, ListQuery
from shop.catalog.models import MAX_PRICE
from shop.catalog.schemas import Name, Storable, Words
from shop.catalog.service import REVIEWS_PER_PAGE
from shop.catalog.slugs import MAX_LENGTH, SHAPE, is_slug, slugify
from shop.errors import InvalidFields
from shop.money import CURRENCY
from shop.web.schemas import ApiModel, MoneySchema, WholeNumber

MAX_STOCK = 1_000_000
UNBRANDED = "Unbranded"
RESERVED = frozenset({"new"})
"""Names under `/admin/products` that are pages."""
BRAND_LENGTH = 100
BRANDS_AT_ONCE = 20
Sort = Literal["popularity", "price_asc", "price_desc", "rating", "newest", "relevance"]


class ProductPath(BaseModel):
    """Which product."""

    slug: str = Field(description="The product's name in addresses.")


class EmptyIsAbsent(ApiModel):
    """A query string in which ``name=`` means the same as no ``name``."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


class ProductsQuery(EmptyIsAbsent):
    """What a list is asked for. Prices are whole minor units, both ends included."""

    category: str | None = Field(default=None, description="Slug of a category or department.")
    q: str = Field(default="", max_length=search.MAX_LENGTH, description="Words to search for.")
    min_price: int | None = Field(default=None, ge=0, le=MAX_PRICE, description="Minor units (cents).")
    max_price: int | None = Field(default=None, ge=0, le=MAX_PRICE, description="Minor units (cents).")
    min_rating: int | None = Field(default=None, ge=1, le=5, description="Stars, at least.")
    in_stock: bool = Field(default=False, description="Only what can be bought now.")
    brand: list[str] = Field(default_factory=list, max_length=BRANDS_AT_ONCE, description="Any of these brands.")
    sort: Sort | None = Field(
        default=None, description="By default relevance for a search, popularity otherwise. Relevance takes a search."
    )
    cursor: str | None = Field(
        default=None, max_length=cursors.MAX_LENGTH, description="`next_cursor` or `prev_cursor` of an earlier answer."
    )
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Products on a page.")

    def to_list_query(self) -> ListQuery:
        """Return the question as the catalogue takes it."""
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
    """What a write may depend on."""

    model_config = {"extra": "ignore"}

    if_match: str | None = Field(
        default=None,
        alias="If-Match",
        description="The `ETag` of the answer the change was decided on, several of them, or `*`."
        " Where the product has another one by now, nothing is changed and the answer is 412.",
    )


class ReviewsQuery(EmptyIsAbsent):
    """Which page of reviews."""

    cursor: str | None = Field(default=None, max_length=cursors.MAX_LENGTH)
    limit: int = Field(default=REVIEWS_PER_PAGE, ge=1, le=MAX_LIMIT)


def _usable_slug(slug: str) -> str:
    if not is_slug(slug):
        raise ValueError("lower-case letters, digits and single hyphens, such as blue-mug")
    if slug in RESERVED:
        raise ValueError(f"{slug} is a page of its own: choose another name")
    return slug


Slug = Annotated[
    str, Field(max_length=MAX_LENGTH, json_schema_extra={"pattern": f"^{SHAPE}$"}), AfterValidator(_usable_slug)
]
"""A name for addresses."""


class ProductEdit(ApiModel):
    """A change of a product; what is left out, or null, stays."""

    model_config = ApiModel.model_config | {
        "json_schema_extra": {"minProperties": 1, "examples": [{"price": {"amount": 1499, "currency": CURRENCY}}]}
    }

    price: MoneySchema | None = Field(default=None, description=f"Between 1 and {MAX_PRICE} cents.")
    title: Name | None = Field(default=None, max_length=200)
    description: Words | None = Field(default=None, max_length=10_000)
    on_hand: WholeNumber | None = Field(
        default=None, ge=0, le=MAX_STOCK, description="Pieces on the shelf, those promised to checkouts included."
    )
    slug: Slug | None = Field(
        default=None, description="A new name in addresses. The one it had leads to it for good (301)."
    )
    withdrawn: StrictBool | None = Field(
        default=None, description="`true`: no longer sold, its addresses answer 410. `false`: sold again."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> "ProductEdit":
        if not self.model_fields_set:
            raise ValueError("name at least one field to change")
        return self

    def edit(self) -> ProductChange:
        """Return the change as the catalogue takes it.

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

    title: Name = Field(max_length=200)
    category: str = Field(description="Slug of the category it stands in; not of a department.", max_length=MAX_LENGTH)
    price: MoneySchema = Field(description=f"Between 1 and {MAX_PRICE} cents.")
    brand: Name = Field(default=UNBRANDED, max_length=60)
    description: Storable = Field(default="", max_length=10_000)
    on_hand: WholeNumber = Field(default=0, ge=0, le=MAX_STOCK, description="Pieces on the shelf.")
    slug: Slug | None = Field(default=None, description="Its name in addresses; made from the title by default.")

    def product(self) -> NewProduct:
        """Return the product as the catalogue takes it.

        Raises:
            InvalidFields: the price is out of range or in another currency, or no slug can be made from the title.
        """
        made = self.slug or slugify(self.title)
        if not made or made in RESERVED:
            raise InvalidFields("No name for addresses can be made from this title.", errors={"slug": "give one"})
        return NewProduct(
            slug=made,
            title=self.title,
            brand=self.brand,
            category=self.category,
            description=self.description.strip(),
            price=minor_amount(self.price),
            on_hand=self.on_hand,
        )


def minor_amount(price: MoneySchema) -> int:
    """Return a price as it is stored, in minor units.

    Raises:
        InvalidFields: it is out of range, or in another currency.
    """
    if price.currency != CURRENCY:
        raise InvalidFields(f"Prices are in {CURRENCY}.", errors={"price.currency": f"must be {CURRENCY}"})
    if not 1 <= price.amount <= MAX_PRICE:
        raise InvalidFields("That is no price.", errors={"price.amount": f"between 1 and {MAX_PRICE} cents"})
    return price.amount
