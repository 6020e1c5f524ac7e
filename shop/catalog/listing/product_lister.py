"""Walking along the shelves: what a shopper may ask a list for, and the list that answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.catalog.cards import AnyRow, card
from shop.catalog.categories import tree as shelves
from shop.catalog.listing import cursors, facets, search
from shop.catalog.listing import query as listing
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
    """What a shopper asked a list for.

    Args:
        category: slug; everything if ``None``.
        q: words to search for, as typed; empty for none.
        filters: what narrows the list.
        sort: one of :data:`sorting.ORDERS`; by default relevance for a search, popularity otherwise.
        cursor: where the page begins; the beginning by default.
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
            InvalidFields: there is no such order, or it takes a search.
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
        """Return where the page begins.

        Raises:
            InvalidFields: the cursor is not one of this list.
        """
        return None if self.cursor is None else cursors.decode(self.cursor, self.order.name, self.order.fits)

    @property
    def is_cacheable(self) -> bool:
        """Tell whether this is the first page of a whole category in some order: one of few, asked for often."""
        return self == ListQuery(category=self.category, sort=self.sort)

    @property
    def has_free_input(self) -> bool:
        """Tell whether it holds words or prices that nobody offered: of those there is no end."""
        return bool(self.q) or not facets.is_offered(self.filters)

    def normalised(self) -> "ListQuery":
        """Return the same question with its words tidied, and without filters that leave everything."""
        return replace(self, q=search.normalise(self.q), filters=self.filters.normalised())


class ProductLister:
    """Lists products.

    Args:
        facet_depth: products whose facets are counted at most.
    """

    def __init__(self, facet_depth: int = facets.DEPTH) -> None:
        self._facet_depth = facet_depth

    def listing(self, session: Session, browse: ListQuery) -> ProductListing:
        """Answer one page of a list, with its facets; 3 queries, up to 6 where words are mended.

        Raises:
            NotFound: there is no such category.
            InvalidFields: the order or the cursor does not fit the list.
        """
        order, place = browse.order, browse.cursor_position
        tree = shelves.load(session)
        ids = tree.within(tree.get(browse.category) if browse.category else None)
        if browse.q:
            return self._search(session, ids, browse, order, place)
        page = listing.category_page(session, ids, browse.filters, order, place, browse.limit)
        return _listing(page, self._facets(session, ids, browse.filters))

    def top(self, session: Session, category_ids: Sequence[int], sort: str, limit: int) -> list[ProductCard]:
        """Return the first products of some categories in an order; one query."""
        page = listing.category_page(session, category_ids, ListFilters(), ORDERS[sort], None, limit)
        return [card(row) for row in page.rows]

    def _facets(self, session: Session, category_ids: Sequence[int], filters: ListFilters) -> ListFacets:
        products = (
            select(Product.id)
            .where(Product.category_id.in_(category_ids), OFFERED)
            .order_by(Product.popularity.desc(), Product.id)
        )
        found, _ = facets.count(session, products, filters, self._facet_depth)
        return found

    def _search(
        self,
        session: Session,
        category_ids: Sequence[int],
        browse: ListQuery,
        order: SortOrder,
        place: PageCursor | None,
    ) -> ProductListing:
        text, mended = browse.q, None
        found, matched = self._matched(session, text, category_ids, browse.filters)
        if not matched and (better := search.correct_spelling(session, text)) != text:
            better_found, matched = self._matched(session, better, category_ids, browse.filters)
            if matched:  # else the words are known, and nothing has all of them
                text, found, mended = better, better_found, better
        matches, extra = search.matches(text, category_ids), search.highlights(text)
        page = listing.search_page(session, matches, browse.filters, order, place, browse.limit, extra)
        return _listing(page, found, mended)

    def _matched(
        self, session: Session, text: str, category_ids: Sequence[int], filters: ListFilters
    ) -> tuple[ListFacets, int]:
        return facets.count(session, search.ids(text, category_ids), filters, search.DEPTH)


def _listing(page: listing.ListPage, found: ListFacets, showing_results_for: str | None = None) -> ProductListing:
    return ProductListing(
        items=[_result(row) for row in page.rows],
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
        # counts of a list too long to count whole are lower bounds; what is shown is one too
        facets=found.model_copy(update={"total": max(found.total, len(page.rows))}),
        showing_results_for=showing_results_for,
    )


def _result(row: AnyRow) -> ProductCard:
    plain = card(row)
    if not hasattr(row, "title_marked"):
        return plain
    highlight = SearchHighlight(
        title=search.to_html(row.title_marked), description=search.to_html(row.description_marked)
    )
    return plain.model_copy(update={"highlight": highlight})
