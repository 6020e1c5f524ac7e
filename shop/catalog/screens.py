"""Screens: all that one page needs, in one answer.

Problem: a page that asks for its product, its ratings, its reviews and what was bought with it makes a call for each,
and a phone pays the way to the store and back every time.
Method: one call a screen (a composite API, "backend for frontend"). Each screen is a fixed number of queries, however
much there is of anything, and is cached as the bytes it is sent as.
Switch: ``api.composite``; off, the product page asks for the parts one by one. Experiment: counted in
docs/patterns/composite-api.md.
Source: Newman, "Building Microservices", ch. 14, on backends for frontends; Netflix's API redesign (2012).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shop.catalog import cards, products
from shop.catalog.categories import tree as shelves
from shop.catalog.listing.product_lister import ListQuery, ProductLister
from shop.catalog.listing.sorting import NEWEST, POPULARITY
from shop.catalog.schemas import (
    CategoryScreen,
    CategoryTree,
    HomeScreen,
    NamedLink,
    ProductCard,
    ProductScreen,
    RelatedProducts,
)
from shop.database.transactions import Database

BoughtTogether = Callable[[Session, int, int], Sequence[int]]
"""Product id and how many are wanted, to the ids bought with it most often, the most frequent first."""

REVIEWS_SHOWN = 5
ALSO_BOUGHT_SHOWN = 6
ALSO_BOUGHT_ASKED = 50
"""Where some of the first are no longer sold."""
CHILDREN_SHOWN = 24
"""Categories a department's page shows; beyond, a page of its own lists them."""
HOME_POPULAR = 12
HOME_NEW = 8


@dataclass(frozen=True, slots=True)
class ScreenBuilder:
    """Builds screens from the database.

    Args:
        database: read from.
        browser: lists products.
        bought_together: what shoppers bought with a product; the orders know.
    """

    database: Database
    lister: ProductLister
    bought_together: BoughtTogether

    def product(self, slug: str) -> ProductScreen:
        """Build a product's screen; 6 queries.

        Raises:
            NotFound: there is no such product.
        """
        with self.database.reading() as session:
            found = products.find(session, slug)
            path = shelves.load(session).path(found.category_id)
            return ProductScreen(
                product=found.product,
                breadcrumbs=shelves.breadcrumbs(path, NamedLink(name=found.product.title, url=found.product.url)),
                rating=products.rating(session, found.id),
                reviews=products.reviews(session, found.id, REVIEWS_SHOWN).items,
                also_bought=self.also_bought(session, found.id),
            )

    def also_bought(self, session: Session, product_id: int) -> list[ProductCard]:
        """Return what shoppers bought with a product, never the product itself.

        2 queries, and 2 more where withdrawn products were among the first and there are others behind them.
        """
        found: list[ProductCard] = []
        for wanted in (ALSO_BOUGHT_SHOWN + 1, ALSO_BOUGHT_ASKED):
            ids = self.bought_together(session, product_id, wanted)
            found = cards.by_ids(session, [number for number in ids if number != product_id])[:ALSO_BOUGHT_SHOWN]
            if len(found) == ALSO_BOUGHT_SHOWN or len(ids) < wanted:
                break
        return found

    def category(self, browse: ListQuery) -> CategoryScreen:
        """Build a category's screen; 4 queries.

        Raises:
            NotFound: there is no such category.
        """
        with self.database.reading() as session:
            tree = shelves.load(session)
            shelf = tree.get(browse.category or "")
            path = tree.path(shelf.id)
            return CategoryScreen(
                category=shelf.ref,
                breadcrumbs=shelves.breadcrumbs(path),
                children=[child.ref for child in tree.children(shelf)[:CHILDREN_SHOWN]],
                children_count=len(tree.children(shelf)),
                listing=self.lister.listing(session, browse),
            )

    def home(self) -> HomeScreen:
        """Build the home screen; 4 queries."""
        with self.database.reading() as session:
            tree = shelves.load(session)
            everything = tree.within(None)
            return HomeScreen(
                departments=tree.nodes(shelves.counts(session)),
                popular=self.lister.top(session, everything, POPULARITY, HOME_POPULAR),
                new=self.lister.top(session, everything, NEWEST, HOME_NEW),
            )

    def popular(self, limit: int) -> RelatedProducts:
        """Return what sells best; 2 queries."""
        with self.database.reading() as session:
            everything = shelves.load(session).within(None)
            return RelatedProducts(items=self.lister.top(session, everything, POPULARITY, limit))

    def tree(self) -> CategoryTree:
        """Build the category tree; 2 queries."""
        with self.database.reading() as session:
            return CategoryTree(items=shelves.load(session).nodes(shelves.counts(session)))
