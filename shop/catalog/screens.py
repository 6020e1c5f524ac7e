"""Screens: all data of one page in one response.

Problem: a page that loads its product, its ratings, its reviews and its related products makes a call for each, and a
phone waits for a round trip each time.
Method: one call for a screen (a composite API, "backend for frontend"). The number of queries of a screen has a fixed
bound, whatever the amount of data, and its bytes are cached as they are sent.
Switch: ``api.composite``; off, the product page loads the parts one by one. Experiment:
``composite-api``.
Source: Newman, "Building Microservices", ch. 14, on backends for frontends; Netflix's API redesign (2012).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shop.catalog import cards, products
from shop.catalog.categories import tree
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
"""Takes a product id and a limit; returns the ids most often bought with the product, the most frequent first."""

REVIEWS_SHOWN = 5
ALSO_BOUGHT_SHOWN = 6
ALSO_BOUGHT_READ = 50
"""Ids to read when some of the first ones are no longer sold."""
CHILDREN_SHOWN = 24
"""Categories on a department's page; a page of its own lists all of them."""
HOME_POPULAR = 12
HOME_NEW = 8


@dataclass(frozen=True, slots=True)
class ScreenBuilder:
    """Builds screens from the database.

    Args:
        database: the source of the screens.
        lister: lists products.
        bought_together: returns the products bought with a product; the orders implement it.
    """

    database: Database
    lister: ProductLister
    bought_together: BoughtTogether

    def product(self, slug: str) -> ProductScreen:
        """Build a product's screen; 6 queries, or 8 (see :meth:`also_bought`).

        Raises:
            NotFound, ProductRenamed, ProductWithdrawn: the slug leads to no product on sale.
        """
        with self.database.reading() as session:
            row = products.find(session, slug)
            path = tree.load(session).path(row.category_id)
            return ProductScreen(
                product=row.product,
                breadcrumbs=tree.breadcrumbs(path, NamedLink(name=row.product.title, url=row.product.url)),
                rating=products.rating(session, row.id),
                reviews=products.reviews(session, row.id, REVIEWS_SHOWN).items,
                also_bought=self.also_bought(session, row.id),
            )

    def also_bought(self, session: Session, product_id: int) -> list[ProductCard]:
        """Return the products that shoppers bought with a product, without the product itself.

        2 queries; 2 more if withdrawn products were among the first ids and there are further ids.
        """
        related: list[ProductCard] = []
        for limit in (ALSO_BOUGHT_SHOWN + 1, ALSO_BOUGHT_READ):
            ids = self.bought_together(session, product_id, limit)
            related = cards.by_ids(session, [number for number in ids if number != product_id])[:ALSO_BOUGHT_SHOWN]
            if len(related) == ALSO_BOUGHT_SHOWN or len(ids) < limit:
                break
        return related

    def category(self, list_query: ListQuery) -> CategoryScreen:
        """Build a category's screen; 4 queries.

        Raises:
            NotFound: no category has this slug.
        """
        with self.database.reading() as session:
            hierarchy = tree.load(session)
            category = hierarchy.get(list_query.category or "")
            children = hierarchy.children(category)
            return CategoryScreen(
                category=category.ref,
                breadcrumbs=tree.breadcrumbs(hierarchy.path(category.id)),
                children=[child.ref for child in children[:CHILDREN_SHOWN]],
                children_count=len(children),
                listing=self.lister.listing(session, list_query),
            )

    def home(self) -> HomeScreen:
        """Build the home screen; 4 queries."""
        with self.database.reading() as session:
            hierarchy = tree.load(session)
            category_ids = hierarchy.descendant_ids(None)
            return HomeScreen(
                departments=hierarchy.nodes(tree.counts(session)),
                popular=self.lister.top(session, category_ids, POPULARITY, HOME_POPULAR),
                new=self.lister.top(session, category_ids, NEWEST, HOME_NEW),
            )

    def popular(self, limit: int) -> RelatedProducts:
        """Return the best-selling products; 2 queries."""
        with self.database.reading() as session:
            category_ids = tree.load(session).descendant_ids(None)
            return RelatedProducts(items=self.lister.top(session, category_ids, POPULARITY, limit))

    def tree(self) -> CategoryTree:
        """Build the category tree; 2 queries."""
        with self.database.reading() as session:
            return CategoryTree(items=tree.load(session).nodes(tree.counts(session)))
