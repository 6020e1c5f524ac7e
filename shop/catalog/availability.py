"""What ends when a product sells out or can be had again.

Problem: one sale in a thousand takes the last piece, and then every list that offers it is wrong: its category and
department, the home page, searches, and how many the filter "in stock" counts.
Method: a change of stock that crosses zero ends what a change of the product would end. One that does not is shown by
no answer that is kept, and costs nothing here: how many pieces there are is only ever asked live.
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

_places = (
    select(Product.slug.label("product"), Category.slug.label("category"), Category.parent_id)
    .join(Category, Category.id == Product.category_id)
    .where(Product.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    .cte("places", recursive=True)
)
_above = select(_places.c.product, Category.slug, Category.parent_id).join(_places, Category.id == _places.c.parent_id)
_PLACES = select(_places.union_all(_above)).order_by("product")


def tags_of_availability(session: Session, product_ids: Collection[int]) -> list[str]:
    """Return the tags of all that says whether some products can be had; one query."""
    rows = session.execute(_PLACES, {"ids": list(product_ids)}).all()
    found: dict[str, None] = {}
    for slug, places in groupby(rows, key=lambda row: str(row.product)):
        found |= dict.fromkeys(tags.of_change(slug, [place.category for place in places]))
    return list(found)
