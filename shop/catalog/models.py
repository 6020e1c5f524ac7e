"""Tables of the catalogue."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    Text,
    TextClause,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from shop.database.engine import ModelBase

SEPARATORS = "-/._+"
"""Separate two words. PostgreSQL would parse `salt/pepper` as a file, `node.js` as a host and `24-7` as 24 and -7."""

ENGLISH = "english_unaccented"
"""The text search configuration of texts and queries: English stems of words without accents."""
PLAIN = "simple_unaccented"
"""The configuration of the words of the spelling correction: lower case, without accents, without stemming."""


def _searched(column: str) -> str:
    return f"to_tsvector('{ENGLISH}', translate({column}, '{SEPARATORS}', '{' ' * len(SEPARATORS)}'))"


_HYPHENATED = r"regexp_replace(title, '(^|\s)[^-\s]+(?=\s|$)', ' ', 'g')"
"""Leaves the words of a title with a hyphen; a search also finds them without the hyphen."""
SEARCH_EXPRESSION = (
    f"setweight({_searched('title')} || to_tsvector('{ENGLISH}', replace({_HYPHENATED}, '-', '')), 'A')"
    f" || setweight({_searched('brand')}, 'B')"
    f" || setweight({_searched('description')}, 'C')"
)
RATING_EXPRESSION = "CASE WHEN rating_count = 0 THEN 0 ELSE round(rating_sum::numeric / rating_count, 2) END"
MAX_PRICE = 100_000_000
"""A million euros, in cents; a higher price is a typing error."""
SITEMAP_PART = 10_000
"""Ids in one part of the sitemap, about a megabyte; an index has the latest change of each part."""
IS_OFFERED = text("withdrawn_at IS NULL")
"""The indexes of lists contain only these rows, so a list of products on sale reads only its index."""


def _list_index(name: str, *columns: str | TextClause) -> Index:
    return Index(f"ix_products_{name}", *columns, postgresql_where=IS_OFFERED)


class Category(ModelBase):
    """A category. There are two levels: departments, and the categories in them, which contain the products."""

    __tablename__ = "categories"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug_shape"),
        CheckConstraint("parent_id <> id", name="not_its_own_parent"),
        CheckConstraint("name IS NFC NORMALIZED", name="name_composed"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str] = mapped_column(Text)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"), index=True)
    position: Mapped[int] = mapped_column(server_default=text("0"))
    picture: Mapped[str] = mapped_column(Text, server_default=text("'parcel'"))
    """The motif of its products' pictures; see ``shop.catalog.pictures.drawing``."""


class Product(ModelBase):
    """A product for sale."""

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug_shape"),
        CheckConstraint(f"price_amount BETWEEN 1 AND {MAX_PRICE}", name="price_in_range"),
        CheckConstraint("currency = 'EUR'", name="currency_known"),
        CheckConstraint("title IS NFC NORMALIZED AND brand IS NFC NORMALIZED", name="text_composed"),
        CheckConstraint(
            "rating_count >= 0 AND rating_sum BETWEEN rating_count AND rating_count * 5", name="rating_in_range"
        ),
        _list_index("category_popularity", "category_id", text("popularity DESC"), "id"),
        _list_index("category_price", "category_id", "price_amount", "id"),
        _list_index("category_rating", "category_id", text("rating DESC"), "id"),
        _list_index("category_created_at", "category_id", text("created_at DESC"), "id"),
        _list_index("brand_category", "brand", "category_id"),
        _list_index("popularity", text("popularity DESC"), "id"),
        Index("ix_products_withdrawn_at", "withdrawn_at", postgresql_where=text("withdrawn_at IS NOT NULL")),
        Index("ix_products_search", "search", postgresql_using="gin"),
        Index("ix_products_part_updated_at", text(f"((id - 1) / {SITEMAP_PART})"), text("updated_at DESC")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(Text, unique=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))
    title: Mapped[str] = mapped_column(Text)
    brand: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    price_amount: Mapped[int] = mapped_column()
    currency: Mapped[str] = mapped_column(Text, server_default=text("'EUR'"))
    popularity: Mapped[int] = mapped_column(server_default=text("0"))
    """Pieces ever sold, at the last count; it sorts lists. A live count would update a hot row at each sale."""
    rating_count: Mapped[int] = mapped_column(server_default=text("0"))
    rating_sum: Mapped[int] = mapped_column(server_default=text("0"))
    rating: Mapped[Decimal] = mapped_column(Numeric(3, 2), Computed(RATING_EXPRESSION, persisted=True))
    search: Mapped[str] = mapped_column(TSVECTOR, Computed(SEARCH_EXPRESSION, persisted=True), deferred=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """The time of the last change of its page's content, except the stock; a trigger updates it."""
    withdrawn_at: Mapped[datetime | None] = mapped_column()
    """The time of its withdrawal; ``NULL`` while it is on sale. Its orders, reviews and stock stay."""


OFFERED = Product.withdrawn_at.is_(None)
"""The condition of every list, search and count: the product is on sale."""


class FormerSlug(ModelBase):
    """A former slug of a product. It redirects to the product permanently.

    A trigger refuses it to every other product.
    """

    __tablename__ = "former_slugs"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    renamed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StockItem(ModelBase):
    """The pieces of a product in stock, and the pieces of them that running checkouts have reserved."""

    __tablename__ = "stock_items"
    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand_not_negative"),
        CheckConstraint("reserved BETWEEN 0 AND on_hand", name="reserved_within_on_hand"),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default=text("0"))
    reserved: Mapped[int] = mapped_column(server_default=text("0"))
    received: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """All pieces ever received, less the missing ones: ``on_hand`` plus all pieces ever sold.

    A stock count changes it and a sale does not, so the auditor can compute the expected ``on_hand``."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Review(ModelBase):
    """The review of a product by an account. It keeps the author's name at the time of writing."""

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating_in_range"),
        Index("uq_reviews_product_id_user_id", "product_id", "user_id", unique=True),
        Index("ix_reviews_product_latest", "product_id", text("created_at DESC"), text("id DESC")),
        Index("ix_reviews_product_rating", "product_id", "rating"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    author: Mapped[str] = mapped_column(Text)
    rating: Mapped[int] = mapped_column()
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SearchWord(ModelBase):
    """A known word of the catalogue, without accents, for the spelling correction; rebuilt after bulk loads."""

    __tablename__ = "search_words"
    __table_args__ = (
        Index("ix_search_words_trigrams", "word", postgresql_using="gin", postgresql_ops={"word": "gin_trgm_ops"}),
    )

    word: Mapped[str] = mapped_column(Text, primary_key=True)
    products: Mapped[int] = mapped_column()
