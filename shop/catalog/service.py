"""The catalogue's use cases: what pages and API ask for."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from shop.catalog import adding, editing, inventory, products, reviewing, sitemap, tags
from shop.catalog.adding import NewProduct
from shop.catalog.cached_responses import Build, CachedResponses, as_json, entity_tag, parse
from shop.catalog.categories import tree
from shop.catalog.editing import ProductChange
from shop.catalog.inventory import InventoryPage, StockedProduct
from shop.catalog.listing.list_bulkhead import ListBulkhead
from shop.catalog.listing.product_lister import ListQuery, ProductLister
from shop.catalog.product_page import Data, ProductPage, WholeScreen
from shop.catalog.schemas import ProductListing, ProductRecord, RelatedProducts, ReviewDetail, StockLevel
from shop.catalog.screens import BoughtTogether, ScreenBuilder
from shop.catalog.sitemap import SitemapPage, SitemapPart
from shop.catalog.slugs import validate_slug
from shop.database.transactions import Database
from shop.errors import PreconditionFailed
from shop.patterns.caching import CATALOGUE, REFERENCE, CacheableResponse, CacheClient, TaggedValue
from shop.web.preconditions import IfMatch

REVIEWS_PER_PAGE = 20
SUGGESTED = 4
"""Products shown where a search found nothing."""
CHANGED = "Somebody else has changed this product since you looked at it. Look again, then decide."


class CatalogService:
    """Everything the store can tell about what it sells, and the changes to it.

    Answers that are the same for everybody are bytes of JSON, serialised once and kept in the cache; a hit touches
    neither the database nor a model.

    Args:
        database: where products live.
        cache: what answers are read through.
        bought_together: what shoppers bought with a product.
        product_page: how the product page is filled.
        bulkhead: bounds how many lists that are not kept are put together at once; one a process.
    """

    def __init__(
        self,
        database: Database,
        cache: CacheClient,
        bought_together: BoughtTogether,
        product_page: ProductPage | None = None,
        bulkhead: ListBulkhead | None = None,
    ) -> None:
        self._database = database
        self._cache = cache
        self._answers = CachedResponses(database, cache, bulkhead or ListBulkhead())
        self._browser = ProductLister()
        self._screens = ScreenBuilder(database, self._browser, bought_together)
        self.product_page = product_page or WholeScreen()

    def product_screen(self, slug: str) -> CacheableResponse:
        """Return all the product page needs; see :class:`schemas.ProductScreen`.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
        """
        name = validate_slug(slug)
        return self._answers.product_part_with_related("screen", name, lambda: self._screens.product(name))

    def product(self, slug: str) -> CacheableResponse:
        """Return one product; see :class:`schemas.Product`.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
        """
        name = validate_slug(slug)
        return self._answers.product_part("core", name, self._core(name))

    def read_product(self, slug: str) -> dict[str, Any]:
        """Return one product as :meth:`product` does, read again.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
        """
        return parse(self.product(slug))

    def rating(self, slug: str) -> CacheableResponse:
        """Return all ratings of a product in one look; see :class:`schemas.RatingSummary`.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
        """
        name = validate_slug(slug)
        return self._answers.product_part("rating", name, self._rating(name))

    def related(self, slug: str) -> CacheableResponse:
        """Return what was bought with a product; see :class:`schemas.Related`.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
        """
        name = validate_slug(slug)

        def load(session: Session) -> RelatedProducts:
            return RelatedProducts(items=self._screens.also_bought(session, products.find_id(session, name)))

        return self._answers.product_part_with_related("related", name, self._answers.in_read_transaction(load))

    def reviews(self, slug: str, limit: int = REVIEWS_PER_PAGE, cursor: str | None = None) -> CacheableResponse:
        """Return a page of a product's reviews; only first pages are kept. See :class:`schemas.ReviewPage`.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
            InvalidFields: the cursor is not one of this list.
        """
        name = validate_slug(slug)
        build = self._reviews(name, limit, cursor)
        if cursor is not None:
            return CacheableResponse(as_json(build()), CATALOGUE, (tags.product(name), tags.CATALOGUE))
        return self._answers.product_part(f"reviews:{limit}", name, build)

    def product_with_reviews(
        self, slug: str, cursor: str | None = None
    ) -> tuple[CacheableResponse, CacheableResponse, CacheableResponse]:
        """Return a product, its rating and a page of its reviews: what one page shows, read in one round trip.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
            InvalidFields: the cursor is not one of this list.
        """
        name = validate_slug(slug)
        parts = {"core": self._core(name), "rating": self._rating(name)}
        if cursor is None:
            parts[f"reviews:{REVIEWS_PER_PAGE}"] = self._reviews(name, REVIEWS_PER_PAGE, None)
        product, rating, *reviews = self._answers.product_parts(name, parts)
        return product, rating, reviews[0] if reviews else self.reviews(name, cursor=cursor)

    def stock(self, slug: str) -> StockLevel:
        """Return what can be bought at this moment; never from a cache.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
        """
        with self._database.reading() as session:
            return products.stock(session, validate_slug(slug))

    def listing(self, browse: ListQuery) -> CacheableResponse:
        """Return one page of a list; see :class:`schemas.Listing`.

        Only the first page of a whole category is kept. Combinations of filters, and what people type, are too many
        and too seldom asked for twice: they would push the useful entries out. That a search found nothing is
        remembered for seconds: it costs the most queries, since spellings are tried.

        Raises:
            NotFound: there is no such category.
            InvalidFields: the order or the cursor does not fit the list.
        """
        browse = browse.normalised()

        def load(session: Session) -> ProductListing:
            return self._browser.listing(session, browse)

        if browse.q and browse.cursor is None:
            return self._answers.search_results(browse, self._answers.in_read_transaction(load))
        if not browse.is_cacheable:
            return self._answers.uncached(browse, self._answers.in_read_transaction(load))
        return self._answers.category_part("listing", browse, self._answers.in_read_transaction(load))

    def category_screen(self, browse: ListQuery) -> CacheableResponse:
        """Return all the category page needs; see :class:`schemas.CategoryScreen`. Kept like :meth:`listing`.

        Raises:
            NotFound: there is no such category.
            InvalidFields: the order or the cursor does not fit the list.
        """
        browse = browse.normalised()
        validate_slug(browse.category or "")
        if not browse.is_cacheable:
            return self._answers.uncached(browse, lambda: self._screens.category(browse))
        return self._answers.category_part("screen:category", browse, lambda: self._screens.category(browse))

    def home_screen(self) -> CacheableResponse:
        """Return all the home page needs; see :class:`schemas.HomeScreen`."""
        return self._answers.cached("screen:home", CATALOGUE, [tags.HOME, tags.CATEGORIES], self._screens.home)

    def suggestions(self) -> list[dict[str, Any]]:
        """Return a few products that sell best, to show where nothing was found."""
        kept = self._answers.cached("suggestions", CATALOGUE, [tags.HOME], lambda: self._screens.popular(SUGGESTED))
        items: list[dict[str, Any]] = parse(kept)["items"]
        return items

    def categories(self) -> CacheableResponse:
        """Return the category tree; see :class:`schemas.CategoryTree`."""
        return self._answers.cached("categories", REFERENCE, [tags.CATEGORIES], self._screens.tree)

    def departments(self) -> list[dict[str, Any]]:
        """Return the tree as the pages' menu shows it."""
        items: list[dict[str, Any]] = parse(self.categories())["items"]
        return items

    def sitemap_parts(self) -> list[SitemapPart]:
        """Return the sitemap's parts that list products."""
        with self._database.reading() as session:
            return sitemap.parts(session)

    def sitemap_part(self, number: int) -> list[SitemapPage]:
        """Return the products of one part of the sitemap.

        Raises:
            NotFound: there is no such part.
        """
        with self._database.reading() as session:
            return sitemap.part(session, number)

    def cached_page(self, key: str, page_tags: Sequence[str], render: Callable[[], str]) -> CacheableResponse:
        """Return a public page's HTML through the cache, under a key and tags of its own.

        It carries the menu, and so the tag of the tree.
        """
        return self._answers.get_or_load(f"page:{key}", CATALOGUE, _of_page(page_tags), lambda: render().encode())

    def cached_product_page(self, slug: str, render: Callable[[str, Data], str]) -> CacheableResponse:
        """Return a product's page through the cache; it ends with whatever ends the data it is filled with.

        Args:
            slug: of the product.
            render: makes the page of the name of a template and its data.

        Raises:
            NotFound: there is no such product; ProductRenamed, ProductWithdrawn: no longer.
        """
        name, filling = validate_slug(slug), self.product_page
        own = _of_page([tags.product(name)])

        def load() -> bytes:
            found = filling.found(self, name)
            page = render(filling.template, filling.data(found)).encode()
            return TaggedValue(page, [tag for tag in found.tags if tag not in own])

        key = f"page:product:{filling.name}:{name}"
        return self._answers.get_or_load(key, CATALOGUE, own, load, finds_tags=True)

    def effective_tags(self, page_tags: Sequence[str]) -> tuple[str, ...]:
        """Return the tags that end a page made from these, which is not read through the cache itself."""
        return self._answers.effective_tags(_of_page(page_tags))

    def write_review(self, slug: str, user_id: int, author: str, rating: int, body: str) -> ReviewDetail:
        """Add an account's review of a product.

        Raises:
            NotFound: there is no such product.
            StateConflict: the account has reviewed it before.
        """
        name = validate_slug(slug)
        with self._database.transaction() as session:
            found = products.find(session, name)
            review = reviewing.write(session, found.id, user_id, author, rating, body)
            self._changed(session, name, found.category_id)
        return review

    def has_reviewed(self, slug: str, user_id: int) -> bool:
        """Tell whether an account has reviewed a product.

        Raises:
            NotFound: there is no such product.
        """
        with self._database.reading() as session:
            return reviewing.has_reviewed(session, products.find_id(session, validate_slug(slug)), user_id)

    def inventory(self, find: str, cursor: str | None, which: str = inventory.ALL) -> InventoryPage:
        """Return a page of products with their stock, as it is now; see :func:`inventory.page`.

        Raises:
            InvalidFields: the cursor is not one of this list.
        """
        with self._database.reading() as session:
            return inventory.page(session, find, cursor, which)

    def stocked(self, slug: str) -> StockedProduct:
        """Return a product with its stock, as it is now.

        Raises:
            NotFound: there is no such product.
        """
        with self._database.reading() as session:
            return inventory.find(session, validate_slug(slug))

    def record(self, slug: str) -> ProductRecord:
        """Return a product as an administrator edits it, as it is now.

        Raises:
            NotFound: there is no such product.
        """
        return self.stocked(slug).record

    def edit(self, slug: str, change: ProductChange, condition: IfMatch | None = None) -> ProductRecord:
        """Change a product, and return it as it then stands.

        The product is held from the first look to the commit, so what is compared is what is written over.

        Args:
            slug: of the product.
            change: what is written.
            condition: what the product must still be; anything by default.

        Raises:
            NotFound: there is no such product; ProductRenamed: it has another slug by now.
            PreconditionFailed: the product is no longer what the condition names.
            StateConflict: another changed a field meanwhile, fewer pieces are said to be there than are promised, or
                the slug is taken.
        """
        name = validate_slug(slug)

        def work(session: Session) -> ProductRecord:
            editing.lock(session, name, change)
            row = inventory.find(session, name)
            if condition is not None and not condition.allows(entity_tag(row.record)):
                raise PreconditionFailed(CHANGED)
            if lost := editing.changed_meanwhile(editing.stored(row), change):
                raise editing.EditConflict(CHANGED, errors=dict.fromkeys(lost, "changed meanwhile"))
            editing.apply(session, row.id, change)
            now = inventory.find(session, change.slug or name)
            # Which answers show a product is written down nowhere. So when it goes, comes or moves, all of them end.
            ends = [tags.CATALOGUE] if (now.slug, now.is_withdrawn) != (row.slug, row.is_withdrawn) else []
            if now.shown != row.shown or not change.is_count:
                self._changed(session, now.slug, now.category_id, ends)
            return now.record

        return self._database.run_in_transaction(work)

    def add(self, new: NewProduct) -> ProductRecord:
        """Put a new product into the catalogue.

        Raises:
            InvalidFields: there is no such category.
            StateConflict: the slug is, or was, another product's.
        """

        def work(session: Session) -> ProductRecord:
            adding.add(session, new)
            row = inventory.find(session, new.slug)
            self._changed(session, row.slug, row.category_id, [tags.CATEGORIES])  # the tree counts them
            return row.record

        return self._database.run_in_transaction(work)

    def _changed(self, session: Session, slug: str, category_id: int, further: Sequence[str] = ()) -> None:
        path = tree.load(session).path(category_id)
        ended = [*tags.of_change(slug, [shelf.slug for shelf in path]), *further]
        refills = (lambda: self.product(slug), lambda: self.product_screen(slug))
        Database.after_commit(session, lambda: self._cache.on_write(ended, refills))

    def _core(self, name: str) -> Build:
        return self._answers.in_read_transaction(lambda session: products.find(session, name).product)

    def _rating(self, name: str) -> Build:
        return self._answers.in_read_transaction(
            lambda session: products.rating(session, products.find_id(session, name))
        )

    def _reviews(self, name: str, limit: int, cursor: str | None) -> Build:
        return self._answers.in_read_transaction(
            lambda session: products.reviews(session, products.find_id(session, name), limit, cursor)
        )


def _of_page(own: Sequence[str]) -> list[str]:
    """Return what a page is made from: what is its own, and the menu that every page carries."""
    return list(dict.fromkeys([*own, tags.CATEGORIES, tags.CATALOGUE]))
