"""Lists of products: the query of a list, and the lister that returns its page with facets."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.catalog.cards import AnyRow, build_card
from shop.catalog.categories import tree
from shop.catalog.listing import cursors, facets, keyset_pagination, search
from shop.catalog.listing.cursors import PageCursor
from shop.catalog.listing.filters import ListFilters
from shop.catalog.listing.sorting import ORDERS, POPULARITY, RELEVANCE, SortOrder
from shop.catalog.models import OFFERED, Product
from shop.catalog.schemas import ListFacets, ProductCard, ProductListing, SearchHighlight
from shop.errors import InvalidFields

DEFAULT_LIMIT = 24
MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list of products.

    Args:
        category: slug of a category; all products by default.
        q: words to search for, as typed; no search if empty.
        filters: conditions that narrow the list.
        sort: one of :data:`sorting.ORDERS`; by default relevance for a search, popularity otherwise.
        cursor: the start of the page; the first page by default.
        limit: products on a page.
    """

    category: str | None = None
    q: str = ""
    filters: ListFilters = field(default_factory=ListFilters)
    sort: str | None = None
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT

    @property
    def order(self) -> SortOrder:
        """Return the order of the list.

        Raises:
            InvalidFields: the sort order does not exist, or it needs a search.
        """
        name = self.sort or (RELEVANCE if self.q else POPULARITY)
        order = ORDERS.get(name)
        if order is None:
            raise InvalidFields(f"A list has no order {name!r}.", errors={"sort": f"one of {', '.join(ORDERS)}"})
        if order.column is None and not self.q:
            raise InvalidFields("Only a search can be sorted by relevance.", errors={"sort": "takes a search"})
        return order

    @property
    def cursor_position(self) -> PageCursor | None:
        """Return the start of the page; ``None`` for the first page.

        Raises:
            InvalidFields: the cursor does not belong to this list.
        """
        return None if self.cursor is None else cursors.decode(self.cursor, self.order.name, self.order.is_valid_key)

    @property
    def is_cacheable(self) -> bool:
        """Tell whether this is the first page of a whole category in some order: few such pages, often requested."""
        return self == ListQuery(category=self.category, sort=self.sort)

    @property
    def has_free_input(self) -> bool:
        """Tell whether the query has typed words or prices; the number of such queries is unbounded."""
        return bool(self.q) or not facets.has_band_prices(self.filters)

    def normalised(self) -> "ListQuery":
        """Return the same query with normalised words, and without filters that exclude nothing."""
        return replace(self, q=search.normalise(self.q), filters=self.filters.normalised())


class ProductLister:
    """Lists products.

    Args:
        facet_depth: the most products whose facets are counted.
    """

    def __init__(self, facet_depth: int = facets.DEPTH) -> None:
        self._facet_depth = facet_depth

    def listing(self, session: Session, list_query: ListQuery) -> ProductListing:
        """Return one page of a list with its facets; 3 queries, up to 6 for a search with corrected spelling.

        Raises:
            NotFound: there is no such category.
            InvalidFields: the sort order or the cursor does not fit the list.
        """
        order, cursor, filters = list_query.order, list_query.cursor_position, list_query.filters
        hierarchy = tree.load(session)
        category_ids = hierarchy.descendant_ids(hierarchy.get(list_query.category) if list_query.category else None)
        if list_query.q:
            return self._search(session, category_ids, list_query, order, cursor)
        page = keyset_pagination.category_page(session, category_ids, filters, order, cursor, list_query.limit)
        products = (
            select(Product.id)
            .where(Product.category_id.in_(category_ids), OFFERED)
            .order_by(Product.popularity.desc(), Product.id)
        )
        counted, _ = facets.count_facets(session, products, filters, self._facet_depth)
        return _listing(page, counted)

    def top(self, session: Session, category_ids: Sequence[int], sort: str, limit: int) -> list[ProductCard]:
        """Return the first products of some categories in an order; one query."""
        page = keyset_pagination.category_page(session, category_ids, ListFilters(), ORDERS[sort], None, limit)
        return [build_card(row) for row in page.rows]

    def _search(
        self,
        session: Session,
        category_ids: Sequence[int],
        list_query: ListQuery,
        order: SortOrder,
        cursor: PageCursor | None,
    ) -> ProductListing:
        text, correction = list_query.q, None
        counted, total = self._count_matches(session, text, category_ids, list_query.filters)
        if not total and (corrected := search.correct_spelling(session, text)) != text:
            corrected_facets, total = self._count_matches(session, corrected, category_ids, list_query.filters)
            if total:  # otherwise the catalogue knows the words, but no product has all of them
                text, counted, correction = corrected, corrected_facets, corrected
        page = keyset_pagination.search_page(
            session,
            search.ranked_matches(text, category_ids),
            list_query.filters,
            order,
            cursor,
            list_query.limit,
            search.highlights(text),
        )
        return _listing(page, counted, correction)

    def _count_matches(
        self, session: Session, text: str, category_ids: Sequence[int], filters: ListFilters
    ) -> tuple[ListFacets, int]:
        return facets.count_facets(session, search.matching_ids(text, category_ids), filters, search.DEPTH)


def _listing(
    page: keyset_pagination.KeysetPage, counted: ListFacets, showing_results_for: str | None = None
) -> ProductListing:
    return ProductListing(
        items=[_highlighted_card(row) for row in page.rows],
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
        # The counts of a long list are lower bounds, and so is the number of products on its page.
        facets=counted.model_copy(update={"total": max(counted.total, len(page.rows))}),
        showing_results_for=showing_results_for,
    )


def _highlighted_card(row: AnyRow) -> ProductCard:
    card = build_card(row)
    if not hasattr(row, "title_marked"):
        return card
    highlight = SearchHighlight(
        title=search.highlight_html(row.title_marked), description=search.highlight_html(row.description_marked)
    )
    return card.model_copy(update={"highlight": highlight})
