"""What an administrator may change about a product."""

from dataclasses import dataclass

from sqlalchemy import and_, func, literal, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shop.catalog.models import Product, SearchWord, StockItem
from shop.catalog.spelling import LONGEST, SHORTEST
from shop.errors import Conflict


@dataclass(frozen=True, slots=True)
class Edit:
    """A change; what is ``None`` stays. Price in minor units, ``on_hand`` in pieces.

    ``counted_from`` is what ``on_hand`` was when the new number was decided on: the same number is then no change, and
    pieces sold meanwhile are not put back by it. ``None`` sets ``on_hand`` whatever it is.
    """

    price: int | None = None
    title: str | None = None
    description: str | None = None
    on_hand: int | None = None
    counted_from: int | None = None


def apply(session: Session, product_id: int, edit: Edit) -> None:
    """Change a product and its stock.

    Raises:
        Conflict: fewer pieces are said to be there than are promised to checkouts under way, or they were counted
            from a number that is no longer right.
    """
    values = {"price_amount": edit.price, "title": edit.title, "description": edit.description}
    changed = {name: value for name, value in values.items() if value is not None}
    if changed:
        session.execute(update(Product).where(Product.id == product_id).values(**changed))
    if edit.title is not None:
        learn_words(session, product_id)
    if edit.on_hand is not None and edit.on_hand != edit.counted_from:
        count_stock(session, product_id, edit.on_hand, edit.counted_from)


def count_stock(session: Session, product_id: int, on_hand: int, counted_from: int | None = None) -> None:
    """Set how many pieces there are.

    Raises:
        Conflict: more are promised than that, or there are no longer as many as it was counted from.
    """
    statement = insert(StockItem).values(product_id=product_id, on_hand=on_hand, received=on_hand)
    holds = StockItem.reserved <= on_hand
    if counted_from is not None:
        holds &= StockItem.on_hand == counted_from
    done = session.execute(
        statement.on_conflict_do_update(
            index_elements=["product_id"],
            set_={"on_hand": on_hand, "received": StockItem.received + on_hand - StockItem.on_hand},
            where=holds,
        ).returning(StockItem.product_id)
    )
    if done.one_or_none() is None:
        raise _miscounted(session, product_id, on_hand)


def _miscounted(session: Session, product_id: int, on_hand: int) -> Conflict:
    now, reserved = session.execute(
        select(StockItem.on_hand, StockItem.reserved).where(StockItem.product_id == product_id)
    ).one()
    if reserved > on_hand:
        return Conflict(
            f"{reserved} pieces are promised to checkouts under way: there must be at least as many.",
            errors={"on_hand": f"at least {reserved}"},
        )
    return Conflict(f"Some were sold or came back since you looked: there are {now} by now. Set it again.")


def learn_words(session: Session, product_id: int) -> None:
    """Let the spelling know the words of a product's title, so that a new one is not taken for a typing error."""
    named = func.to_tsvector(literal_column("'simple'::regconfig"), func.concat_ws(" ", Product.title, Product.brand))
    words = select(func.unnest(func.tsvector_to_array(named)).label("word")).where(Product.id == product_id).subquery()
    spelled = and_(func.length(words.c.word).between(SHORTEST, LONGEST), words.c.word.regexp_match("^[[:alpha:]]+$"))
    known = select(words.c.word, literal(1)).where(spelled)
    session.execute(insert(SearchWord).from_select(["word", "products"], known).on_conflict_do_nothing())
