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
"""Between two words; PostgreSQL takes `salt/pepper` for a file, `node.js` for a host and the end of `24-7` for -7."""

ENGLISH = "english_unaccented"
"""The text search configuration of texts and queries: English stems of words without their accents."""
PLAIN = "simple_unaccented"
"""The configuration of the words that typing errors are mended against: lower case, without accents, not stemmed."""


def _searched(column: str) -> str:
    return f"to_tsvector('{ENGLISH}', translate({column}, '{SEPARATORS}', '{' ' * len(SEPARATORS)}'))"


_HYPHENATED = r"regexp_replace(title, '(^|\s)[^-\s]+(?=\s|$)', ' ', 'g')"
"""The words of a title that have a hyphen: these are found without it, too."""
SEARCH_EXPRESSION = (
    f"setweight({_searched('title')} || to_tsvector('{ENGLISH}', replace({_HYPHENATED}, '-', '')), 'A')"
    f" || setweight({_searched('brand')}, 'B')"
    f" || setweight({_searched('description')}, 'C')"
)
RATING_EXPRESSION = "CASE WHEN rating_count = 0 THEN 0 ELSE round(rating_sum::numeric / rating_count, 2) END"
MAX_PRICE = 100_000_000
"""A million euros, in cents: beyond it, somebody mistyped."""
SITEMAP_PART = 10_000
"""Ids that one part of the sitemap covers, about a megabyte; an index tells the latest change of each part."""
IS_OFFERED = text("withdrawn_at IS NULL")
"""The lists' indexes hold these rows alone, so a list that asks for them still reads nothing but its index."""


def _list_index(name: str, *columns: str | TextClause) -> Index:
    return Index(f"ix_products_{name}", *columns, postgresql_where=IS_OFFERED)


class Category(ModelBase):
    """A shelf. Two levels: departments, and the categories in them that products stand in."""

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
    """The motif its products' pictures are drawn with; see ``shop.catalog.pictures.drawing``."""


class Product(ModelBase):
    """One thing for sale."""

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
    """Pieces ever sold, as last counted; sorts lists. Not kept live: it would be one hot row a sale."""
    rating_count: Mapped[int] = mapped_column(server_default=text("0"))
    rating_sum: Mapped[int] = mapped_column(server_default=text("0"))
    rating: Mapped[Decimal] = mapped_column(Numeric(3, 2), Computed(RATING_EXPRESSION, persisted=True))
    search: Mapped[str] = mapped_column(TSVECTOR, Computed(SEARCH_EXPRESSION, persisted=True), deferred=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When what its page shows last changed, stock apart; a trigger keeps it."""
    withdrawn_at: Mapped[datetime | None] = mapped_column()
    """Since when it is no longer sold; ``NULL`` for what is. Orders, reviews and stock stay with it."""


OFFERED = Product.withdrawn_at.is_(None)
"""The condition of every list, search and count: what is sold."""


class FormerSlug(ModelBase):
    """A name a product had in addresses. It leads to the product for good, and is never another one's.

    A trigger refuses it to every other product.
    """

    __tablename__ = "former_slugs"

    slug: Mapped[str] = mapped_column(Text, primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), index=True)
    renamed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StockItem(ModelBase):
    """How many pieces there are, and how many of them are promised to a checkout under way."""

    __tablename__ = "stock_items"
    __table_args__ = (
        CheckConstraint("on_hand >= 0", name="on_hand_not_negative"),
        CheckConstraint("reserved BETWEEN 0 AND on_hand", name="reserved_within_on_hand"),
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"), primary_key=True)
    on_hand: Mapped[int] = mapped_column(server_default=text("0"))
    reserved: Mapped[int] = mapped_column(server_default=text("0"))
    received: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Pieces ever put on the shelf, less those counted as missing: ``on_hand`` and all that was ever sold.

    Counting changes it and no sale does, so an auditor can work out what ``on_hand`` should be."""
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Review(ModelBase):
    """What one account thinks of one product. The author's name is kept as it was when it was written."""

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
    """A word that occurs in the catalogue, without accents, to mend typing errors against; rebuilt after bulk loads."""

    __tablename__ = "search_words"
    __table_args__ = (
        Index("ix_search_words_trigrams", "word", postgresql_using="gin", postgresql_ops={"word": "gin_trgm_ops"}),
    )

    word: Mapped[str] = mapped_column(Text, primary_key=True)
    products: Mapped[int] = mapped_column()
