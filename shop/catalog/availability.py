"""Invalidation when a product sells out or becomes available again.

Problem: one sale in a thousand takes the last piece. Then every list with the product is wrong: its category and
department, the home page, searches, and the count of the filter "in stock".
Method: a change of stock that crosses zero invalidates the same tags as a change of the product. No cached response
shows any other change of stock, so it costs nothing here: the number of pieces is always read live.
Measured: ``loadtests/benchmarks/last_piece.py``.
"""

from collections.abc import Collection
from itertools import groupby

from sqlalchemy import any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import BigInteger

from shop.catalog import tags
from shop.catalog.models import Category, Product

_chain = (
    select(Product.slug.label("product"), Category.slug.label("category"), Category.parent_id)
    .join(Category, Category.id == Product.category_id)
    .where(Product.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    .cte("chain", recursive=True)
)
_ancestors = select(_chain.c.product, Category.slug, Category.parent_id).join(_chain, Category.id == _chain.c.parent_id)
_CHAINS = select(_chain.union_all(_ancestors)).order_by("product")


def tags_of_availability(session: Session, product_ids: Collection[int]) -> list[str]:
    """Return the tags of all responses that show whether these products are available; one query."""
    rows = session.execute(_CHAINS, {"ids": list(product_ids)}).all()
    all_tags: dict[str, None] = {}
    for slug, categories in groupby(rows, key=lambda row: str(row.product)):
        all_tags |= dict.fromkeys(tags.of_change(slug, [row.category for row in categories]))
    return list(all_tags)
