"""Keyset pagination: one page of a list of products, read from an index, whatever the length of the list.

A list without a search merges one index range for each category. So a department, or the whole store, costs a few
rows of each of its categories and never a sort of all products. A page after a cursor consists of two ranges of the
same index: the later rows with the same sort key, then the rows with a later sort key. One condition with ``OR`` would
read every row with the same sort key. The cursors are in ``cursors.py``.
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

from shop.catalog.cards import CARD_COLUMNS, AnyRow, AnySelect, join_card_tables
from shop.catalog.listing import cursors
from shop.catalog.listing.cursors import PageCursor
from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.sorting import SortOrder
from shop.catalog.models import OFFERED, Product, StockItem


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """Rows of :data:`cards.CARD_COLUMNS` in order, and the cursors of the next and the previous page."""

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
) -> KeysetPage:
    """Return a page of the products of some categories; one query."""
    category = func.unnest(literal(list(category_ids), ARRAY(BigInteger))).table_valued("id").render_derived("shelf")
    column = order.column
    assert column is not None, "relevance has no column"  # noqa: S101 - a search has its own function
    within = and_(Product.category_id == category.c.id, OFFERED, *filters.conditions().values())
    ranges = [
        _with_stock(select(Product.id, column.label("key")), filters)
        .where(within, rows_after)
        .order_by(*_order_by(order, column, Product.id.expression, cursor))
        .limit(limit + 1)
        .correlate(category)
        for rows_after in _ranges_after(order, column, Product.id.expression, cursor)
    ]
    candidates = (union_all(*ranges) if len(ranges) > 1 else ranges[0]).lateral("candidates")
    selected = select(candidates.c.id, candidates.c.key).select_from(category.join(candidates, true()))
    return fetch_page(session, selected, candidates, order, cursor, limit, ())


def search_page(
    session: Session,
    matches: FromClause,
    filters: ListFilters,
    order: SortOrder,
    cursor: PageCursor | None,
    limit: int,
    extra_columns: Sequence[ColumnElement[Any]],
) -> KeysetPage:
    """Return a page of a search's matches; one query.

    Args:
        session: executes the query.
        matches: id and score of each match.
        filters: conditions that narrow the list.
        order: of the page.
        cursor: the start of the page; ``None`` for the first page.
        limit: the most products on the page.
        extra_columns: further columns of each row, such as highlights.
    """
    column = matches.c.score if order.column is None else order.column
    ranges = [
        _with_stock(select(Product.id, column.label("key")).join(matches, matches.c.id == Product.id), filters)
        .where(*filters.conditions().values(), rows_after)
        .order_by(*_order_by(order, column, Product.id.expression, cursor))
        .limit(limit + 1)
        for rows_after in _ranges_after(order, column, Product.id.expression, cursor)
    ]
    candidates = (union_all(*ranges) if len(ranges) > 1 else ranges[0]).subquery("candidates")
    return fetch_page(
        session, select(candidates.c.id, candidates.c.key), candidates, order, cursor, limit, extra_columns
    )


def fetch_page(
    session: Session,
    selected: AnySelect,
    candidates: FromClause,
    order: SortOrder,
    cursor: PageCursor | None,
    limit: int,
    extra_columns: Sequence[ColumnElement[Any]],
) -> KeysetPage:
    """Read the cards of the first ``limit`` selected ids, and whether further ids follow."""
    page: Subquery = (
        selected.order_by(*_order_by(order, candidates.c.key, candidates.c.id, cursor)).limit(limit + 1).subquery()
    )
    statement = join_card_tables(select(*CARD_COLUMNS, page.c.key, *extra_columns).join(page, page.c.id == Product.id))
    rows = list(session.execute(statement.order_by(*_order_by(order, page.c.key, page.c.id, cursor))))
    return slice_page(rows, order, cursor, limit)


def slice_page(rows: Sequence[AnyRow], order: SortOrder, cursor: PageCursor | None, limit: int) -> KeysetPage:
    """Make a page, in its displayed order, of up to ``limit`` + 1 rows that were read away from the cursor."""
    backward = cursor is not None and cursor.backward
    more, shown = len(rows) > limit, list(rows[:limit])
    if backward:
        shown.reverse()
    if not shown:
        return KeysetPage((), None, None)
    before, after = (more, True) if backward else (cursor is not None, more)
    return KeysetPage(
        shown,
        _row_cursor(shown[-1], order, backward=False) if after else None,
        _row_cursor(shown[0], order, backward=True) if before else None,
    )


def _row_cursor(row: AnyRow, order: SortOrder, *, backward: bool) -> str:
    return cursors.encode(PageCursor(order.name, order.to_key(row.key), row.id, backward))


def _with_stock(statement: AnySelect, filters: ListFilters) -> AnySelect:
    return statement.join(StockItem, StockItem.product_id == Product.id) if filters.in_stock else statement


def _order_by(
    order: SortOrder, key: ColumnElement[Any], number: ColumnElement[Any], cursor: PageCursor | None
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    backward = cursor is not None and cursor.backward
    return (
        key.desc() if order.descending != backward else key.asc(),
        number.desc() if order.id_descending != backward else number.asc(),
    )


def _ranges_after(
    order: SortOrder, key: ColumnElement[Any], number: ColumnElement[Any], cursor: PageCursor | None
) -> list[ColumnElement[bool]]:
    """Return the ranges after a cursor: later rows with the same sort key, then rows with a later sort key."""
    if cursor is None:
        return [true()]
    value = order.from_key(cursor.key)
    later_key = key < value if order.descending != cursor.backward else key > value
    later_id = number < cursor.id if order.id_descending != cursor.backward else number > cursor.id
    return [and_(key == value, later_id), later_key]
