"""One page of a list of products, found by index however long the list is.

A list without a search merges one index range a category, so a department, or the whole store, costs a few rows of
each of its categories and never a sort of them all. A page beyond a cursor is the rows that tie with it and come
later, then the rows beyond: two ranges of the same index, where one condition with ``OR`` would read every tie.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Subquery,
    and_,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shop.catalog.cards import COLUMNS, AnyRow, AnySelect, joined
from shop.catalog.listing import cursors
from shop.catalog.listing.cursors import PageCursor
from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.sorting import SortOrder
from shop.catalog.models import OFFERED, Product, StockItem


@dataclass(frozen=True, slots=True)
class ListPage:
    """Rows of :data:`cards.COLUMNS` in order, and the cursors of the pages beside them."""

    rows: Sequence[AnyRow]
    next_cursor: str | None
    prev_cursor: str | None


def category_page(
    session: Session,
    category_ids: Sequence[int],
    filters: ListFilters,
    order: SortOrder,
    cursor: PageCursor | None,
    limit: int,
) -> ListPage:
    """Return a page of the products that stand in some categories; one query."""
    shelf = func.unnest(literal(list(category_ids), ARRAY(BigInteger))).table_valued("id").render_derived("shelf")
    column = order.column
    assert column is not None, "relevance has no column"  # noqa: S101 - a search has its own page
    within = and_(Product.category_id == shelf.c.id, OFFERED, *filters.conditions().values())
    ranges = [
        _with_stock(select(Product.id, column.label("key")), filters)
        .where(within, beyond)
        .order_by(*_ordering(order, column, Product.id.expression, cursor))
        .limit(limit + 1)
        .correlate(shelf)
        for beyond in _beyond(order, column, Product.id.expression, cursor)
    ]
    found = (union_all(*ranges) if len(ranges) > 1 else ranges[0]).lateral("found")
    picked = select(found.c.id, found.c.key).select_from(shelf.join(found, true()))
    return fetch(session, picked, found, order, cursor, limit, ())


def search_page(
    session: Session,
    matches: FromClause,
    filters: ListFilters,
    order: SortOrder,
    cursor: PageCursor | None,
    limit: int,
    extra: Sequence[ColumnElement[Any]],
) -> ListPage:
    """Return a page of a search's matches; one query.

    Args:
        session: reads.
        matches: id and score of each match.
        filters: what narrows them.
        order: of the page.
        cursor: where it begins.
        limit: products on it.
        extra: further columns of each row, such as highlights.
    """
    column = matches.c.score if order.column is None else order.column
    ranges = [
        _with_stock(select(Product.id, column.label("key")).join(matches, matches.c.id == Product.id), filters)
        .where(*filters.conditions().values(), beyond)
        .order_by(*_ordering(order, column, Product.id.expression, cursor))
        .limit(limit + 1)
        for beyond in _beyond(order, column, Product.id.expression, cursor)
    ]
    found = (union_all(*ranges) if len(ranges) > 1 else ranges[0]).subquery("found")
    return fetch(session, select(found.c.id, found.c.key), found, order, cursor, limit, extra)


def fetch(
    session: Session,
    picked: AnySelect,
    found: FromClause,
    order: SortOrder,
    cursor: PageCursor | None,
    limit: int,
    extra: Sequence[ColumnElement[Any]],
) -> ListPage:
    """Read the cards of the first ``limit`` picked ids, and whether there are more."""
    page: Subquery = picked.order_by(*_ordering(order, found.c.key, found.c.id, cursor)).limit(limit + 1).subquery()
    statement = joined(select(*COLUMNS, page.c.key, *extra).join(page, page.c.id == Product.id))
    rows = list(session.execute(statement.order_by(*_ordering(order, page.c.key, page.c.id, cursor))))
    return slice_page(rows, order, cursor, limit)


def slice_page(rows: Sequence[AnyRow], order: SortOrder, cursor: PageCursor | None, limit: int) -> ListPage:
    """Turn up to ``limit`` + 1 rows, read away from the cursor, into a page in the order shown."""
    backward = cursor is not None and cursor.backward
    more, kept = len(rows) > limit, list(rows[:limit])
    if backward:
        kept.reverse()
    if not kept:
        return ListPage((), None, None)
    before, after = (more, True) if backward else (cursor is not None, more)
    return ListPage(
        kept,
        _place(kept[-1], order, backward=False) if after else None,
        _place(kept[0], order, backward=True) if before else None,
    )


def _place(row: AnyRow, order: SortOrder, *, backward: bool) -> str:
    return cursors.encode(PageCursor(order.name, order.to_key(row.key), row.id, backward))


def _with_stock(statement: AnySelect, filters: ListFilters) -> AnySelect:
    return statement.join(StockItem, StockItem.product_id == Product.id) if filters.in_stock else statement


def _ordering(
    order: SortOrder, key: ColumnElement[Any], number: ColumnElement[Any], cursor: PageCursor | None
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    backward = cursor is not None and cursor.backward
    return (
        key.desc() if order.descending != backward else key.asc(),
        number.desc() if order.id_descending != backward else number.asc(),
    )


def _beyond(
    order: SortOrder, key: ColumnElement[Any], number: ColumnElement[Any], cursor: PageCursor | None
) -> list[ColumnElement[bool]]:
    """Return the ranges beyond a cursor: its later ties, then everything past them."""
    if cursor is None:
        return [true()]
    value = order.from_key(cursor.key)
    past = key < value if order.descending != cursor.backward else key > value
    later = number < cursor.id if order.id_descending != cursor.backward else number > cursor.id
    return [and_(key == value, later), past]
